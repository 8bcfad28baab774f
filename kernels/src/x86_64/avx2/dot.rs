//! One row of weights times one vector.

use core::arch::x86_64::*;

use super::{
    load::{load_128, load_i8},
    rows::{high_nibbles, levels, low_nibbles},
};
use crate::{
    activations::ActRow,
    block::{BlockIq4Nl, BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, QK},
};

/// Twin of `scalar::dot::dot_q4_0_q8_0`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn dot_q4_0_q8_0(w: &[BlockQ4_0], x: ActRow<'_>) -> f32 {
    dot_32::<_, false>(w, x, |w| parts_q4_0(w))
}

/// Twin of `scalar::dot::dot_q4_1_q8_1`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn dot_q4_1_q8_1(w: &[BlockQ4_1], x: ActRow<'_>) -> f32 {
    dot_32::<_, true>(w, x, |w| parts_q4_1(w))
}

/// Twin of `scalar::dot::dot_q5_0_q8_0`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn dot_q5_0_q8_0(w: &[BlockQ5_0], x: ActRow<'_>) -> f32 {
    dot_32::<_, false>(w, x, |w| parts_q5_0(w))
}

/// Twin of `scalar::dot::dot_q5_1_q8_1`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn dot_q5_1_q8_1(w: &[BlockQ5_1], x: ActRow<'_>) -> f32 {
    dot_32::<_, true>(w, x, |w| parts_q5_1(w))
}

/// Twin of `scalar::dot::dot_q8_0_q8_0`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn dot_q8_0_q8_0(w: &[BlockQ8_0], x: ActRow<'_>) -> f32 {
    dot_32::<_, false>(w, x, |w| parts_q8_0(w))
}

/// Twin of `scalar::dot::dot_iq4_nl_q8_0`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn dot_iq4_nl_q8_0(w: &[BlockIq4Nl], x: ActRow<'_>) -> f32 {
    dot_32::<_, false>(w, x, |w| parts_iq4_nl(w))
}

/// Integers, scale and minimum of [`BlockQ4_0`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn parts_q4_0(w: &BlockQ4_0) -> (__m256i, f32, f32) {
    let ints = _mm256_sub_epi8(nibbles(&w.qs), _mm256_set1_epi8(8));
    (ints, w.d.to_f32(), 0.0)
}

/// Integers, scale and minimum of [`BlockQ4_1`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn parts_q4_1(w: &BlockQ4_1) -> (__m256i, f32, f32) {
    let ints = nibbles(&w.qs);
    (ints, w.d.to_f32(), w.m.to_f32())
}

/// Integers, scale and minimum of [`BlockQ5_0`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn parts_q5_0(w: &BlockQ5_0) -> (__m256i, f32, f32) {
    let ints = _mm256_sub_epi8(
        _mm256_or_si256(nibbles(&w.qs), fifth_bits(w.qh)),
        _mm256_set1_epi8(16),
    );
    (ints, w.d.to_f32(), 0.0)
}

/// Integers, scale and minimum of [`BlockQ5_1`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn parts_q5_1(w: &BlockQ5_1) -> (__m256i, f32, f32) {
    let ints = _mm256_or_si256(nibbles(&w.qs), fifth_bits(w.qh));
    (ints, w.d.to_f32(), w.m.to_f32())
}

/// Integers, scale and minimum of [`BlockQ8_0`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn parts_q8_0(w: &BlockQ8_0) -> (__m256i, f32, f32) {
    let ints = load_i8(&w.qs);
    (ints, w.d.to_f32(), 0.0)
}

/// Integers, scale and minimum of [`BlockIq4Nl`].
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn parts_iq4_nl(w: &BlockIq4Nl) -> (__m256i, f32, f32) {
    let ints = levels(nibbles(&w.qs));
    (ints, w.d.to_f32(), 0.0)
}

/// Any type of 32 weights a block, whose integers, scale and minimum `parts` gives.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn dot_32<B, const MIN: bool>(
    w: &[B],
    x: ActRow<'_>,
    parts: impl Fn(&B) -> (__m256i, f32, f32),
) -> f32 {
    let mut acc = 0.0f32;
    for (i, (w, qs)) in w.iter().zip(x.qs.as_chunks::<QK>().0).enumerate() {
        let (ints, d, m) = parts(w);
        let sum = sum_i32(products(ints, load_i8(qs), _mm256_set1_epi16(1)));
        acc = (d * x.d[i]).mul_add(sum as f32, acc);
        if MIN {
            acc = m.mul_add(x.s[i], acc);
        }
    }
    acc
}

/// `scale * Σ w * x` of every four neighbours; `x` is never −128, `w` may be.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn products(w: __m256i, x: __m256i, scale: __m256i) -> __m256i {
    let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    _mm256_madd_epi16(pairs, scale)
}

/// The sum of eight integers.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum_i32(v: __m256i) -> i32 {
    let v = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
    let v = _mm_add_epi32(v, _mm_shuffle_epi32::<0b01_00_11_10>(v));
    let v = _mm_add_epi32(v, _mm_shuffle_epi32::<0b10_11_00_01>(v));
    _mm_cvtsi128_si32(v)
}

/// The 32 nibbles in the packing of [`BlockQ4_0::qs`].
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn nibbles(qs: &[u8; QK / 2]) -> __m256i {
    let q = _mm256_broadcastsi128_si256(load_128(qs));
    _mm256_blend_epi32::<0b1111_0000>(low_nibbles(q), high_nibbles(q))
}

/// 16 in byte `i` where bit `i` of `qh` is set.
#[inline]
#[target_feature(enable = "avx2")]
fn fifth_bits(qh: [u8; 4]) -> __m256i {
    let from = _mm256_setr_epi64x(
        0,
        0x0101_0101_0101_0101,
        0x0202_0202_0202_0202,
        0x0303_0303_0303_0303,
    );
    let bits = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
    let bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(i32::from_le_bytes(qh)), from);
    let set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bits), bits);
    _mm256_and_si256(set, _mm256_set1_epi8(16))
}
