//! Products of integers by `sdot`, in inline assembly while `vdotq_s32` is unstable.

use core::arch::{
    aarch64::{int8x16_t, int32x4_t},
    asm,
};

/// Adds 32 products to the lanes of `acc`; any `w`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(in crate::aarch64) fn dot(acc: int32x4_t, w: [int8x16_t; 2], x: [int8x16_t; 2]) -> int32x4_t {
    dot_16(dot_16(acc, w[0], x[0]), w[1], x[1])
}

/// Adds 16 products to the lanes of `acc`; any `w`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(in crate::aarch64) fn dot_16(mut acc: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: works on registers alone; the feature is enabled on this function.
    unsafe {
        asm!("sdot {0:v}.4s, {1:v}.16b, {2:v}.16b", inout(vreg) acc, in(vreg) w, in(vreg) x,
             options(pure, nomem, nostack, preserves_flags));
    }
    acc
}

/// Adds to lane `r` of `acc` the products of weights `4 r ..` with activations `4 LANE ..`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(in crate::aarch64) fn dot_lane<const LANE: usize>(
    mut acc: int32x4_t,
    w: int8x16_t,
    x: int8x16_t,
) -> int32x4_t {
    // SAFETY: works on registers alone; the feature is enabled on this function.
    unsafe {
        asm!("sdot {0:v}.4s, {1:v}.16b, {2:v}.4b[{lane}]", inout(vreg) acc, in(vreg) w, in(vreg) x,
             lane = const LANE, options(pure, nomem, nostack, preserves_flags));
    }
    acc
}
