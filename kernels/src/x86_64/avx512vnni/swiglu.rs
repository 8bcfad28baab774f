//! Twin of [`scalar::swiglu`](crate::scalar::swiglu).

use core::arch::x86_64::*;

use super::{
    exp::exp,
    load::{load_ps, store_ps},
};
use crate::scalar;

/// Twin of [`scalar::swiglu::swiglu`].
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn swiglu(gate: &mut [f32], up: &[f32]) {
    let (gates, gate_rest) = gate.as_chunks_mut::<16>();
    let (ups, up_rest) = up.as_chunks::<16>();
    for (gate, up) in gates.iter_mut().zip(ups) {
        let g = load_ps(gate);
        let e = exp(_mm512_xor_ps(g, _mm512_set1_ps(-0.0)));
        let silu = _mm512_div_ps(g, _mm512_add_ps(_mm512_set1_ps(1.0), e));
        store_ps(gate, _mm512_mul_ps(silu, load_ps(up)));
    }
    scalar::swiglu::swiglu(gate_rest, up_rest);
}
