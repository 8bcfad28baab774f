//! Rows of weights times one vector.

use crate::{activations::ActRow, block::Block};

/// `y[r] = dot(row r, x)`: `w` holds `y.len()` rows.
pub fn gemv<B: Block>(
    w: &[B],
    x: ActRow<'_>,
    y: &mut [f32],
    dot: impl Fn(&[B], ActRow<'_>) -> f32,
) {
    if w.is_empty() {
        y.fill(0.0);
        return;
    }
    for (w, y) in w.chunks_exact(w.len() / y.len()).zip(y) {
        *y = dot(w, x);
    }
}
