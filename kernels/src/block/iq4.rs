//! Four-bit indices into 16 uneven levels: `IQ4_NL` and `IQ4_XS`.

use super::{Block, Half, QK, QK_K};

/// The 16 levels that a nibble of `IQ4_NL` and `IQ4_XS` selects.
pub const KVALUES_IQ4NL: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

/// 32 weights: `w[i] = d * KVALUES_IQ4NL[nibble[i]]`; nibbles are packed as in `Q4_0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockIq4Nl {
    /// Scale.
    pub d: Half,
    /// Packed indices.
    pub qs: [u8; QK / 2],
}
const _: () = assert!(size_of::<BlockIq4Nl>() == 18);

/// 256 weights in 8 sub-blocks of 32: `w = d * (scale[j] - 32) * KVALUES_IQ4NL[nibble]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct BlockIq4Xs {
    /// Scale of the super-block.
    pub d: Half,
    /// Upper two bits of the eight scales, little-endian, two bits each.
    pub scales_h: [u8; 2],
    /// Lower four bits of the eight scales, two to a byte.
    pub scales_l: [u8; QK_K / 64],
    /// Packed indices, 16 bytes a sub-block, packed as in `Q4_0`.
    pub qs: [u8; QK_K / 2],
}
const _: () = assert!(size_of::<BlockIq4Xs>() == 136);

impl BlockIq4Nl {
    /// The levels of the 32 weights.
    #[must_use]
    #[inline]
    pub fn ints(&self) -> [i8; QK] {
        levels(&self.qs)
    }
}

impl BlockIq4Xs {
    /// The scale of sub-block `j` (0..8), −32..=31.
    #[must_use]
    #[inline]
    pub fn scale(&self, j: usize) -> i8 {
        let low = (self.scales_l[j / 2] >> (4 * (j % 2))) & 15;
        let high = (u16::from_le_bytes(self.scales_h) >> (2 * j)) & 3;
        (low | (high << 4) as u8) as i8 - 32
    }

    /// The levels of sub-block `j` (0..8).
    #[must_use]
    #[inline]
    pub fn ints(&self, j: usize) -> [i8; QK] {
        let qs = self.qs.as_chunks::<{ QK / 2 }>().0;
        levels(&qs[j])
    }
}

fn levels(qs: &[u8; QK / 2]) -> [i8; QK] {
    std::array::from_fn(|i| {
        let q = if i < QK / 2 {
            qs[i] & 15
        } else {
            qs[i - QK / 2] >> 4
        };
        KVALUES_IQ4NL[usize::from(q)]
    })
}

impl Block for BlockIq4Nl {
    const LEN: usize = QK;
    fn dequantize(&self, out: &mut [f32]) {
        assert_eq!(out.len(), QK, "dequantize: a block holds {QK} weights");
        let d = self.d.to_f32();
        for (o, q) in out.iter_mut().zip(self.ints()) {
            *o = d * f32::from(q);
        }
    }
}
