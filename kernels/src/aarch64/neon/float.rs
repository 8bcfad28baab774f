//! Rows of floats times one vector of floats.
//!
//! Each row has the 16 strided lanes of [`crate::scalar::reduce`] in four registers.

use core::arch::aarch64::{
    float32x4_t, vaddq_f32, vcvt_f32_f16, vcvt_high_f32_f16, vdupq_n_f32, vfmaq_f32, vget_low_u16,
    vreinterpret_f16_u16, vreinterpretq_f16_u16, vreinterpretq_f32_u8, vreinterpretq_f32_u32,
    vreinterpretq_u16_u8, vshll_high_n_u16, vshll_n_u16,
};

use crate::{
    aarch64::{lanes, load},
    activations::{ActRow, ActRows},
    block::{Block, BlockBf16, BlockF16, BlockF32},
    scalar::reduce::{LANES, reduce},
    tile::TileMut,
};

/// 16 numbers.
type Lanes = [float32x4_t; 4];

/// Rows of `F32`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn f32<const R: usize>(w: [&[BlockF32]; R], x: ActRow<'_>) -> float32x4_t {
    rows(w, x.f, |w| w.to_f32(), |w| load_f32(w))
}

/// Rows of `F16`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn f16<const R: usize>(w: [&[BlockF16]; R], x: ActRow<'_>) -> float32x4_t {
    rows(w, x.f, |w| load::half(w), |w| load_f16(w))
}

/// Rows of `BF16`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn bf16<const R: usize>(w: [&[BlockBf16]; R], x: ActRow<'_>) -> float32x4_t {
    rows(w, x.f, |w| w.to_f32(), |w| load_bf16(w))
}

/// Stamps the GEMM of a type of floats.
macro_rules! gemms {
    ($($name:ident($block:ty) = $one:expr, $many:expr;)*) => {$(
        #[inline]
        #[target_feature(enable = "neon")]
        pub(super) fn $name(w: &[$block], x: ActRows<'_>, y: &mut TileMut<'_>) {
            gemm(w, x, y, $one, $many);
        }
    )*};
}
gemms! {
    gemm_f32(BlockF32) = |w| w.to_f32(), |w| load_f32(w);
    gemm_f16(BlockF16) = |w| load::half(w), |w| load_f16(w);
    gemm_bf16(BlockBf16) = |w| w.to_f32(), |w| load_bf16(w);
}

#[inline]
#[target_feature(enable = "neon")]
fn rows<const R: usize, B: Block>(
    w: [&[B]; R],
    x: &[f32],
    one: impl Fn(B) -> f32,
    many: impl Fn(&[B; LANES]) -> Lanes,
) -> float32x4_t {
    let (xs, x_tail) = x.as_chunks::<LANES>();
    let n = xs.len();
    let chunks = w.map(|w| &w.as_chunks::<LANES>().0[..n]);
    let mut acc = [[vdupq_n_f32(0.0); 4]; R];
    for i in 0..n {
        let x = load::f32x16(&xs[i]);
        for r in 0..R {
            let w = many(&chunks[r][i]);
            for q in 0..4 {
                acc[r][q] = vfmaq_f32(acc[r][q], w[q], x[q]);
            }
        }
    }
    let mut sums = [0.0; 4];
    for r in 0..R {
        let mut lanes = [0.0; LANES];
        load::put_f32x16(&mut lanes, acc[r]);
        for ((lane, w), x) in lanes.iter_mut().zip(&w[r][n * LANES..]).zip(x_tail) {
            *lane = one(*w).mul_add(*x, *lane);
        }
        sums[r] = reduce(lanes);
    }
    load::f32x4(&sums)
}

/// Rows in fours times several vectors: what a row's weights are converted to serves up to four vectors.
///
/// Rows beyond the last four are left.
#[inline]
#[target_feature(enable = "neon")]
fn gemm<B: Block>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    one: impl Fn(B) -> f32,
    many: impl Fn(&[B; LANES]) -> Lanes,
) {
    let k = x.k();
    for (first, w) in (0..).step_by(4).zip(w.chunks_exact(4 * k)) {
        let w: [&[B]; 4] = std::array::from_fn(|r| &w[r * k..(r + 1) * k]);
        let mut t = 0;
        while t < y.n() {
            let x = &x.all.f[t * k..];
            t += match y.n() - t {
                4.. => tile::<4, B>(w, x, y, [t, first], &one, &many),
                2.. => tile::<2, B>(w, x, y, [t, first], &one, &many),
                _ => tile::<1, B>(w, x, y, [t, first], &one, &many),
            };
        }
    }
}

/// Four rows times the first `V` vectors of `x`, to token and output `at`; returns `V`.
#[inline]
#[target_feature(enable = "neon")]
fn tile<const V: usize, B: Block>(
    w: [&[B]; 4],
    x: &[f32],
    y: &mut TileMut<'_>,
    at: [usize; 2],
    one: &impl Fn(B) -> f32,
    many: &impl Fn(&[B; LANES]) -> Lanes,
) -> usize {
    let k = w[0].len();
    let x: [&[f32]; V] = std::array::from_fn(|v| &x[v * k..(v + 1) * k]);
    let of_rows = w.map(|w| row(w, x, one, many));
    for (v, of_vector) in lanes::transposed_f32(of_rows)
        .into_iter()
        .enumerate()
        .take(V)
    {
        let y = &mut y.row(at[0] + v)[at[1]..];
        load::put_f32x4(&mut y.as_chunks_mut().0[0], of_vector);
    }
    V
}

/// One row times `V` vectors, a result a lane.
#[inline]
#[target_feature(enable = "neon")]
fn row<const V: usize, B: Block>(
    w: &[B],
    x: [&[f32]; V],
    one: &impl Fn(B) -> f32,
    many: &impl Fn(&[B; LANES]) -> Lanes,
) -> float32x4_t {
    let (chunks, w_tail) = w.as_chunks::<LANES>();
    let xs = x.map(|x| &x.as_chunks::<LANES>().0[..chunks.len()]);
    let mut acc = [[vdupq_n_f32(0.0); 4]; V];
    for (i, w) in chunks.iter().enumerate() {
        let w = many(w);
        for v in 0..V {
            let x = load::f32x16(&xs[v][i]);
            for q in 0..4 {
                acc[v][q] = vfmaq_f32(acc[v][q], w[q], x[q]);
            }
        }
    }
    let mut four = [vdupq_n_f32(0.0); 4];
    for v in 0..V {
        if !w_tail.is_empty() {
            let mut lanes = [0.0; LANES];
            load::put_f32x16(&mut lanes, acc[v]);
            let x_tail = &x[v][chunks.len() * LANES..];
            for ((lane, w), x) in lanes.iter_mut().zip(w_tail).zip(x_tail) {
                *lane = one(*w).mul_add(*x, *lane);
            }
            acc[v] = load::f32x16(&lanes);
        }
        // By halves, as `reduce` does: 8, then 4.
        let [a, b, c, d] = acc[v];
        four[v] = vaddq_f32(vaddq_f32(a, c), vaddq_f32(b, d));
    }
    // Then 2, then 1, for all vectors at once.
    let [a, b, c, d] = lanes::transposed_f32(four);
    vaddq_f32(vaddq_f32(a, c), vaddq_f32(b, d))
}

/// 16 singles as a file has them.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_f32(w: &[BlockF32; LANES]) -> Lanes {
    let (bytes, _) = bytemuck::bytes_of(w).as_chunks::<16>();
    let one = |i: usize| vreinterpretq_f32_u8(load::u8x16(&bytes[i]));
    [one(0), one(1), one(2), one(3)]
}

/// 16 halves, converted.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_f16(w: &[BlockF16; LANES]) -> Lanes {
    let (bytes, _) = bytemuck::bytes_of(w).as_chunks::<16>();
    let low = vreinterpretq_u16_u8(load::u8x16(&bytes[0]));
    let high = vreinterpretq_u16_u8(load::u8x16(&bytes[1]));
    [
        vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(low))),
        vcvt_high_f32_f16(vreinterpretq_f16_u16(low)),
        vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(high))),
        vcvt_high_f32_f16(vreinterpretq_f16_u16(high)),
    ]
}

/// 16 bfloat16s, widened.
#[inline]
#[target_feature(enable = "neon")]
fn load_bf16(w: &[BlockBf16; LANES]) -> Lanes {
    let (bytes, _) = bytemuck::bytes_of(w).as_chunks::<16>();
    let low = vreinterpretq_u16_u8(load::u8x16(&bytes[0]));
    let high = vreinterpretq_u16_u8(load::u8x16(&bytes[1]));
    [
        vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(low))),
        vreinterpretq_f32_u32(vshll_high_n_u16::<16>(low)),
        vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(high))),
        vreinterpretq_f32_u32(vshll_high_n_u16::<16>(high)),
    ]
}
