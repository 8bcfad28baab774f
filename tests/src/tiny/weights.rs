//! Random weights of every type, from a seed.

use puna_core::gguf::GgmlType;
use puna_kernels::{WeightType, dequantize, quantize_row};

/// xorshift64*: small, seeded, the same everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator whose numbers follow from `seed` alone.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Uniform below `n`.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() >> 33) as usize % n
    }

    /// Uniform in −1..1.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// The file's name for a type of the kernels.
#[must_use]
pub const fn ggml_type(ty: WeightType) -> GgmlType {
    match ty {
        WeightType::F32 => GgmlType::F32,
        WeightType::F16 => GgmlType::F16,
        WeightType::BF16 => GgmlType::BF16,
        WeightType::Q4_0 => GgmlType::Q4_0,
        WeightType::Q4_1 => GgmlType::Q4_1,
        WeightType::Q5_0 => GgmlType::Q5_0,
        WeightType::Q5_1 => GgmlType::Q5_1,
        WeightType::Q8_0 => GgmlType::Q8_0,
        WeightType::Q2_K => GgmlType::Q2_K,
        WeightType::Q3_K => GgmlType::Q3_K,
        WeightType::Q4_K => GgmlType::Q4_K,
        WeightType::Q5_K => GgmlType::Q5_K,
        WeightType::Q6_K => GgmlType::Q6_K,
        WeightType::IQ4_NL => GgmlType::IQ4_NL,
        WeightType::IQ4_XS => GgmlType::IQ4_XS,
    }
}

/// `n` numbers of type `ty` around `mean`, with a root mean square deviation of about `rms`: their
/// bytes, and what the bytes mean.
///
/// # Panics
/// If `n` is not whole blocks.
pub fn random(rng: &mut Rng, ty: WeightType, n: usize, mean: f32, rms: f32) -> (Vec<u8>, Vec<f32>) {
    let mut bytes = vec![0; ty.row_bytes(n)];
    // Uniform in −1..1 has a root mean square of 1/√3.
    let exact: Vec<f32> = (0..n)
        .map(|_| mean + rng.unit() * rms * 3f32.sqrt())
        .collect();
    if !quantize_row(ty, &exact, &mut bytes) {
        random_blocks(rng, ty, rms, &mut bytes);
    }
    let mut values = vec![0.0; n];
    dequantize(ty, &bytes, &mut values);
    (bytes, values)
}

/// Blocks of any integers whose scales make weights of about `rms`.
fn random_blocks(rng: &mut Rng, ty: WeightType, rms: f32, out: &mut [u8]) {
    let size = ty.block_bytes();
    let mut unscaled = vec![0.0; ty.block_len()];
    for block in out.chunks_exact_mut(size) {
        block.fill_with(|| (rng.bits() >> 56) as u8);
        set_scales(ty, block, 1.0);
        dequantize(ty, block, &mut unscaled);
        let squares: f32 = unscaled.iter().map(|w| w * w).sum();
        let had = (squares / unscaled.len() as f32).sqrt();
        set_scales(ty, block, rms / had * (1.0 + 0.25 * rng.unit()));
    }
}

/// Sets the scale of the scales to `d`, and that of the minimums so that weights are centred.
fn set_scales(ty: WeightType, block: &mut [u8], d: f32) {
    // Byte offsets in ggml's `block_q2_K` and its like; the middle of the type's integers.
    let (at, at_min, middle) = match ty {
        WeightType::Q2_K => (80, Some(82), 1.5),
        WeightType::Q3_K => (108, None, 0.0),
        WeightType::Q4_K => (0, Some(2), 7.5),
        WeightType::Q5_K => (0, Some(2), 15.5),
        WeightType::Q6_K => (208, None, 0.0),
        WeightType::IQ4_NL | WeightType::IQ4_XS => (0, None, 0.0),
        other => unreachable!("{other} has a quantizer"),
    };
    let mut put = |at: usize, value: f32| {
        assert!(
            quantize_row(WeightType::F16, &[value], &mut block[at..at + 2]),
            "halves can be written"
        );
    };
    put(at, d);
    if let Some(at) = at_min {
        put(at, d * middle);
    }
}
