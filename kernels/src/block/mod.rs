//! Block layouts, byte for byte as GGUF stores them, and what each block means in `f32`.
//!
//! Every block has alignment 1: a model may be mapped at any offset of a file (an asset inside an
//! APK, say), and unaligned loads cost nothing on the CPUs we run on.

mod float;
mod iq4;
mod k;
mod legacy;
mod quantize;

pub use float::{BlockBf16, BlockF16, BlockF32};
pub use iq4::{BlockIq4Nl, BlockIq4Xs, KVALUES_IQ4NL};
pub use k::{BlockQ2K, BlockQ3K, BlockQ4K, BlockQ5K, BlockQ6K, SuperBlock, scale_min_k4};
pub use legacy::{BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0};
pub use quantize::Quantize;

/// Weights in a block of the types that share one scale per 32.
pub const QK: usize = 32;
/// Weights in a super-block of the K types.
pub const QK_K: usize = 256;

/// A half-precision number as GGUF stores it: two little-endian bytes, no alignment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct Half(pub [u8; 2]);

impl Half {
    /// The nearest half, ties to even.
    #[must_use]
    pub fn from_f32(x: f32) -> Self {
        Self(half::f16::from_f32(x).to_le_bytes())
    }

    /// Exact.
    #[must_use]
    #[inline]
    pub fn to_f32(self) -> f32 {
        half::f16::from_le_bytes(self.0).to_f32()
    }
}

/// A block of weights: how many, and what they are in `f32`.
pub trait Block: bytemuck::Pod {
    /// Weights per block.
    const LEN: usize;

    /// Writes the block's weights.
    ///
    /// # Panics
    /// If `out` is not [`LEN`](Self::LEN) long.
    fn dequantize(&self, out: &mut [f32]);
}

/// Borrows bytes of a file as blocks.
///
/// # Panics
/// If `bytes` does not hold whole blocks.
#[must_use]
#[inline]
pub fn cast<B: Block>(bytes: &[u8]) -> &[B] {
    bytemuck::cast_slice(bytes)
}

/// Borrows bytes as blocks to be written.
///
/// # Panics
/// If `bytes` does not hold whole blocks.
#[must_use]
#[inline]
pub fn cast_mut<B: Block>(bytes: &mut [u8]) -> &mut [B] {
    bytemuck::cast_slice_mut(bytes)
}
