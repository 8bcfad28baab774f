//! Twin of [`crate::scalar::softmax`].

use core::arch::aarch64::{
    float32x4_t, vaddq_f32, vbslq_f32, vceqq_f32, vdupq_n_f32, vmaxnmq_f32, vmaxnmvq_f32, vsubq_f32,
};

use super::exp::exp;
use crate::{
    aarch64::load,
    scalar::{
        self,
        reduce::{LANES, reduce},
    },
};

/// Twin of [`scalar::softmax::softmax_part`].
#[target_feature(enable = "neon")]
pub(crate) fn softmax_part(x: &mut [f32]) -> (f32, f32) {
    let max = max(x);
    if max == f32::NEG_INFINITY {
        x.fill(0.0);
        return (max, 0.0);
    }
    let (chunks, tail) = x.as_chunks_mut::<LANES>();
    let mut sums = [vdupq_n_f32(0.0); 4];
    for chunk in chunks {
        let mut v = load::f32x16(chunk);
        for q in 0..4 {
            v[q] = exp(vsubq_f32(v[q], vdupq_n_f32(max)));
            sums[q] = vaddq_f32(sums[q], v[q]);
        }
        load::put_f32x16(chunk, v);
    }
    let mut lanes = [0.0; LANES];
    load::put_f32x16(&mut lanes, sums);
    for (lane, x) in lanes.iter_mut().zip(tail) {
        *x = scalar::exp::exp(*x - max);
        *lane += *x;
    }
    (max, reduce(lanes))
}

/// The largest number, −∞ if there is none.
#[inline]
#[target_feature(enable = "neon")]
fn max(x: &[f32]) -> f32 {
    let (chunks, tail) = x.as_chunks::<LANES>();
    let mut max = [vdupq_n_f32(f32::NEG_INFINITY); 4];
    for chunk in chunks {
        let v = load::f32x16(chunk);
        for q in 0..4 {
            max[q] = larger(max[q], v[q]);
        }
    }
    let [a, b, c, d] = max;
    let max = vmaxnmvq_f32(larger(larger(a, b), larger(c, d)));
    tail.iter().copied().fold(max, f32::max)
}

/// The larger number in each lane, `max` where `x` is NaN: `fmaxnm` alone lets a signalling NaN win.
#[inline]
#[target_feature(enable = "neon")]
fn larger(max: float32x4_t, x: float32x4_t) -> float32x4_t {
    vmaxnmq_f32(max, vbslq_f32(vceqq_f32(x, x), x, max))
}
