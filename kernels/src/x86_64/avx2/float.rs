//! Weights that are floats: `F32`, `F16`, `BF16`, with `f32` activations.
//!
//! Each result has the 16 strided lanes of [`scalar::reduce`](crate::scalar::reduce) in two registers,
//! so here the lanes are weights, not rows; several rows and vectors run side by side to fill the
//! pipeline.

use core::arch::x86_64::*;

use super::load::{load_128, load_halves, load_ps, load_singles, store_ps};
use crate::{
    activations::{ActRow, ActRows},
    block::{Block, BlockBf16, BlockF16, BlockF32},
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

/// Sixteen singles.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn sixteen_f32(w: &[BlockF32; LANES]) -> Sixteen {
    let [a, b]: &[[BlockF32; 8]; 2] = bytemuck::cast_ref(w);
    [load_singles(a), load_singles(b)]
}

/// Sixteen halves.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn sixteen_f16(w: &[BlockF16; LANES]) -> Sixteen {
    let [a, b]: &[[BlockF16; 8]; 2] = bytemuck::cast_ref(w);
    [load_halves(a), load_halves(b)]
}

/// Sixteen bfloats.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn sixteen_bf16(w: &[BlockBf16; LANES]) -> Sixteen {
    let halves: &[[u8; 16]; 2] = bytemuck::cast_ref(w);
    [0, 1].map(|h| {
        let wide = _mm256_cvtepu16_epi32(load_128(&halves[h]));
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
    })
}

/// `y[r] = row r · x`: `w` holds `y.len()` rows. `sixteen` loads weights, `one` converts one.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn gemv<B: Block>(
    w: &[B],
    x: ActRow<'_>,
    y: &mut [f32],
    sixteen: impl Fn(&[B; LANES]) -> Sixteen,
    one: impl Fn(B) -> f32,
) {
    let k = x.f.len();
    let (groups, rest) = y.as_chunks_mut::<GEMV_ROWS>();
    let (done, left) = w.split_at(groups.len() * GEMV_ROWS * k);
    for (w, y) in done.chunks_exact(GEMV_ROWS * k).zip(groups) {
        let rows = std::array::from_fn(|r| &w[r * k..][..k]);
        *y = dots::<B, GEMV_ROWS, 1>(rows, [x.f], &sixteen, &one).map(|[y]| y);
    }
    for (w, y) in left.chunks_exact(k).zip(rest) {
        [[*y]] = dots([w], [x.f], &sixteen, &one);
    }
}

/// `y[t][r] = row r · x[t]`: `w` holds `y.m()` rows and `x` holds `y.n()` vectors.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn gemm<B: Block>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    sixteen: impl Fn(&[B; LANES]) -> Sixteen,
    one: impl Fn(B) -> f32,
) {
    let (n, m, k) = (y.n(), y.m(), x.k());
    let row = |r: usize| &w[r * k..][..k];
    let vector = |t: usize| x.row(t).f;
    for r in (0..m / GEMM_ROWS * GEMM_ROWS).step_by(GEMM_ROWS) {
        let rows = [row(r), row(r + 1)];
        for t in (0..n / GEMM_VECTORS * GEMM_VECTORS).step_by(GEMM_VECTORS) {
            let vectors = [vector(t), vector(t + 1), vector(t + 2)];
            let [a, b] = dots::<B, GEMM_ROWS, GEMM_VECTORS>(rows, vectors, &sixteen, &one);
            for (v, (a, b)) in a.into_iter().zip(b).enumerate() {
                y.row(t + v)[r..r + GEMM_ROWS].copy_from_slice(&[a, b]);
            }
        }
        for t in n / GEMM_VECTORS * GEMM_VECTORS..n {
            let [[a], [b]] = dots::<B, GEMM_ROWS, 1>(rows, [vector(t)], &sixteen, &one);
            y.row(t)[r..r + GEMM_ROWS].copy_from_slice(&[a, b]);
        }
    }
    for r in m / GEMM_ROWS * GEMM_ROWS..m {
        for t in 0..n {
            [[y.row(t)[r]]] = dots([row(r)], [vector(t)], &sixteen, &one);
        }
    }
}

/// `R` rows times `N` vectors, all of one length.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dots<B: Block, const R: usize, const N: usize>(
    rows: [&[B]; R],
    x: [&[f32]; N],
    sixteen: impl Fn(&[B; LANES]) -> Sixteen,
    one: impl Fn(B) -> f32,
) -> [[f32; N]; R] {
    let steps = rows[0].len() / LANES;
    let w16 = rows.map(|row| &row.as_chunks::<LANES>().0[..steps]);
    let x16 = x.map(|x| &x.as_chunks::<LANES>().0[..steps]);
    let mut acc = [[[_mm256_setzero_ps(); 2]; N]; R];
    for i in 0..steps {
        for (acc, w) in acc.iter_mut().zip(w16) {
            let [w0, w1] = sixteen(&w[i]);
            for ([a0, a1], x) in acc.iter_mut().zip(x16) {
                let [x0, x1] = load_sixteen(&x[i]);
                *a0 = _mm256_fmadd_ps(w0, x0, *a0);
                *a1 = _mm256_fmadd_ps(w1, x1, *a1);
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
