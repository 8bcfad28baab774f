//! Rows of `f32` to blocks, as ggml's reference quantizers do it: for the KV cache, tests and tools.

use super::{BlockBf16, BlockF32, BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, Half, QK};

/// A block type that [`f32`] rows can be rounded to.
pub trait Quantize: super::Block {
    /// The block nearest to `x` in ggml's sense.
    ///
    /// # Panics
    /// If `x` is not [`LEN`](super::Block::LEN) long.
    fn quantize(x: &[f32]) -> Self;
}

impl Quantize for BlockF32 {
    fn quantize(x: &[f32]) -> Self {
        Self(x[0].to_le_bytes())
    }
}

impl Quantize for Half {
    fn quantize(x: &[f32]) -> Self {
        Self::from_f32(x[0])
    }
}

impl Quantize for BlockBf16 {
    fn quantize(x: &[f32]) -> Self {
        Self::from_f32(x[0])
    }
}

impl Quantize for BlockQ4_0 {
    fn quantize(x: &[f32]) -> Self {
        let (d, inverse) = symmetric(x, -8.0);
        Self {
            d: Half::from_f32(d),
            qs: pack(x, |x| clamp(x * inverse + 8.5, 15)),
        }
    }
}

impl Quantize for BlockQ4_1 {
    fn quantize(x: &[f32]) -> Self {
        let (d, min, inverse) = asymmetric(x, 15.0);
        Self {
            d: Half::from_f32(d),
            m: Half::from_f32(min),
            qs: pack(x, |x| clamp((x - min) * inverse + 0.5, 15)),
        }
    }
}

impl Quantize for BlockQ5_0 {
    fn quantize(x: &[f32]) -> Self {
        let (d, inverse) = symmetric(x, -16.0);
        let five = |x: f32| clamp(x * inverse + 16.5, 31);
        Self {
            d: Half::from_f32(d),
            qh: fifth_bits(x, five),
            qs: pack(x, five),
        }
    }
}

impl Quantize for BlockQ5_1 {
    fn quantize(x: &[f32]) -> Self {
        let (d, min, inverse) = asymmetric(x, 31.0);
        let five = |x: f32| clamp((x - min) * inverse + 0.5, 31);
        Self {
            d: Half::from_f32(d),
            m: Half::from_f32(min),
            qh: fifth_bits(x, five),
            qs: pack(x, five),
        }
    }
}

impl Quantize for BlockQ8_0 {
    fn quantize(x: &[f32]) -> Self {
        let d = x.iter().fold(0.0f32, |m, x| m.max(x.abs())) / 127.0;
        let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
        Self {
            d: Half::from_f32(d),
            qs: std::array::from_fn(|i| (x[i] * inverse).round() as i8),
        }
    }
}

/// Scale and its inverse such that the number of largest magnitude becomes `low`.
fn symmetric(x: &[f32], low: f32) -> (f32, f32) {
    let max = x
        .iter()
        .fold(0.0f32, |m, &x| if x.abs() > m.abs() { x } else { m });
    let d = max / low;
    (d, if d == 0.0 { 0.0 } else { 1.0 / d })
}

/// Scale, minimum and the scale's inverse such that the range becomes `0..=steps`.
fn asymmetric(x: &[f32], steps: f32) -> (f32, f32, f32) {
    let (min, max) = x
        .iter()
        .fold((f32::MAX, f32::MIN), |(lo, hi), &x| (lo.min(x), hi.max(x)));
    let d = (max - min) / steps;
    (d, min, if d == 0.0 { 0.0 } else { 1.0 / d })
}

fn clamp(x: f32, top: u8) -> u8 {
    (x as i8 as u8).min(top)
}

fn pack(x: &[f32], q: impl Fn(f32) -> u8) -> [u8; QK / 2] {
    std::array::from_fn(|j| (q(x[j]) & 15) | (q(x[j + QK / 2]) & 15) << 4)
}

fn fifth_bits(x: &[f32], q: impl Fn(f32) -> u8) -> [u8; 4] {
    let bit = |i: usize| u32::from(q(x[i]) >> 4) << i;
    (0..QK).map(bit).fold(0u32, |a, b| a | b).to_le_bytes()
}
