//! Super-blocks of 256 weights: the K types.

use super::{Block, Half, QK_K, iq4::BlockIq4Xs};

/// A super-block seen as integers: `w[i] = d * scale(j) * ints[i] - dmin * min(j)`, `j = i / SUB`.
pub trait SuperBlock: Block {
    /// Weights per sub-block: 16 or 32.
    const SUB: usize;
    /// Whether the type has minimums at all.
    const HAS_MIN: bool = false;
    /// Scale of the scales.
    fn d(&self) -> f32;
    /// Scale of the minimums; 0 for types without.
    fn dmin(&self) -> f32 {
        0.0
    }
    /// The integers of the 256 weights.
    fn ints(&self) -> [i8; QK_K];
    /// Scale of sub-block `j`.
    fn scale(&self, j: usize) -> i32;
    /// Minimum of sub-block `j`.
    fn min(&self, _j: usize) -> i32 {
        0
    }
}

/// 256 two-bit weights in 16 sub-blocks of 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockQ2K {
    /// Scale (low nibble) and minimum (high nibble) of each sub-block.
    pub scales: [u8; QK_K / 16],
    /// Two-bit weights; weight `128 h + 32 s + l` is bits `2 s` of byte `32 h + l`.
    pub qs: [u8; QK_K / 4],
    /// Scale of the scales.
    pub d: Half,
    /// Scale of the minimums.
    pub dmin: Half,
}
const _: () = assert!(size_of::<BlockQ2K>() == 84);

/// 256 three-bit weights in 16 sub-blocks of 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockQ3K {
    /// Third bits: of weight `32 s + l` bit `s` of byte `l`; a clear bit subtracts 4.
    pub hmask: [u8; QK_K / 8],
    /// Low two bits, packed as in [`BlockQ2K`].
    pub qs: [u8; QK_K / 4],
    /// Sixteen 6-bit scales, offset by 32.
    pub scales: [u8; 12],
    /// Scale of the scales.
    pub d: Half,
}
const _: () = assert!(size_of::<BlockQ3K>() == 110);

/// 256 four-bit weights in 8 sub-blocks of 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockQ4K {
    /// Scale of the scales.
    pub d: Half,
    /// Scale of the minimums.
    pub dmin: Half,
    /// Eight 6-bit scales and minimums: see [`scale_min_k4`].
    pub scales: [u8; 12],
    /// Nibbles; each 32 bytes hold sub-block `2 p` low and `2 p + 1` high.
    pub qs: [u8; QK_K / 2],
}
const _: () = assert!(size_of::<BlockQ4K>() == 144);

/// 256 five-bit weights in 8 sub-blocks of 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockQ5K {
    /// Scale of the scales.
    pub d: Half,
    /// Scale of the minimums.
    pub dmin: Half,
    /// Eight 6-bit scales and minimums: see [`scale_min_k4`].
    pub scales: [u8; 12],
    /// Fifth bits: of weight `32 j + l` bit `j` of byte `l`.
    pub qh: [u8; QK_K / 8],
    /// Low nibbles, packed as in [`BlockQ4K`].
    pub qs: [u8; QK_K / 2],
}
const _: () = assert!(size_of::<BlockQ5K>() == 176);

/// 256 six-bit weights in 16 sub-blocks of 16.
///
/// In each half of 128, weight `32 s + l` has its low nibble in `ql[64 h + 32 (s % 2) + l]` (high
/// nibble for `s >= 2`) and its upper two bits in bits `2 s` of `qh[32 h + l]`; 32 is subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockQ6K {
    /// Low nibbles.
    pub ql: [u8; QK_K / 2],
    /// Upper two bits.
    pub qh: [u8; QK_K / 4],
    /// Scales of the sub-blocks.
    pub scales: [i8; QK_K / 16],
    /// Scale of the scales.
    pub d: Half,
}
const _: () = assert!(size_of::<BlockQ6K>() == 210);

/// Scale and minimum, 0..=63, of sub-block `j` (0..8) in the 12 bytes of `Q4_K` and `Q5_K`.
///
/// Bytes 0..4 hold scales 0..4 and bytes 4..8 minimums 0..4 in their low six bits; bytes 8..12 hold
/// the low nibbles of the other four scales and minimums, whose upper two bits top the first eight bytes.
#[must_use]
#[inline]
pub const fn scale_min_k4(scales: &[u8; 12], j: usize) -> (u8, u8) {
    if j < 4 {
        (scales[j] & 63, scales[j + 4] & 63)
    } else {
        let low = scales[j + 4];
        (
            (low & 15) | ((scales[j - 4] >> 6) << 4),
            (low >> 4) | ((scales[j] >> 6) << 4),
        )
    }
}

/// Two bits of weight `i` in the packing of [`BlockQ2K::qs`].
fn two_bits(qs: &[u8; QK_K / 4], i: usize) -> u8 {
    let (half, s, l) = (i / 128, i % 128 / 32, i % 32);
    (qs[32 * half + l] >> (2 * s)) & 3
}

/// Nibble of weight `i` in the packing of [`BlockQ4K::qs`].
fn nibble_k(qs: &[u8; QK_K / 2], i: usize) -> u8 {
    let byte = qs[i / 64 * 32 + i % 32];
    if i % 64 < 32 { byte & 15 } else { byte >> 4 }
}

impl SuperBlock for BlockQ2K {
    const SUB: usize = 16;
    const HAS_MIN: bool = true;
    fn d(&self) -> f32 {
        self.d.to_f32()
    }
    fn dmin(&self) -> f32 {
        self.dmin.to_f32()
    }
    fn ints(&self) -> [i8; QK_K] {
        std::array::from_fn(|i| two_bits(&self.qs, i) as i8)
    }
    fn scale(&self, j: usize) -> i32 {
        i32::from(self.scales[j] & 15)
    }
    fn min(&self, j: usize) -> i32 {
        i32::from(self.scales[j] >> 4)
    }
}

impl SuperBlock for BlockQ3K {
    const SUB: usize = 16;
    fn d(&self) -> f32 {
        self.d.to_f32()
    }
    fn ints(&self) -> [i8; QK_K] {
        std::array::from_fn(|i| {
            let third = (self.hmask[i % 32] >> (i / 32)) & 1;
            (two_bits(&self.qs, i) | third << 2) as i8 - 4
        })
    }
    fn scale(&self, j: usize) -> i32 {
        let byte = self.scales[j % 8];
        let low = if j < 8 { byte & 15 } else { byte >> 4 };
        let high = (self.scales[8 + j % 4] >> (2 * (j / 4))) & 3;
        i32::from(low | high << 4) - 32
    }
}

impl SuperBlock for BlockQ4K {
    const SUB: usize = 32;
    const HAS_MIN: bool = true;
    fn d(&self) -> f32 {
        self.d.to_f32()
    }
    fn dmin(&self) -> f32 {
        self.dmin.to_f32()
    }
    fn ints(&self) -> [i8; QK_K] {
        std::array::from_fn(|i| nibble_k(&self.qs, i) as i8)
    }
    fn scale(&self, j: usize) -> i32 {
        i32::from(scale_min_k4(&self.scales, j).0)
    }
    fn min(&self, j: usize) -> i32 {
        i32::from(scale_min_k4(&self.scales, j).1)
    }
}

impl SuperBlock for BlockQ5K {
    const SUB: usize = 32;
    const HAS_MIN: bool = true;
    fn d(&self) -> f32 {
        self.d.to_f32()
    }
    fn dmin(&self) -> f32 {
        self.dmin.to_f32()
    }
    fn ints(&self) -> [i8; QK_K] {
        std::array::from_fn(|i| {
            let fifth = (self.qh[i % 32] >> (i / 32)) & 1;
            (nibble_k(&self.qs, i) | fifth << 4) as i8
        })
    }
    fn scale(&self, j: usize) -> i32 {
        i32::from(scale_min_k4(&self.scales, j).0)
    }
    fn min(&self, j: usize) -> i32 {
        i32::from(scale_min_k4(&self.scales, j).1)
    }
}

impl SuperBlock for BlockQ6K {
    const SUB: usize = 16;
    fn d(&self) -> f32 {
        self.d.to_f32()
    }
    fn ints(&self) -> [i8; QK_K] {
        std::array::from_fn(|i| {
            let (half, s, l) = (i / 128, i % 128 / 32, i % 32);
            let byte = self.ql[64 * half + 32 * (s % 2) + l];
            let low = if s < 2 { byte & 15 } else { byte >> 4 };
            let high = (self.qh[32 * half + l] >> (2 * s)) & 3;
            (low | high << 4) as i8 - 32
        })
    }
    fn scale(&self, j: usize) -> i32 {
        i32::from(self.scales[j])
    }
}

impl SuperBlock for BlockIq4Xs {
    const SUB: usize = 32;
    fn d(&self) -> f32 {
        self.d.to_f32()
    }
    fn ints(&self) -> [i8; QK_K] {
        let mut ints = [0; QK_K];
        for (j, part) in ints.as_chunks_mut().0.iter_mut().enumerate() {
            *part = Self::ints(self, j);
        }
        ints
    }
    fn scale(&self, j: usize) -> i32 {
        i32::from(Self::scale(self, j))
    }
}

/// `Block` from `SuperBlock`, in ggml's order of operations: the sub-block's scale and minimum first.
macro_rules! dequantize_super_block {
    ($($block:ty),*) => {$(
        impl Block for $block {
            const LEN: usize = QK_K;
            fn dequantize(&self, out: &mut [f32]) {
                assert_eq!(out.len(), QK_K, "dequantize: a super-block holds {QK_K} weights");
                let ints = SuperBlock::ints(self);
                for (i, (o, q)) in out.iter_mut().zip(ints).enumerate() {
                    let j = i / Self::SUB;
                    let dl = self.d() * SuperBlock::scale(self, j) as f32;
                    let w = dl * f32::from(q);
                    *o = if Self::HAS_MIN { w - self.dmin() * self.min(j) as f32 } else { w };
                }
            }
        }
    )*};
}
dequantize_super_block!(BlockQ2K, BlockQ3K, BlockQ4K, BlockQ5K, BlockQ6K, BlockIq4Xs);
