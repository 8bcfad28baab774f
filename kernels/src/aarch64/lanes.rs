//! Four rows in the lanes of one register.

use core::arch::aarch64::{
    float32x4_t, int8x16_t, int32x4_t, vcvtq_f32_s32, vdupq_n_s32, vfmaq_f32, vgetq_lane_f32,
    vmulq_n_f32, vpaddq_s32, vreinterpretq_f32_s32, vreinterpretq_s8_s64, vreinterpretq_s32_f32,
    vreinterpretq_s32_s64, vreinterpretq_s64_s8, vreinterpretq_s64_s32, vzip1q_s32, vzip1q_s64,
    vzip2q_s32, vzip2q_s64,
};

use super::load;
use crate::{
    activations::{ActRow, ActRows},
    block::{Block, Half},
    tile::TileMut,
};

/// `y[r] = row r · x`, four rows a step and the last few one by one.
///
/// `four` gives the results of four rows, `one` that of one row in lane 0.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn gemv<B: Block>(
    w: &[B],
    x: ActRow<'_>,
    y: &mut [f32],
    four: impl Fn([&[B]; 4], ActRow<'_>) -> float32x4_t,
    one: impl Fn([&[B]; 1], ActRow<'_>) -> float32x4_t,
) {
    if w.is_empty() {
        y.fill(0.0);
        return;
    }
    let k = w.len() / y.len();
    let mut w = w;
    let (quads, rest) = y.as_chunks_mut::<4>();
    for y in quads {
        let (head, tail) = w.split_at(4 * k);
        let rows = std::array::from_fn(|r| &head[r * k..(r + 1) * k]);
        load::put_f32x4(y, four(rows, x));
        w = tail;
    }
    for (w, y) in w.chunks_exact(k).zip(rest) {
        *y = first(one([w], x));
    }
}

/// Lane 0.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn first(v: float32x4_t) -> f32 {
    vgetq_lane_f32::<0>(v)
}

/// Lane `r` is the sum of the four lanes of `v[r]`, 0 beyond the `R` rows there are.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn sums<const R: usize>(v: [int32x4_t; R]) -> int32x4_t {
    let mut all = [vdupq_n_s32(0); 4];
    for r in 0..R {
        all[r] = v[r];
    }
    let [a, b, c, d] = all;
    vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d))
}

/// One step of every row: `acc + w * x * sum`, where `w` are the rows' scales and `x` is the vector's.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn scaled(acc: float32x4_t, w: float32x4_t, x: f32, sum: int32x4_t) -> float32x4_t {
    vfmaq_f32(acc, vmulq_n_f32(w, x), vcvtq_f32_s32(sum))
}

/// The four lanes of each of four registers, exchanged: lane `r` of register `i` is lane `i` of register `r`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn transposed([a, b, c, d]: [int32x4_t; 4]) -> [int32x4_t; 4] {
    let (ac, bd) = (vzip1q_s32(a, c), vzip1q_s32(b, d));
    let (ac_high, bd_high) = (vzip2q_s32(a, c), vzip2q_s32(b, d));
    [
        vzip1q_s32(ac, bd),
        vzip2q_s32(ac, bd),
        vzip1q_s32(ac_high, bd_high),
        vzip2q_s32(ac_high, bd_high),
    ]
}

/// As [`transposed`].
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn transposed_f32(v: [float32x4_t; 4]) -> [float32x4_t; 4] {
    transposed(v.map(|v| vreinterpretq_s32_f32(v))).map(|v| vreinterpretq_f32_s32(v))
}

/// The low halves of both, then the high halves.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn pairs(a: int8x16_t, b: int8x16_t) -> [int8x16_t; 2] {
    let (a, b) = (vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b));
    [vzip1q_s64(a, b), vzip2q_s64(a, b)].map(|v| vreinterpretq_s8_s64(v))
}

/// One number of each row in `Q` registers, as [`super::panel`] lays them: itself, or lanes 0 1 0 1 and 2 3 2 3.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn laid<const Q: usize>(rows: int32x4_t) -> [int32x4_t; Q] {
    let mut laid = [rows; Q];
    if let [low, high] = laid.as_mut_slice() {
        let pairs = vreinterpretq_s64_s32(rows);
        *low = vreinterpretq_s32_s64(vzip1q_s64(pairs, pairs));
        *high = vreinterpretq_s32_s64(vzip2q_s64(pairs, pairs));
    }
    laid
}

/// The first two halves of each row's block `i`, converted; without meaning beyond the `R` rows.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn heads<const R: usize, B: Block>(w: [&[B]; R], i: usize) -> [float32x4_t; 2] {
    let mut heads = [&bytemuck::bytes_of(&w[0][i]).as_chunks().0[0]; 4];
    for r in 1..R {
        heads[r] = &bytemuck::bytes_of(&w[r][i]).as_chunks().0[0];
    }
    load::heads(heads)
}

/// The `R` rows' halves, converted; 0 beyond.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn halves<const R: usize>(h: [Half; R]) -> float32x4_t {
    let mut all = [0.0; 4];
    for r in 0..R {
        all[r] = load::half(h[r]);
    }
    load::f32x4(&all)
}

/// `y[t][r] = row r · x[t]`: four rows stay in the cache while every vector passes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn gemm<B: Block>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    four: impl Fn([&[B]; 4], ActRow<'_>) -> float32x4_t,
    one: impl Fn([&[B]; 1], ActRow<'_>) -> float32x4_t,
) {
    if y.m() == 0 {
        return;
    }
    let k = w.len() / y.m();
    for first in (0..y.m()).step_by(4) {
        let n = (y.m() - first).min(4);
        let w = &w[first * k..(first + n) * k];
        for t in 0..y.n() {
            gemv(w, x.row(t), &mut y.row(t)[first..first + n], &four, &one);
        }
    }
}
