//! Softmax of one row of scores, left unnormalised so that parts of a row can be merged.

use super::{exp::exp, reduce};

/// `x[i] = e^(x[i] - max)` in place; returns `(max, Σ)`.
///
/// An empty row, or one of only −∞, gives a sum of 0.
pub fn softmax_part(x: &mut [f32]) -> (f32, f32) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if max == f32::NEG_INFINITY {
        x.fill(0.0);
        return (max, 0.0);
    }
    for x in &mut *x {
        *x = exp(*x - max);
    }
    (max, reduce::sum(x.iter().copied()))
}
