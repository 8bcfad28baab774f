//! Twin of [`crate::scalar::rope`].

use core::arch::aarch64::{float32x4x2_t, vfmaq_f32, vmulq_f32, vnegq_f32};

use crate::{aarch64::load, scalar};

/// Twin of [`scalar::rope::rope`].
#[target_feature(enable = "neon")]
pub(crate) fn rope(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (x, tail) = x.split_at_mut(2 * cos.len() / 8 * 8);
    let (cos, cos_tail) = cos.as_chunks::<4>();
    let (sin, sin_tail) = sin.as_chunks::<4>();
    for ((x, c), s) in x.as_chunks_mut::<8>().0.iter_mut().zip(cos).zip(sin) {
        let float32x4x2_t(a, b) = load::f32_pairs(x);
        let (c, s) = (load::f32x4(c), load::f32x4(s));
        let first = vfmaq_f32(vnegq_f32(vmulq_f32(b, s)), a, c);
        let second = vfmaq_f32(vmulq_f32(b, c), a, s);
        load::put_f32_pairs(x, float32x4x2_t(first, second));
    }
    scalar::rope::rope(tail, cos_tail, sin_tail);
}
