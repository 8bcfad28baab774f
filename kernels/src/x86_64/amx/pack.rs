//! Activations as tiles want them: what meets at one block of weights lies together.

use super::tile::VECTORS;
use crate::{
    block::QK,
    x86_64::view::{View, View32},
};

/// Blocks that are packed, and computed, at a time.
pub(super) const CHUNK: usize = 8;

/// `CHUNK` blocks of sixteen vectors; vectors that are not there are zeros.
///
/// In the matrix of activations the vectors are a row apart, often a multiple of 4 KB, and sixteen such
/// lines want the same few places of the first cache.
#[repr(C, align(64))]
pub(super) struct Packed {
    /// Values: block by vector.
    pub qs: [[[i8; QK]; VECTORS]; CHUNK],
    /// Scales.
    pub d: [[f32; VECTORS]; CHUNK],
    /// `d * Σq`, for types with a minimum.
    pub s: [[f32; VECTORS]; CHUNK],
}

impl Packed {
    /// All zero.
    pub(super) const EMPTY: Self = Self {
        qs: [[[0; QK]; VECTORS]; CHUNK],
        d: [[0.0; VECTORS]; CHUNK],
        s: [[0.0; VECTORS]; CHUNK],
    };

    /// Takes blocks `first .. first + len` of `n` vectors of `x`, whose vectors are `blocks` long,
    /// starting at vector `t`.
    pub(super) fn fill<const MIN: bool>(
        &mut self,
        x: &View32<'_, MIN>,
        (t, n): (usize, usize),
        (first, len): (usize, usize),
        blocks: usize,
    ) {
        for v in 0..VECTORS {
            if v >= n {
                // What was here may be of other vectors; their products would be thrown away, but
                // numbers that are no numbers are slow.
                for i in 0..len {
                    self.qs[i][v] = [0; QK];
                    self.d[i][v] = 0.0;
                    self.s[i][v] = 0.0;
                }
                continue;
            }
            let row = x.part((t + v) * blocks + first, len);
            for i in 0..len {
                self.qs[i][v] = row.qs[i];
                self.d[i][v] = row.d[i];
                if MIN {
                    self.s[i][v] = row.s[i];
                }
            }
        }
    }
}
