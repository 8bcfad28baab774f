//! Rows of weights times several vectors.

use crate::{activations::ActRow, activations::ActRows, block::Block, tile::TileMut};

/// `y[t][r] = dot(row r, x[t])`: `w` holds `y.m()` rows and `x` holds `y.n()` vectors.
pub fn gemm<B: Block>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    dot: impl Fn(&[B], ActRow<'_>) -> f32,
) {
    for t in 0..y.n() {
        super::gemv::gemv(w, x.row(t), y.row(t), &dot);
    }
}
