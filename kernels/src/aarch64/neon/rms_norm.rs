//! Twin of [`crate::scalar::rms_norm`].

use core::arch::aarch64::{vdupq_n_f32, vfmaq_f32, vmulq_f32, vmulq_n_f32};

use crate::{
    aarch64::load,
    scalar::reduce::{LANES, reduce},
};

/// Twin of [`crate::scalar::rms_norm::rms_norm`].
#[target_feature(enable = "neon")]
pub(crate) fn rms_norm(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) {
    let mean = squares(x) / x.len() as f32;
    let scale = 1.0 / (mean + eps).sqrt();
    let (xs, x_tail) = x.as_chunks::<4>();
    let (ws, w_tail) = w.as_chunks::<4>();
    let (ys, y_tail) = y.as_chunks_mut::<4>();
    for ((y, x), w) in ys.iter_mut().zip(xs).zip(ws) {
        let scaled = vmulq_n_f32(load::f32x4(x), scale);
        load::put_f32x4(y, vmulq_f32(scaled, load::f32x4(w)));
    }
    for ((y, x), w) in y_tail.iter_mut().zip(x_tail).zip(w_tail) {
        *y = x * scale * w;
    }
}

/// `Σ x²` in the strided lanes.
#[inline]
#[target_feature(enable = "neon")]
fn squares(x: &[f32]) -> f32 {
    let (chunks, tail) = x.as_chunks::<LANES>();
    let mut sums = [vdupq_n_f32(0.0); 4];
    for chunk in chunks {
        let v = load::f32x16(chunk);
        for q in 0..4 {
            sums[q] = vfmaq_f32(sums[q], v[q], v[q]);
        }
    }
    let mut lanes = [0.0; LANES];
    load::put_f32x16(&mut lanes, sums);
    for (lane, x) in lanes.iter_mut().zip(tail) {
        *lane = x.mul_add(*x, *lane);
    }
    reduce(lanes)
}
