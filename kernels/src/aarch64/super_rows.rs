//! The dot products of the types with super-blocks, for `R` (1 to 4) rows at a time.
//!
//! As in [`super::rows`] the product of integers is an argument: `dot(acc, w, x)` adds 32 products to
//! the lanes of `acc`, or 16 for the types with sub-blocks of 16.

use core::arch::aarch64::{
    float32x4_t, int8x16_t, int16x8_t, int32x4_t, uint8x16_t, vaddq_s32, vandq_u8, vcreate_s8,
    vcvtq_f32_s32, vdupq_n_f32, vdupq_n_s32, vdupq_n_u8, vfmsq_f32, vget_low_s8, vget_low_s16,
    vmlal_high_s16, vmlaq_s32, vmovl_high_s8, vmovl_high_s16, vmovl_s8, vmovl_s16, vmull_s16,
    vmulq_n_f32, vpaddq_s16, vreinterpretq_s8_u8, vshlq_n_s32, vshrq_n_u8, vsubq_s32, vuzp1q_s8,
    vuzp2q_s8,
};

use super::{lanes, load, unpack};
use crate::{
    activations::ActRow,
    block::{
        BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4K, BlockQ5K, BlockQ6K, Half, QK, QK_K, SuperBlock,
    },
};

/// 32 integers.
type Two = [int8x16_t; 2];
/// The activations of a super-block, and the sum of every 16 of them.
type Acts<'a> = (&'a [i8; QK_K], &'a [i16; QK_K / 16]);
/// What a super-block gives, each to be summed over the lanes: `Σ scale Σ q x` and `Σ min Σ x`.
type Sums = [int32x4_t; 2];

/// Rows of `Q2_K`; `|w| <= 3`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q2_k<const R: usize>(
    w: [&[BlockQ2K]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, int8x16_t, int8x16_t) -> int32x4_t,
) -> float32x4_t {
    super_blocks(
        w,
        x,
        |w| (w.d, w.dmin),
        |w, (qs, sums)| {
            let both = load::u8x16(&w.scales);
            let scales = signed(vandq_u8(both, vdupq_n_u8(15)));
            let mins = signed(vshrq_n_u8::<4>(both));
            [
                by_16(qs, scales, |h, l| unpack::twos(&w.qs, h, l), &dot),
                times_16(mins, sums),
            ]
        },
    )
}

/// Rows of `Q3_K`; `|w| <= 4`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q3_k<const R: usize>(
    w: [&[BlockQ3K]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, int8x16_t, int8x16_t) -> int32x4_t,
) -> float32x4_t {
    super_blocks(
        w,
        x,
        |w| (w.d, w.d),
        |w, (qs, _)| {
            let scales = unpack::scales_q3_k(&w.scales);
            [
                by_16(qs, scales, |h, l| unpack::threes(w, h, l), &dot),
                vdupq_n_s32(0),
            ]
        },
    )
}

/// Rows of `Q4_K`; `|w| <= 15`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q4_k<const R: usize>(
    w: [&[BlockQ4K]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    super_blocks(
        w,
        x,
        |w| (w.d, w.dmin),
        |w, (qs, sums)| {
            let [scales, mins] = unpack::scales_mins_k4(&w.scales).map(|s| widen(s));
            let (bytes, _) = w.qs.as_chunks::<QK>();
            [
                by_32(qs, scales, |p| unpack::nibbles_k(&bytes[p]), &dot),
                times_32(mins, sums),
            ]
        },
    )
}

/// Rows of `Q5_K`; `|w| <= 16`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q5_k<const R: usize>(
    w: [&[BlockQ5K]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    super_blocks(
        w,
        x,
        |w| (w.d, w.dmin),
        |w, (qs, sums)| {
            let [scales, mins] = unpack::scales_mins_k4(&w.scales).map(|s| widen(s));
            let less_16 = by_32(qs, scales, |p| unpack::fives_k(w, p), &dot);
            [
                vaddq_s32(less_16, vshlq_n_s32::<4>(times_32(scales, sums))),
                times_32(mins, sums),
            ]
        },
    )
}

/// Rows of `Q6_K`; `|w| <= 63`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn q6_k<const R: usize>(
    w: [&[BlockQ6K]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, int8x16_t, int8x16_t) -> int32x4_t,
) -> float32x4_t {
    super_blocks(
        w,
        x,
        |w| (w.d, w.d),
        |w, (qs, sums)| {
            let scales = load::i8x16(&w.scales);
            let plus_32 = by_16(qs, scales, |h, l| unpack::sixes(w, h, l), &dot);
            [
                vsubq_s32(plus_32, vshlq_n_s32::<5>(times_16(scales, sums))),
                vdupq_n_s32(0),
            ]
        },
    )
}

/// Rows of `IQ4_XS`; any `w`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn iq4_xs<const R: usize>(
    w: [&[BlockIq4Xs]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    super_blocks(
        w,
        x,
        |w| (w.d, w.d),
        |w, (qs, _)| {
            let scales = std::array::from_fn(|j| w.scale(j) as u8);
            let scales = widen(u64::from_le_bytes(scales));
            let (bytes, _) = w.qs.as_chunks::<{ QK / 2 }>();
            let pair = |p: usize| {
                [
                    unpack::levels(&bytes[2 * p]),
                    unpack::levels(&bytes[2 * p + 1]),
                ]
            };
            [by_32(qs, scales, pair, &dot), vdupq_n_s32(0)]
        },
    )
}

/// Super-blocks in order. `d_dmin` gives the two scales, of which the second counts only if the type
/// has minimums; `row` gives the sums of one super-block.
#[inline]
#[target_feature(enable = "neon")]
fn super_blocks<const R: usize, B: SuperBlock>(
    w: [&[B]; R],
    x: ActRow<'_>,
    d_dmin: impl Fn(&B) -> (Half, Half),
    row: impl Fn(&B, Acts<'_>) -> Sums,
) -> float32x4_t {
    let n = w[0].len();
    let w = w.map(|w| &w[..n]);
    let qs = &x.qs.as_chunks::<QK_K>().0[..n];
    let sums = &x.sums.as_chunks::<{ QK_K / 16 }>().0[..n];
    let dx = &x.d[..n];
    let mut acc = vdupq_n_f32(0.0);
    for i in 0..n {
        let mut scaled = [vdupq_n_s32(0); R];
        let mut mins = [vdupq_n_s32(0); R];
        let mut d = [Half::default(); R];
        let mut dmin = [Half::default(); R];
        for r in 0..R {
            let w = &w[r][i];
            [scaled[r], mins[r]] = row(w, (&qs[i], &sums[i]));
            (d[r], dmin[r]) = d_dmin(w);
        }
        acc = lanes::scaled(acc, lanes::halves(d), dx[i], lanes::sums(scaled));
        if B::HAS_MIN {
            let dmin = vmulq_n_f32(lanes::halves(dmin), dx[i]);
            acc = vfmsq_f32(acc, dmin, vcvtq_f32_s32(lanes::sums(mins)));
        }
    }
    acc
}

/// `Σ_j scales[j] Σ q x` over 8 sub-blocks of 32; `pair(p)` unpacks sub-blocks `2 p` and `2 p + 1`.
#[inline]
#[target_feature(enable = "neon")]
fn by_32(
    qs: &[i8; QK_K],
    scales: int16x8_t,
    pair: impl Fn(usize) -> [Two; 2],
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> int32x4_t {
    let (qs, _) = qs.as_chunks::<QK>();
    let zero = vdupq_n_s32(0);
    let mut acc = zero;
    for (half, scales) in words(scales).into_iter().enumerate() {
        let ([a, b], [c, d]) = (pair(2 * half), pair(2 * half + 1));
        let x = |j: usize| load::i8x32(&qs[4 * half + j]);
        let parts = [
            dot(zero, a, x(0)),
            dot(zero, b, x(1)),
            dot(zero, c, x(2)),
            dot(zero, d, x(3)),
        ];
        acc = vmlaq_s32(acc, lanes::sums(parts), scales);
    }
    acc
}

/// `Σ_j scales[j] Σ q x` over 16 sub-blocks of 16; `four(h, l)` unpacks sub-blocks `8 h + l + 2 s`
/// for `s` in 0..4.
#[inline]
#[target_feature(enable = "neon")]
fn by_16(
    qs: &[i8; QK_K],
    scales: int8x16_t,
    four: impl Fn(usize, usize) -> [int8x16_t; 4],
    dot: impl Fn(int32x4_t, int8x16_t, int8x16_t) -> int32x4_t,
) -> int32x4_t {
    let (qs, _) = qs.as_chunks::<16>();
    let zero = vdupq_n_s32(0);
    let [even, odd] = [vuzp1q_s8(scales, scales), vuzp2q_s8(scales, scales)];
    let scales = [
        words(vmovl_s8(vget_low_s8(even))),
        words(vmovl_s8(vget_low_s8(odd))),
    ];
    let mut acc = zero;
    for h in 0..2 {
        for l in 0..2 {
            let [a, b, c, d] = four(h, l);
            let x = |s: usize| load::i8x16(&qs[8 * h + l + 2 * s]);
            let parts = [
                dot(zero, a, x(0)),
                dot(zero, b, x(1)),
                dot(zero, c, x(2)),
                dot(zero, d, x(3)),
            ];
            acc = vmlaq_s32(acc, lanes::sums(parts), scales[l][h]);
        }
    }
    acc
}

/// `Σ_j m[j] Σ x` over 16 sub-blocks of 16.
#[inline]
#[target_feature(enable = "neon")]
fn times_16(m: int8x16_t, sums: &[i16; 16]) -> int32x4_t {
    let (sums, _) = sums.as_chunks::<8>();
    let low = times(vmovl_s8(vget_low_s8(m)), load::i16x8(&sums[0]));
    vaddq_s32(low, times(vmovl_high_s8(m), load::i16x8(&sums[1])))
}

/// `Σ_j m[j] Σ x` over 8 sub-blocks of 32.
#[inline]
#[target_feature(enable = "neon")]
fn times_32(m: int16x8_t, sums: &[i16; 16]) -> int32x4_t {
    let (sums, _) = sums.as_chunks::<8>();
    times(m, vpaddq_s16(load::i16x8(&sums[0]), load::i16x8(&sums[1])))
}

#[inline]
#[target_feature(enable = "neon")]
fn times(a: int16x8_t, b: int16x8_t) -> int32x4_t {
    vmlal_high_s16(vmull_s16(vget_low_s16(a), vget_low_s16(b)), a, b)
}

/// Eight signed bytes, the lowest first.
#[inline]
#[target_feature(enable = "neon")]
fn widen(bytes: u64) -> int16x8_t {
    vmovl_s8(vcreate_s8(bytes))
}

#[inline]
#[target_feature(enable = "neon")]
fn words(v: int16x8_t) -> [int32x4_t; 2] {
    [vmovl_s16(vget_low_s16(v)), vmovl_high_s16(v)]
}

#[inline]
#[target_feature(enable = "neon")]
fn signed(v: uint8x16_t) -> int8x16_t {
    vreinterpretq_s8_u8(v)
}
