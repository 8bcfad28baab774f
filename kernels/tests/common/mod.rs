//! Random numbers and blocks for the tests, from a seed that failures print.
#![allow(dead_code, reason = "each test binary uses its part")]

use puna_kernels::WeightType;

/// xorshift64*: small, seeded, the same everywhere.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        let mut rng = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        rng.next();
        rng
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }

    pub fn byte(&mut self) -> u8 {
        (self.next() >> 56) as u8
    }

    /// Uniform in −1..1.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// How far the numbers of a case reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Scales and floats are moderate and finite; integers take their whole range.
    Tame,
    /// The largest integers of one sign or the other, moderate scales.
    Extreme,
    /// Any bits: subnormal, infinite and NaN scales and floats.
    Wild,
}

impl Range {
    pub const ALL: [Self; 3] = [Self::Tame, Self::Extreme, Self::Wild];
}

/// Byte offsets of the half-precision scales in a block of `ty`.
pub fn halves(ty: WeightType) -> &'static [usize] {
    match ty {
        WeightType::F32 | WeightType::BF16 => &[],
        WeightType::F16
        | WeightType::Q4_0
        | WeightType::Q5_0
        | WeightType::Q8_0
        | WeightType::IQ4_NL
        | WeightType::IQ4_XS => &[0],
        WeightType::Q4_1 | WeightType::Q5_1 | WeightType::Q4_K | WeightType::Q5_K => &[0, 2],
        WeightType::Q2_K => &[80, 82],
        WeightType::Q3_K => &[108],
        WeightType::Q6_K => &[208],
    }
}

/// Random bytes of `blocks` blocks of `ty`.
pub fn weights(rng: &mut Rng, ty: WeightType, blocks: usize, range: Range) -> Vec<u8> {
    let size = ty.block_bytes();
    let mut bytes = vec![0; blocks * size];
    for block in bytes.chunks_exact_mut(size) {
        let extreme = [0x00, 0x7f, 0x80, 0x81, 0x88, 0xf0, 0x0f, 0xff][rng.below(8)];
        block.fill_with(|| match range {
            Range::Extreme => extreme,
            _ => rng.byte(),
        });
        if range == Range::Wild {
            continue;
        }
        for &at in halves(ty) {
            block[at..at + 2].copy_from_slice(&tame_half(rng).to_le_bytes());
        }
        match ty {
            WeightType::F32 => block.copy_from_slice(&rng.unit().to_le_bytes()),
            WeightType::BF16 => block.copy_from_slice(&rng.unit().to_le_bytes()[2..]),
            _ => {}
        }
    }
    bytes
}

/// Any sign, exponent 2^-8..2^-1, any mantissa; now and then subnormal.
fn tame_half(rng: &mut Rng) -> u16 {
    let sign = u16::from(rng.byte() & 1) << 15;
    let mantissa = u16::from_le_bytes([rng.byte(), rng.byte() & 3]);
    let exponent = if rng.below(16) == 0 {
        0
    } else {
        7 + rng.below(8) as u16
    };
    sign | exponent << 10 | mantissa
}

/// Random `f32`: the wild ones are mostly moderate too, or every sum would be NaN.
pub fn floats(rng: &mut Rng, n: usize, range: Range) -> Vec<f32> {
    let style = rng.below(4);
    let one = |rng: &mut Rng| match range {
        Range::Tame => rng.unit() * 4.0,
        Range::Extreme => {
            [1.0, -1.0, 1.0, -1.0, 0.5, 0.0, -0.0][rng.below(if style == 0 { 2 } else { 7 })]
        }
        Range::Wild => match (style, rng.below(16)) {
            (0, _) => f32::from_bits(rng.next() as u32),
            (1, 0) => [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 3e38][rng.below(4)],
            (2, _) => rng.unit() * 1e-38,
            (3, 0) => rng.unit() * 1e30,
            _ => rng.unit() * 100.0,
        },
    };
    (0..n).map(|_| one(rng)).collect()
}

/// The same bits; NaNs are all one.
pub fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Panics where `got` first differs from `want`, naming the case.
#[track_caller]
pub fn assert_same(got: &[f32], want: &[f32], case: &dyn Fn() -> String) {
    assert_eq!(got.len(), want.len(), "{}: lengths", case());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!(
            same(*g, *w),
            "{}: [{i}] is {g:e} ({:#x}), scalar says {w:e} ({:#x})",
            case(),
            g.to_bits(),
            w.to_bits()
        );
    }
}
