//! The dot products of the types with blocks of 32, for `R` (1 to 4) rows at a time.
//!
//! What differs between tiers is the product of integers alone, so it is an argument:
//! `dot(acc, w, x)` adds 32 products to the four lanes of `acc`, in any split. A tier calls these
//! from a function with its own features, into which both the loop and the argument are inlined.

use core::arch::aarch64::{
    float32x4_t, int8x16_t, int32x4_t, vaddq_s32, vdupq_n_f32, vdupq_n_s32, vfmaq_n_f32,
};

use super::{lanes, load, unpack};
use crate::{
    activations::ActRow,
    block::{Block, BlockIq4Nl, BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, QK},
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
    blocks::<false, _, _>(w, x, -8, |acc, w, x| dot(acc, unpack::nibbles(&w.qs), x))
}

/// Rows of `Q5_0`; `|w| <= 16`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q5_0<const R: usize>(
    w: [&[BlockQ5_0]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    blocks::<false, _, _>(w, x, 0, |acc, w, x| dot(acc, unpack::fives(&w.qs, w.qh), x))
}

/// Rows of `Q8_0`; any `w`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q8_0<const R: usize>(
    w: [&[BlockQ8_0]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    blocks::<false, _, _>(w, x, 0, |acc, w, x| dot(acc, load::i8x32(&w.qs), x))
}

/// Rows of `IQ4_NL`; any `w`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn iq4_nl<const R: usize>(
    w: [&[BlockIq4Nl]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    blocks::<false, _, _>(w, x, 0, |acc, w, x| dot(acc, unpack::levels(&w.qs), x))
}

/// Rows of `Q4_1`; `|w| <= 15`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q4_1<const R: usize>(
    w: [&[BlockQ4_1]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    blocks::<true, _, _>(w, x, 0, |acc, w, x| dot(acc, unpack::nibbles(&w.qs), x))
}

/// Rows of `Q5_1`; `|w| <= 16`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q5_1<const R: usize>(
    w: [&[BlockQ5_1]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    blocks::<true, _, _>(w, x, 16, |acc, w, x| {
        dot(acc, unpack::fives(&w.qs, w.qh), x)
    })
}

/// Blocks of 32 that start with a scale and, if `MIN`, a minimum; in order.
///
/// `bias` is added to every integer that `dot` unpacks.
#[inline]
#[target_feature(enable = "neon")]
fn blocks<const MIN: bool, const R: usize, B: Block>(
    w: [&[B]; R],
    x: ActRow<'_>,
    bias: i32,
    dot: impl Fn(int32x4_t, &B, Two) -> int32x4_t,
) -> float32x4_t {
    let n = w[0].len();
    let w = w.map(|w| &w[..n]);
    let (qs, dx, sums) = (&x.qs.as_chunks::<QK>().0[..n], &x.d[..n], &x.sums[..n]);
    let s = if MIN { &x.s[..n] } else { dx };
    let mut acc = vdupq_n_f32(0.0);
    for i in 0..n {
        let xs = load::i8x32(&qs[i]);
        let mut parts = [vdupq_n_s32(0); R];
        for r in 0..R {
            parts[r] = dot(parts[r], &w[r][i], xs);
        }
        let bias = vdupq_n_s32(bias * i32::from(sums[i]));
        let [d, m] = lanes::heads(w, i);
        acc = lanes::scaled(acc, d, dx[i], vaddq_s32(lanes::sums(parts), bias));
        if MIN {
            acc = vfmaq_n_f32(acc, m, s[i]);
        }
    }
    acc
}
