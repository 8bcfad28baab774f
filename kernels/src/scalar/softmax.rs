//! Softmax of one row of scores.

use super::{exp::exp, reduce};

/// `x[i] = e^(x[i] - max) / Σ e^(x[j] - max)`, in place. An empty row stays empty.
pub fn softmax(x: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for x in &mut *x {
        *x = exp(*x - max);
    }
    let scale = 1.0 / reduce::sum(x.iter().copied());
    for x in &mut *x {
        *x *= scale;
    }
}
