//! Integer sums of eight rows' weights times activations, and the steps of the accumulators: as in
//! [`avx2::sums`](crate::x86_64::avx2), but four products and their sum are one instruction, in 32 bits.

use core::arch::x86_64::*;

use crate::{
    block::QK,
    x86_64::{
        avx2::{load::broadcast_4, rows::Rows32, rows_k::Rows256},
        view::{View32, View256},
    },
};

/// `Σ w[r][i] * x[t][i]` over the weights of `w`, exact; `x` starts at four times `first`.
///
/// The instruction wants one factor unsigned. Signed weights (`SIGNED`, any `i8`) give their sign to the activations,
/// which are never −128; and |−128| is 128 as `u8`.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn products<const N: usize, const SIGNED: bool>(
    w: &[__m256i],
    x: [&[i8; QK]; N],
    first: usize,
) -> [__m256i; N] {
    let mut sum = [_mm256_setzero_si256(); N];
    for (j, w) in w.iter().enumerate() {
        let size = if SIGNED { _mm256_abs_epi8(*w) } else { *w };
        for (sum, x) in sum.iter_mut().zip(x) {
            let x = broadcast_4(&x.as_chunks().0[first + j]);
            let x = if SIGNED { _mm256_sign_epi8(x, *w) } else { x };
            *sum = _mm256_dpbusd_avx_epi32(*sum, size, x);
        }
    }
    sum
}

/// One block of 32: `acc = fma(d_w * d_x, Σ - OFFSET * Σx, acc)`, then, for types with a minimum,
/// `acc = fma(m, s, acc)`.
#[inline]
#[target_feature(enable = "avx2,fma,avxvnni")]
pub(super) fn step_32<const N: usize, const SIGNED: bool, const OFFSET: i32, const MIN: bool>(
    mut acc: [__m256; N],
    w: &Rows32,
    x: &[View32<'_, MIN>; N],
    i: usize,
) -> [__m256; N] {
    let sum = products::<N, SIGNED>(&w.w, x.map(|x| &x.qs[i]), 0);
    for ((acc, sum), x) in acc.iter_mut().zip(sum).zip(x) {
        let sum = match OFFSET {
            0 => sum,
            offset => _mm256_sub_epi32(sum, _mm256_set1_epi32(offset * i32::from(x.sums[i]))),
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
#[target_feature(enable = "avx2,fma,avxvnni")]
pub(super) fn step_256<
    const N: usize,
    const SIGNED: bool,
    const SUB: usize,
    const OFFSET: i32,
    const MIN: bool,
>(
    mut acc: [__m256; N],
    w: &Rows256,
    x: &[View256<'_>; N],
    i: usize,
) -> [__m256; N] {
    let mut sum = [_mm256_setzero_si256(); N];
    let qs = x.map(|x| x.qs[i].as_chunks::<QK>().0);
    for (j, w32) in w.w.iter().enumerate() {
        for (c, w_sub) in w32.chunks_exact(SUB / 4).enumerate() {
            let part = products::<N, SIGNED>(w_sub, qs.map(|qs| &qs[j]), c * SUB / 4);
            // There twice as 16 bits, here once as 32.
            let scale = _mm256_srai_epi32::<16>(w.scale[QK / SUB * j + c]);
            for (sum, part) in sum.iter_mut().zip(part) {
                *sum = _mm256_add_epi32(*sum, _mm256_mullo_epi32(part, scale));
            }
        }
    }
    for ((acc, sum), x) in acc.iter_mut().zip(sum).zip(x) {
        let sums: &[[i8; 4]; 8] = bytemuck::cast_ref(&x.sums[i]);
        let mut rest = _mm256_setzero_si256();
        if MIN || OFFSET != 0 {
            for (pair, sums) in w.pair.iter().zip(sums) {
                rest = _mm256_dpwssd_avx_epi32(rest, *pair, broadcast_4(sums));
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
