//! The dot products of `Q4_K` and `Q5_K`, for `R` (1 to 4) rows at a time, with rows in lanes throughout.
//!
//! Both start with 16 bytes of scales: exchanged, the same bytes of four rows lie in one register, are
//! unpacked together, and meet the vector's sums by `sdot`.

use core::arch::aarch64::{
    float32x4_t, int8x16_t, int32x4_t, uint8x16_t, uint32x4_t, vandq_u8, vcvt_f32_f16,
    vcvtq_f32_s32, vdupq_n_f32, vdupq_n_s32, vdupq_n_u8, vfmsq_f32, vmlaq_s32, vmovn_u32,
    vmulq_n_f32, vqtbl1q_u8, vreinterpret_f16_u16, vreinterpretq_s8_u8, vreinterpretq_s32_u8,
    vreinterpretq_u8_s32, vreinterpretq_u32_s32, vshlq_n_s32, vshrn_n_u32, vshrq_n_u8, vsliq_n_u8,
};

use super::dot::dot_lane;
use crate::{
    aarch64::{
        lanes, load,
        panel::{SPLIT, split},
        unpack,
    },
    activations::ActRow,
    block::{BlockQ4K, BlockQ5K, QK, QK_K, SuperBlock},
};

/// 32 integers.
type Two = [int8x16_t; 2];

/// Rows of `Q4_K`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(in crate::aarch64) fn q4_k<const R: usize>(
    w: [&[BlockQ4K]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    super_blocks::<0, R, _>(
        w,
        x,
        |w, p| unpack::nibbles_k(&w.qs.as_chunks::<QK>().0[p]),
        dot,
    )
}

/// Rows of `Q5_K`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(in crate::aarch64) fn q5_k<const R: usize>(
    w: [&[BlockQ5K]; R],
    x: ActRow<'_>,
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    super_blocks::<4, R, _>(w, x, |w, p| unpack::fives_k(w, p), dot)
}

/// Super-blocks in order; `pair` unpacks sub-blocks `2 p` and `2 p + 1`, less `2^LESS` if that is not 1.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn super_blocks<const LESS: i32, const R: usize, B: SuperBlock>(
    w: [&[B]; R],
    x: ActRow<'_>,
    pair: impl Fn(&B, usize) -> [Two; 2],
    dot: impl Fn(int32x4_t, Two, Two) -> int32x4_t,
) -> float32x4_t {
    let n = w[0].len();
    let w = w.map(|w| &w[..n]);
    let qs = &x.qs.as_chunks::<QK_K>().0[..n];
    let sums = &x.sums.as_chunks::<{ QK_K / 16 }>().0[..n];
    let dx = &x.d[..n];
    let zero = vdupq_n_s32(0);
    let mut acc = vdupq_n_f32(0.0);
    for i in 0..n {
        let mut heads = [zero; 4];
        for r in 0..R {
            let bytes = bytemuck::bytes_of(&w[r][i]);
            heads[r] = vreinterpretq_s32_u8(load::u8x16(&bytes.as_chunks().0[0]));
        }
        let (both, scales, mins) = unpacked(heads);
        let xsums = split::<B>(&sums[i]);

        let (xs, _) = qs[i].as_chunks::<QK>();
        let mut total = zero;
        if LESS > 0 {
            total = vshlq_n_s32::<LESS>(products(scales, xsums));
        }
        for p in 0..QK_K / QK / 2 {
            let [xa, xb] = [load::i8x32(&xs[2 * p]), load::i8x32(&xs[2 * p + 1])];
            let (mut a, mut b) = ([zero; R], [zero; R]);
            for r in 0..R {
                let [wa, wb] = pair(&w[r][i], p);
                a[r] = dot(a[r], wa, xa);
                b[r] = dot(b[r], wb, xb);
            }
            let scales = scales[p / 2];
            let [sa, sb] = [2 * p % 4, 2 * p % 4 + 1].map(|j| byte(scales, j));
            total = vmlaq_s32(total, lanes::sums(a), sa);
            total = vmlaq_s32(total, lanes::sums(b), sb);
        }
        let [d, dmin] = halves(both);
        acc = lanes::scaled(acc, d, dx[i], total);
        let min = vcvtq_f32_s32(products(mins, xsums));
        acc = vfmsq_f32(acc, vmulq_n_f32(dmin, dx[i]), min);
    }
    acc
}

/// A byte of each sub-block of each row: of a row four in a lane, and the next four in the next register.
type Bytes = [uint8x16_t; 2];

/// From the first 16 bytes of each row's super-block: both halves of each, scales, minimums.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn unpacked(heads: [int32x4_t; 4]) -> (uint32x4_t, Bytes, Bytes) {
    let [both, a, b, c] = lanes::transposed(heads);
    let [a, b, c] = [a, b, c].map(|v| vreinterpretq_u8_s32(v));
    let six = |v| vandq_u8(v, vdupq_n_u8(0x3f));
    // Bits 4.. are replaced by the top two of the other: nothing is masked.
    let with = |low, top| vsliq_n_u8::<4>(low, vshrq_n_u8::<6>(top));
    (
        vreinterpretq_u32_s32(both),
        [six(a), with(c, a)],
        [six(b), with(vshrq_n_u8::<4>(c), b)],
    )
}

/// The low and the high half of each row, converted.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn halves(both: uint32x4_t) -> [float32x4_t; 2] {
    [vmovn_u32(both), vshrn_n_u32::<16>(both)].map(|h| vcvt_f32_f16(vreinterpret_f16_u16(h)))
}

/// Byte `j` of each row, `j < 4`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn byte(bytes: uint8x16_t, j: usize) -> int32x4_t {
    // A place beyond the register gives 0.
    const PLACES: [[u8; 16]; 4] = {
        let mut places = [[255; 16]; 4];
        let mut i = 0;
        while i < 16 {
            places[i % 4][i / 4 * 4] = i as u8;
            i += 1;
        }
        places
    };
    let byte = vqtbl1q_u8(bytes, load::u8x16(&PLACES[j]));
    vreinterpretq_s32_u8(byte)
}

/// `Σ_j bytes[j] Σ x` of each row, from the sums as [`split`] gives them.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn products(bytes: Bytes, [high, low]: [int8x16_t; 2]) -> int32x4_t {
    let [a, b] = bytes.map(|v| vreinterpretq_s8_u8(v));
    let sum = dot_lane::<1>(dot_lane::<0>(vdupq_n_s32(0), a, high), b, high);
    let sum = vshlq_n_s32::<SPLIT>(sum);
    dot_lane::<1>(dot_lane::<0>(sum, a, low), b, low)
}
