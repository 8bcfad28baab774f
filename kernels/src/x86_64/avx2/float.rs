//! Weights that are floats: `F32`, `F16`, `BF16`, with `f32` activations.
//!
//! Each result has the 16 strided lanes of [`scalar::reduce`](crate::scalar::reduce) in two registers,
//! so here the lanes are weights, not rows; several rows and vectors run side by side to fill the
//! pipeline.

use core::arch::x86_64::*;

use super::load::{load_128, load_ps, store_ps};
use crate::{
    activations::{ActRow, ActRows},
    block::{Block, BlockBf16},
    scalar::reduce::LANES,
    tile::TileMut,
};

/// Sixteen numbers: lanes 0..8 and 8..16.
pub(super) type Sixteen = [__m256; 2];

/// Rows of a GEMV that run side by side.
const GEMV_ROWS: usize = 4;
/// Rows of a GEMM that run side by side: with three vectors, 12 accumulators and 4 weights fill the
/// 16 registers.
const GEMM_ROWS: usize = 2;
/// Vectors of a GEMM that run side by side.
const GEMM_VECTORS: usize = 3;

/// Rows of a GEMM that meet all vectors before the next ones do.
const PANEL_ROWS: usize = 8;

/// Eight bfloats of a file as singles.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load_bfloats(w: &[BlockBf16; 8]) -> __m256 {
    let wide = _mm256_cvtepu16_epi32(load_128(bytemuck::cast_ref(w)));
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
}

/// `y[r] = row r · x`: `w` holds `y.len()` rows. `load` loads weights, `one` converts one.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn gemv<B: Block>(
    w: &[B],
    x: ActRow<'_>,
    y: &mut [f32],
    load: impl Fn(&[B; 8]) -> __m256,
    one: impl Fn(B) -> f32,
) {
    let k = x.f.len();
    let (groups, rest) = y.as_chunks_mut::<GEMV_ROWS>();
    let (done, left) = w.split_at(groups.len() * GEMV_ROWS * k);
    for (w, y) in done.chunks_exact(GEMV_ROWS * k).zip(groups) {
        let rows = std::array::from_fn(|r| &w[r * k..][..k]);
        *y = dots::<B, GEMV_ROWS, 1>(rows, [x.f], &load, &one).map(|[y]| y);
    }
    for (w, y) in left.chunks_exact(k).zip(rest) {
        [[*y]] = dots([w], [x.f], &load, &one);
    }
}

/// `y[t][r] = row r · x[t]`: `w` holds `y.m()` rows and `x` holds `y.n()` vectors.
///
/// A few rows at a time meet all vectors, so that they stay in the second cache, and the three vectors
/// that they meet in the first.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn gemm<B: Block>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    load: impl Fn(&[B; 8]) -> __m256,
    one: impl Fn(B) -> f32,
) {
    let k = x.k();
    for (i, w) in w.chunks(PANEL_ROWS * k).enumerate() {
        let mut y = y.columns(i * PANEL_ROWS, w.len() / k);
        for t in (0..y.n() / GEMM_VECTORS * GEMM_VECTORS).step_by(GEMM_VECTORS) {
            panel::<B, GEMM_VECTORS>(w, x, &mut y, t, &load, &one);
        }
        for t in y.n() / GEMM_VECTORS * GEMM_VECTORS..y.n() {
            panel::<B, 1>(w, x, &mut y, t, &load, &one);
        }
    }
}

/// The rows of `w` times vectors `t .. t + N`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn panel<B: Block, const N: usize>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    t: usize,
    load: impl Fn(&[B; 8]) -> __m256,
    one: impl Fn(B) -> f32,
) {
    let vectors: [&[f32]; N] = std::array::from_fn(|v| x.row(t + v).f);
    for (i, w) in w.chunks(GEMM_ROWS * x.k()).enumerate() {
        let r = i * GEMM_ROWS;
        if w.len() == GEMM_ROWS * x.k() {
            let (a, b) = w.split_at(x.k());
            let [a, b] = dots::<B, GEMM_ROWS, N>([a, b], vectors, &load, &one);
            for (v, (a, b)) in a.into_iter().zip(b).enumerate() {
                y.row(t + v)[r..r + GEMM_ROWS].copy_from_slice(&[a, b]);
            }
        } else {
            let [a] = dots::<B, 1, N>([w], vectors, &load, &one);
            for (v, a) in a.into_iter().enumerate() {
                y.row(t + v)[r] = a;
            }
        }
    }
}

/// `R` rows times `N` vectors, all of one length.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dots<B: Block, const R: usize, const N: usize>(
    rows: [&[B]; R],
    x: [&[f32]; N],
    load: impl Fn(&[B; 8]) -> __m256,
    one: impl Fn(B) -> f32,
) -> [[f32; N]; R] {
    let steps = rows[0].len() / LANES;
    let w8 = rows.map(|row| &row.as_chunks::<8>().0[..2 * steps]);
    let x8 = x.map(|x| &x.as_chunks::<8>().0[..2 * steps]);
    let mut acc = [[[_mm256_setzero_ps(); 2]; N]; R];
    for i in 0..steps {
        for half in 0..2 {
            let w = w8.map(|w| load(&w[2 * i + half]));
            for (n, x) in x8.iter().enumerate() {
                let x = load_ps(&x[2 * i + half]);
                for (acc, w) in acc.iter_mut().zip(w) {
                    acc[n][half] = _mm256_fmadd_ps(w, x, acc[n][half]);
                }
            }
        }
    }
    let mut out = [[0.0; N]; R];
    for (r, acc) in acc.iter_mut().enumerate() {
        for (n, acc) in acc.iter_mut().enumerate() {
            let (w, x) = (&rows[r][steps * LANES..], &x[n][steps * LANES..]);
            if !w.is_empty() {
                each_lane(acc, |lanes| {
                    for ((lane, w), x) in lanes.iter_mut().zip(w).zip(x) {
                        *lane = one(*w).mul_add(*x, *lane);
                    }
                });
            }
            out[r][n] = reduce(*acc);
        }
    }
    out
}

/// Sixteen activations.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_sixteen(x: &[f32; LANES]) -> Sixteen {
    let [a, b]: &[[f32; 8]; 2] = bytemuck::cast_ref(x);
    [load_ps(a), load_ps(b)]
}

/// Lets `f` change single lanes: the end of a vector that is no multiple of 16.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn each_lane(acc: &mut Sixteen, f: impl FnOnce(&mut [f32; LANES])) {
    let mut halves = [[0.0; 8]; 2];
    store_ps(&mut halves[0], acc[0]);
    store_ps(&mut halves[1], acc[1]);
    f(bytemuck::cast_mut(&mut halves));
    *acc = [load_ps(&halves[0]), load_ps(&halves[1])];
}

/// Twin of [`scalar::reduce::reduce`](crate::scalar::reduce::reduce): folds by halves.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn reduce([a, b]: Sixteen) -> f32 {
    let v = _mm256_add_ps(a, b);
    let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
}
