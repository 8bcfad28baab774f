//! "Blocks" of one number.

use super::{Block, Half};

/// One single, little-endian, no alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct BlockF32(pub [u8; 4]);

/// One half.
pub type BlockF16 = Half;

/// One bfloat16: the upper 16 bits of a single, little-endian, no alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct BlockBf16(pub [u8; 2]);

impl BlockF32 {
    /// The number.
    #[must_use]
    #[inline]
    pub const fn to_f32(self) -> f32 {
        f32::from_le_bytes(self.0)
    }
}

impl BlockBf16 {
    /// The nearest bfloat16, ties to even.
    #[must_use]
    pub fn from_f32(x: f32) -> Self {
        Self(half::bf16::from_f32(x).to_le_bytes())
    }

    /// Exact.
    #[must_use]
    #[inline]
    pub const fn to_f32(self) -> f32 {
        f32::from_bits((u16::from_le_bytes(self.0) as u32) << 16)
    }
}

impl Block for BlockF32 {
    const LEN: usize = 1;
    fn dequantize(&self, out: &mut [f32]) {
        out[0] = self.to_f32();
    }
}

impl Block for BlockF16 {
    const LEN: usize = 1;
    fn dequantize(&self, out: &mut [f32]) {
        out[0] = self.to_f32();
    }
}

impl Block for BlockBf16 {
    const LEN: usize = 1;
    fn dequantize(&self, out: &mut [f32]) {
        out[0] = self.to_f32();
    }
}
