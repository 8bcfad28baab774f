//! Twin of [`crate::scalar::exp`].

use core::arch::aarch64::{
    float32x4_t, vaddq_f32, vaddq_s32, vbicq_u32, vcltq_f32, vcvtq_s32_f32, vdupq_n_f32,
    vdupq_n_s32, vfmaq_f32, vfmsq_f32, vminq_f32, vmulq_f32, vmulq_n_f32, vreinterpretq_f32_s32,
    vreinterpretq_f32_u32, vreinterpretq_u32_f32, vrndnq_f32, vshlq_n_s32,
};

use crate::scalar::exp::{EXP_HIGH, EXP_LOW, EXP_POLY, LN2_HIGH, LN2_LOW};

/// `e^x` in each lane; `fmin` keeps NaN.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn exp(x: float32x4_t) -> float32x4_t {
    let low = vcltq_f32(x, vdupq_n_f32(EXP_LOW));
    let x = vminq_f32(x, vdupq_n_f32(EXP_HIGH));
    let n = vrndnq_f32(vmulq_n_f32(x, std::f32::consts::LOG2_E));
    let r = vfmsq_f32(x, n, vdupq_n_f32(LN2_HIGH));
    let r = vfmsq_f32(r, n, vdupq_n_f32(LN2_LOW));
    let mut p = vdupq_n_f32(EXP_POLY[0]);
    for c in &EXP_POLY[1..] {
        p = vfmaq_f32(vdupq_n_f32(*c), p, r);
    }
    let y = vaddq_f32(vfmaq_f32(r, p, vmulq_f32(r, r)), vdupq_n_f32(1.0));
    let power = vshlq_n_s32::<23>(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)));
    let y = vmulq_f32(y, vreinterpretq_f32_s32(power));
    vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(y), low))
}
