//! The gated activation of the feed-forward network (Shazeer 2020, "GLU Variants").

use super::exp::exp;

/// `gate[i] = silu(gate[i]) * up[i]`, `silu(z) = z / (1 + e^-z)`, in place.
#[inline]
pub fn swiglu(gate: &mut [f32], up: &[f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        *g = *g / (1.0 + exp(-*g)) * u;
    }
}
