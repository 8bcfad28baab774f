//! 256 activations of up to eight vectors, laid as the inner loop of a GEMM reads them.

use super::panel::BLOCKS;

/// What a sum of integers below 2^22 starts from, so that it ends as the bits of a float whose last place
/// is one: 1.5 · 2^23. Taking it away again is one instruction, where converting takes the time of two.
pub(super) const ONES: f32 = 12_582_912.0;

/// Panels that one slab meets.
pub(super) const PANELS: usize = 16;

/// Vectors of a slab.
pub(super) const VECTORS: usize = 8;

/// Pairs of vectors of a slab.
pub(super) const PAIRS: usize = VECTORS / 2;

/// Each tier lays pairs of vectors in its own order.
pub(super) struct Slab {
    pub blocks: [SlabBlock; BLOCKS],
    /// Results of the vector that is missing in an odd number.
    pub spare: [[f32; 4]; PANELS],
    /// Sums of a super-block, in bytes: high halves, then low.
    pub sums: [[[[i8; 16]; 2]; PAIRS]; 2],
}

/// 32 activations of each vector.
#[repr(C)]
pub(super) struct SlabBlock {
    /// The activations of each pair.
    pub ints: [[[i8; 16]; 4]; PAIRS],
    /// Scales.
    pub d: [[f32; 4]; PAIRS],
    /// `Q8_1`: `d * Σq`.
    pub s: [[f32; 4]; PAIRS],
}

impl Slab {
    /// Room for a slab.
    pub const EMPTY: Self = Self {
        blocks: [const {
            SlabBlock {
                ints: [[[0; 16]; 4]; PAIRS],
                d: [[0.0; 4]; PAIRS],
                s: [[0.0; 4]; PAIRS],
            }
        }; BLOCKS],
        spare: [[0.0; 4]; PANELS],
        sums: [[[[0; 16]; 2]; PAIRS]; 2],
    };
}
