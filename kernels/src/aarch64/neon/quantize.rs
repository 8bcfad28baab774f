//! Twin of [`crate::scalar::quantize`].

use core::arch::aarch64::{
    int8x16_t, int32x4_t, vabsq_f32, vaddlvq_s8, vaddq_s32, vceqq_f32, vcombine_s8, vcombine_s16,
    vcvtaq_s32_f32, vcvtnq_s32_f32, vdupq_n_f32, vdupq_n_s8, vdupq_n_s32, vdupq_n_u32, vmaxq_s8,
    vmaxq_s32, vmaxvq_s32, vmaxvq_u32, vmulq_n_f32, vorrq_u32, vqmovn_s16, vqmovn_s32,
    vreinterpretq_s32_f32,
};

use crate::{
    aarch64::load,
    activations::{ActRowsMut, ActType},
    block::{QK, QK_K},
};

/// Twin of [`crate::scalar::quantize::quantize`].
#[target_feature(enable = "neon")]
pub(crate) fn quantize(x: &[f32], out: &mut ActRowsMut<'_>) {
    match out.ty {
        ActType::F32 | ActType::BF16 => {}
        ActType::Q8_0 | ActType::Q8_1 => blocks_of_32(x, out),
        ActType::Q8_K => super_blocks(x, out),
    }
}

#[target_feature(enable = "neon")]
fn blocks_of_32(x: &[f32], out: &mut ActRowsMut<'_>) {
    let (x, _) = x.as_chunks::<QK>();
    let (qs, _) = out.qs.as_chunks_mut::<QK>();
    for (i, (x, qs)) in x.iter().zip(qs).enumerate() {
        let d = magnitude(x) / 127.0;
        let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
        let mut sum = 0;
        for (x, qs) in x.as_chunks::<16>().0.iter().zip(qs.as_chunks_mut::<16>().0) {
            let q = load::f32x16(x).map(|x| vcvtaq_s32_f32(vmulq_n_f32(x, inverse)));
            let q = narrow(q);
            load::put_i8x16(qs, q);
            sum += vaddlvq_s8(q);
        }
        out.d[i] = d;
        out.sums[i] = sum;
        if let Some(s) = out.s.get_mut(i) {
            *s = f32::from(sum) * d;
        }
    }
}

#[target_feature(enable = "neon")]
fn super_blocks(x: &[f32], out: &mut ActRowsMut<'_>) {
    let (x, _) = x.as_chunks::<QK_K>();
    let (qs, _) = out.qs.as_chunks_mut::<QK_K>();
    let (sums, _) = out.sums.as_chunks_mut::<{ QK_K / 16 }>();
    for (i, (x, qs)) in x.iter().zip(qs).enumerate() {
        let max = largest(x);
        let inverse = if max == 0.0 { 0.0 } else { -127.0 / max };
        let (x, _) = x.as_chunks::<16>();
        for ((x, qs), sum) in x.iter().zip(qs.as_chunks_mut::<16>().0).zip(&mut sums[i]) {
            let q = load::f32x16(x).map(|x| vcvtnq_s32_f32(vmulq_n_f32(x, inverse)));
            let q = narrow(q);
            load::put_i8x16(qs, q);
            *sum = vaddlvq_s8(q);
        }
        out.d[i] = if inverse == 0.0 { 0.0 } else { 1.0 / inverse };
    }
}

/// The number of largest magnitude, the first of them if signs differ; 0 if all are 0 or NaN.
#[inline]
#[target_feature(enable = "neon")]
fn largest(x: &[f32; QK_K]) -> f32 {
    let max = magnitude(x);
    let mut positive = vdupq_n_u32(0);
    let mut negative = positive;
    for x in x.as_chunks::<4>().0 {
        let x = load::f32x4(x);
        positive = vorrq_u32(positive, vceqq_f32(x, vdupq_n_f32(max)));
        negative = vorrq_u32(negative, vceqq_f32(x, vdupq_n_f32(-max)));
    }
    match (vmaxvq_u32(positive) > 0, vmaxvq_u32(negative) > 0) {
        (false, false) => 0.0,
        (true, false) => max,
        (false, true) => -max,
        (true, true) => *x.iter().find(|x| x.abs() == max).unwrap_or(&max),
    }
}

/// The largest magnitude, 0 if there is none but NaN.
///
/// Compared as integers: magnitudes up to infinity keep their order, and `SHIFT` makes just the NaNs
/// negative. (`fmaxnm` lets a signalling NaN win.)
#[inline]
#[target_feature(enable = "neon")]
fn magnitude(x: &[f32]) -> f32 {
    const SHIFT: i32 = i32::MAX - f32::INFINITY.to_bits() as i32;
    let mut max = [vdupq_n_s32(SHIFT); 4];
    for x in x.as_chunks::<16>().0 {
        let x = load::f32x16(x);
        for q in 0..4 {
            let bits = vreinterpretq_s32_f32(vabsq_f32(x[q]));
            max[q] = vmaxq_s32(max[q], vaddq_s32(bits, vdupq_n_s32(SHIFT)));
        }
    }
    let [a, b, c, d] = max;
    let max = vmaxvq_s32(vmaxq_s32(vmaxq_s32(a, b), vmaxq_s32(c, d)));
    f32::from_bits((max - SHIFT) as u32)
}

/// To eight bits: saturated, and never −128.
#[inline]
#[target_feature(enable = "neon")]
fn narrow(v: [int32x4_t; 4]) -> int8x16_t {
    let [a, b, c, d] = v.map(|v| vqmovn_s32(v));
    let low = vqmovn_s16(vcombine_s16(a, b));
    let high = vqmovn_s16(vcombine_s16(c, d));
    vmaxq_s8(vcombine_s8(low, high), vdupq_n_s8(-127))
}
