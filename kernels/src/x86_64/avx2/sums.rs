//! Integer sums of eight rows' weights times activations, and the steps of the accumulators.

use core::arch::x86_64::*;

use super::{load::broadcast_4, rows::Rows32, rows_k::Rows256};
use crate::{
    block::QK,
    x86_64::view::{View32, View256},
};

/// `sum[t][r] += scale(c)[r] * Σ w[r][i] * x[t][i]` over 32 weights, exact.
///
/// `RUN` products of four weights are added in 16 bits before they are scaled, so it is bounded by the
/// weights: 8 up to 15, 4 up to 31, 2 up to 63. Run `c` has the scale `scale(c)`, one 16-bit number
/// twice in each lane. Signed weights (`SIGNED`, any `i8`) need `RUN` 1, and no `x` of −128: their
/// sign goes to the activations, and |−128| is 128 as `u8`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn add_products<const N: usize, const RUN: usize, const SIGNED: bool>(
    sum: &mut [__m256i; N],
    w: &[__m256i; 8],
    x: [&[i8; QK]; N],
    scale: impl Fn(usize) -> __m256i,
) {
    const { assert!(RUN <= 8 && (!SIGNED || RUN == 1)) }
    for (c, w) in w.as_chunks::<RUN>().0.iter().enumerate() {
        let mut run = [_mm256_setzero_si256(); N];
        for (j, w) in w.iter().enumerate() {
            let size = if SIGNED { _mm256_abs_epi8(*w) } else { *w };
            for (run, x) in run.iter_mut().zip(x) {
                let x = broadcast_4(&x.as_chunks().0[c * RUN + j]);
                let x = if SIGNED { _mm256_sign_epi8(x, *w) } else { x };
                let pairs = _mm256_maddubs_epi16(size, x);
                *run = if j == 0 {
                    pairs
                } else {
                    _mm256_add_epi16(*run, pairs)
                };
            }
        }
        let scale = scale(c);
        for (sum, run) in sum.iter_mut().zip(run) {
            *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(run, scale));
        }
    }
}

/// One block of 32: `acc = fma(d_w * d_x, Σ - OFFSET * Σx, acc)`, then, for types with a minimum,
/// `acc = fma(m, s, acc)`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn step_32<
    const N: usize,
    const RUN: usize,
    const SIGNED: bool,
    const OFFSET: i32,
    const MIN: bool,
>(
    acc: [__m256; N],
    w: &Rows32,
    x: &[View32<'_, MIN>; N],
    i: usize,
) -> [__m256; N] {
    let one = _mm256_set1_epi16(1);
    let mut sum = [_mm256_setzero_si256(); N];
    add_products::<N, RUN, SIGNED>(&mut sum, &w.w, x.map(|x| &x.qs[i]), |_| one);
    let mut acc = acc;
    for ((acc, sum), x) in acc.iter_mut().zip(sum).zip(x) {
        let offset = _mm256_set1_epi32(OFFSET * i32::from(x.sums[i]));
        let sum = if OFFSET == 0 {
            sum
        } else {
            _mm256_sub_epi32(sum, offset)
        };
        let d = _mm256_mul_ps(w.d, _mm256_set1_ps(x.d[i]));
        *acc = _mm256_fmadd_ps(d, _mm256_cvtepi32_ps(sum), *acc);
        if MIN {
            *acc = _mm256_fmadd_ps(w.m, _mm256_set1_ps(x.s[i]), *acc);
        }
    }
    acc
}

/// One super-block: `acc = fma(d_w * d_x, Σ scale (w - OFFSET) x, acc)`, then, for types with
/// minimums, `acc = fma(-(dmin * d_x), Σ min x, acc)`.
///
/// `SUB` is the weights of a sub-block, 16 or 32.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn step_256<
    const N: usize,
    const RUN: usize,
    const SIGNED: bool,
    const SUB: usize,
    const OFFSET: i32,
    const MIN: bool,
>(
    acc: [__m256; N],
    w: &Rows256,
    x: &[View256<'_>; N],
    i: usize,
) -> [__m256; N] {
    const { assert!(SUB == 32 || RUN <= 4) }
    let mut sum = [_mm256_setzero_si256(); N];
    let qs = x.map(|x| x.qs[i].as_chunks::<QK>().0);
    for (j, w32) in w.w.iter().enumerate() {
        add_products::<N, RUN, SIGNED>(&mut sum, w32, qs.map(|qs| &qs[j]), |c| {
            w.scale[(32 * j + 4 * RUN * c) / SUB]
        });
    }
    let mut acc = acc;
    for ((acc, sum), x) in acc.iter_mut().zip(sum).zip(x) {
        let sums: &[[i8; 4]; 8] = bytemuck::cast_ref(&x.sums[i]);
        let mut rest = _mm256_setzero_si256();
        if MIN || OFFSET != 0 {
            for (pair, sums) in w.pair.iter().zip(sums) {
                rest = _mm256_add_epi32(rest, _mm256_madd_epi16(*pair, broadcast_4(sums)));
            }
        }
        let d = _mm256_set1_ps(x.d[i]);
        let offset = _mm256_mullo_epi32(rest, _mm256_set1_epi32(OFFSET));
        let sum = _mm256_cvtepi32_ps(_mm256_sub_epi32(sum, offset));
        *acc = _mm256_fmadd_ps(_mm256_mul_ps(w.d, d), sum, *acc);
        if MIN {
            let dmin = _mm256_mul_ps(w.dmin, d);
            *acc = _mm256_fnmadd_ps(dmin, _mm256_cvtepi32_ps(rest), *acc);
        }
    }
    acc
}
