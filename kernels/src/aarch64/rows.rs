//! The dot products of the types with blocks of 32, for `R` (1 to 4) rows at a time.
//!
//! What differs between tiers is the product of integers alone, so it is an argument:
//! `dot(acc, w, x)` adds 32 products to the four lanes of `acc`, in any split. A tier calls these
//! from a function with its own features, into which both the loop and the argument are inlined.

use core::arch::aarch64::{float32x4_t, int8x16_t, int32x4_t, vdupq_n_f32, vdupq_n_s32, vfmaq_f32};

use super::{lanes, load, unpack};
use crate::{
    activations::ActRow,
    block::{Block, BlockIq4Nl, BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, Half, QK},
};

/// 32 integers.
type Two = [int8x16_t; 2];

/// Rows of `Q4_0`; `|w| <= 15`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q4_0<const R: usize>(
    w: [&[BlockQ4_0]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    scaled(
        w,
        x,
        -8,
        |w| w.d,
        |acc, w, x| dot(acc, unpack::nibbles(&w.qs), x),
    )
}

/// Rows of `Q5_0`; `|w| <= 16`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q5_0<const R: usize>(
    w: [&[BlockQ5_0]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    scaled(
        w,
        x,
        0,
        |w| w.d,
        |acc, w, x| dot(acc, unpack::fives(&w.qs, w.qh), x),
    )
}

/// Rows of `Q8_0`; any `w`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q8_0<const R: usize>(
    w: [&[BlockQ8_0]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    scaled(
        w,
        x,
        0,
        |w| w.d,
        |acc, w, x| dot(acc, load::i8x32(&w.qs), x),
    )
}

/// Rows of `IQ4_NL`; any `w`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn iq4_nl<const R: usize>(
    w: [&[BlockIq4Nl]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    scaled(
        w,
        x,
        0,
        |w| w.d,
        |acc, w, x| dot(acc, unpack::levels(&w.qs), x),
    )
}

/// Rows of `Q4_1`; `|w| <= 15`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q4_1<const R: usize>(
    w: [&[BlockQ4_1]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    scaled_min(
        w,
        x,
        0,
        |w| (w.d, w.m),
        |acc, w, x| dot(acc, unpack::nibbles(&w.qs), x),
    )
}

/// Rows of `Q5_1`; `|w| <= 16`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q5_1<const R: usize>(
    w: [&[BlockQ5_1]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    scaled_min(
        w,
        x,
        16,
        |w| (w.d, w.m),
        |acc, w, x| dot(acc, unpack::fives(&w.qs, w.qh), x),
    )
}

/// Blocks of 32 with a scale. `bias`, a multiple of 4, is added to every integer that `dot` unpacks.
#[inline]
#[target_feature(enable = "neon")]
fn scaled<const R: usize, B: Block>(
    w: [&[B]; R],
    x: ActRow<'_>,
    bias: i32,
    d: impl Fn(&B) -> Half,
    dot: impl Fn(int32x4_t, &B, Two) -> int32x4_t,
) -> float32x4_t {
    let n = w[0].len();
    let w = w.map(|w| &w[..n]);
    let (qs, dx, sums) = (&x.qs.as_chunks::<QK>().0[..n], &x.d[..n], &x.sums[..n]);
    let mut acc = vdupq_n_f32(0.0);
    for i in 0..n {
        let xs = load::i8x32(&qs[i]);
        let start = vdupq_n_s32(bias / 4 * i32::from(sums[i]));
        let mut parts = [start; R];
        let mut dw = [Half::default(); R];
        for r in 0..R {
            parts[r] = dot(start, &w[r][i], xs);
            dw[r] = d(&w[r][i]);
        }
        acc = lanes::scaled(acc, lanes::halves(dw), dx[i], lanes::sums(parts));
    }
    acc
}

/// Blocks of 32 with a scale and a minimum; `bias` as in [`scaled`].
#[inline]
#[target_feature(enable = "neon")]
fn scaled_min<const R: usize, B: Block>(
    w: [&[B]; R],
    x: ActRow<'_>,
    bias: i32,
    d_m: impl Fn(&B) -> (Half, Half),
    dot: impl Fn(int32x4_t, &B, Two) -> int32x4_t,
) -> float32x4_t {
    let n = w[0].len();
    let w = w.map(|w| &w[..n]);
    let (qs, sums) = (&x.qs.as_chunks::<QK>().0[..n], &x.sums[..n]);
    let (dx, s) = (&x.d[..n], &x.s[..n]);
    let mut acc = vdupq_n_f32(0.0);
    for i in 0..n {
        let xs = load::i8x32(&qs[i]);
        let start = vdupq_n_s32(bias / 4 * i32::from(sums[i]));
        let mut parts = [start; R];
        let mut dw = [Half::default(); R];
        let mut m = [Half::default(); R];
        for r in 0..R {
            parts[r] = dot(start, &w[r][i], xs);
            (dw[r], m[r]) = d_m(&w[r][i]);
        }
        acc = lanes::scaled(acc, lanes::halves(dw), dx[i], lanes::sums(parts));
        acc = vfmaq_f32(acc, lanes::halves(m), vdupq_n_f32(s[i]));
    }
    acc
}
