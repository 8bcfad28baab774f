//! One row of super-blocks times one vector: the rows that [`gemv`](super::gemv) leaves over.

use core::arch::x86_64::*;

use super::{
    dot::{nibbles, products, sum_i32},
    load::{load_i8, load_u8},
    rows::levels,
};
use crate::{
    activations::ActRow,
    block::{BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4K, BlockQ5K, BlockQ6K, QK, QK_K, SuperBlock},
};

/// Twin of [`dot_super_q8_k`](crate::scalar::dot::dot_super_q8_k); `ints` gives the 32 integers from
/// weight `32 j` on.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn dot_256<B: SuperBlock>(
    w: &[B],
    x: ActRow<'_>,
    ints: impl Fn(&B, usize) -> __m256i,
) -> f32 {
    let (qs, _) = x.qs.as_chunks::<QK_K>();
    let (sums, _) = x.sums.as_chunks::<{ QK_K / 16 }>();
    let mut acc = 0.0f32;
    for (i, w) in w.iter().enumerate() {
        let mut sum = _mm256_setzero_si256();
        let mut mins = 0;
        for (j, x) in qs[i].as_chunks::<QK>().0.iter().enumerate() {
            let sub = |half| (2 * j + half) * 16 / B::SUB;
            let scale = |half| _mm_set1_epi16(w.scale(sub(half)) as i16);
            let scales = _mm256_set_m128i(scale(1), scale(0));
            sum = _mm256_add_epi32(sum, products(ints(w, j), load_i8(x), scales));
            if B::HAS_MIN {
                let min = |half| w.min(sub(half)) * i32::from(sums[i][2 * j + half]);
                mins += min(0) + min(1);
            }
        }
        acc = (w.d() * x.d[i]).mul_add(sum_i32(sum) as f32, acc);
        if B::HAS_MIN {
            acc = (-(w.dmin() * x.d[i])).mul_add(mins as f32, acc);
        }
    }
    acc
}

/// `(v >> shift) & mask` of each byte; `mask` has no bit that comes from a neighbour.
#[inline]
#[target_feature(enable = "avx2")]
fn bits(v: __m256i, shift: usize, mask: i8) -> __m256i {
    let v = _mm256_srl_epi16(v, _mm_cvtsi32_si128(shift as i32));
    _mm256_and_si256(v, _mm256_set1_epi8(mask))
}

/// Bits `shift ..` of 32 bytes from 32 times `at` on.
#[inline]
#[target_feature(enable = "avx2")]
fn part(bytes: &[u8], at: usize, shift: usize, mask: i8) -> __m256i {
    bits(load_u8(&bytes.as_chunks().0[at]), shift, mask)
}

/// Integers of [`BlockQ2K`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn ints_q2_k(w: &BlockQ2K, j: usize) -> __m256i {
    part(&w.qs, j / 4, 2 * (j % 4), 3)
}

/// Integers of [`BlockQ3K`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn ints_q3_k(w: &BlockQ3K, j: usize) -> __m256i {
    let third = _mm256_slli_epi16::<2>(part(&w.hmask, 0, j, 1));
    let low = part(&w.qs, j / 4, 2 * (j % 4), 3);
    _mm256_sub_epi8(_mm256_or_si256(low, third), _mm256_set1_epi8(4))
}

/// Integers of [`BlockQ4K`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn ints_q4_k(w: &BlockQ4K, j: usize) -> __m256i {
    part(&w.qs, j / 2, 4 * (j % 2), 15)
}

/// Integers of [`BlockQ5K`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn ints_q5_k(w: &BlockQ5K, j: usize) -> __m256i {
    let fifth = _mm256_slli_epi16::<4>(part(&w.qh, 0, j, 1));
    _mm256_or_si256(part(&w.qs, j / 2, 4 * (j % 2), 15), fifth)
}

/// Integers of [`BlockQ6K`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn ints_q6_k(w: &BlockQ6K, j: usize) -> __m256i {
    let (half, s) = (j / 4, j % 4);
    let low = part(&w.ql, 2 * half + s % 2, 4 * (s / 2), 15);
    let high = _mm256_slli_epi16::<4>(part(&w.qh, half, 2 * s, 3));
    _mm256_sub_epi8(_mm256_or_si256(low, high), _mm256_set1_epi8(32))
}

/// Integers of [`BlockIq4Xs`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn ints_iq4_xs(w: &BlockIq4Xs, j: usize) -> __m256i {
    levels(nibbles(&w.qs.as_chunks().0[j]))
}
