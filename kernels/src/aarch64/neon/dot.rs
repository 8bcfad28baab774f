//! Products of integers without the dot-product extension: 8 x 8 to 16 bits, added while they fit.

use core::arch::aarch64::{
    int8x16_t, int16x8_t, int32x4_t, vget_low_s8, vmlal_high_s8, vmlal_s8, vmull_s8, vpadalq_s16,
};

/// Adds 32 products to the lanes of `acc`; `|w| <= 63`, so that four fit 16 bits (4 * 63 * 127).
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn dot_narrow(acc: int32x4_t, w: [int8x16_t; 2], x: [int8x16_t; 2]) -> int32x4_t {
    let four = vmlal_s8(pairs(w[0], x[0]), vget_low_s8(w[1]), vget_low_s8(x[1]));
    vpadalq_s16(acc, vmlal_high_s8(four, w[1], x[1]))
}

/// Adds 32 products to the lanes of `acc`; any `w`: two fit 16 bits (2 * 128 * 127).
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn dot(acc: int32x4_t, w: [int8x16_t; 2], x: [int8x16_t; 2]) -> int32x4_t {
    dot_16(dot_16(acc, w[0], x[0]), w[1], x[1])
}

/// Adds 16 products to the lanes of `acc`; any `w`.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn dot_16(acc: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    vpadalq_s16(acc, pairs(w, x))
}

/// `w[i] * x[i] + w[i + 8] * x[i + 8]`.
#[inline]
#[target_feature(enable = "neon")]
fn pairs(w: int8x16_t, x: int8x16_t) -> int16x8_t {
    vmlal_high_s8(vmull_s8(vget_low_s8(w), vget_low_s8(x)), w, x)
}
