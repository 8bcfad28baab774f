//! Twin of [`crate::scalar::swiglu`].

use core::arch::aarch64::{vaddq_f32, vdivq_f32, vdupq_n_f32, vmulq_f32, vnegq_f32};

use super::exp::exp;
use crate::{aarch64::load, scalar};

/// Twin of [`scalar::swiglu::swiglu`].
#[target_feature(enable = "neon")]
pub(crate) fn swiglu(gate: &mut [f32], up: &[f32]) {
    let (gates, gate_tail) = gate.as_chunks_mut::<4>();
    let (ups, up_tail) = up.as_chunks::<4>();
    for (gate, up) in gates.iter_mut().zip(ups) {
        let g = load::f32x4(gate);
        let silu = vdivq_f32(g, vaddq_f32(vdupq_n_f32(1.0), exp(vnegq_f32(g))));
        load::put_f32x4(gate, vmulq_f32(silu, load::f32x4(up)));
    }
    scalar::swiglu::swiglu(gate_tail, up_tail);
}
