//! Twin of [`scalar::quantize`](crate::scalar::quantize).

use core::arch::x86_64::*;

use super::{
    dot::sum_i32,
    load::{load_ps, store_i8},
};
use crate::{
    activations::{ActRowsMut, ActType},
    block::{QK, QK_K},
};

/// Twin of [`scalar::quantize::quantize`](crate::scalar::quantize::quantize).
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn quantize(x: &[f32], out: &mut ActRowsMut<'_>) {
    match out.ty {
        ActType::F32 | ActType::BF16 => {}
        ActType::Q8_0 | ActType::Q8_1 => blocks_of_32(x, out),
        ActType::Q8_K => super_blocks(x, out),
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn blocks_of_32(x: &[f32], out: &mut ActRowsMut<'_>) {
    let (x, _) = x.as_chunks::<QK>();
    let (qs, _) = out.qs.as_chunks_mut::<QK>();
    // Half of one, less an ulp, away from zero, then truncation: ties go away from zero, and nothing
    // just below a tie is lifted over it.
    let half = _mm256_set1_ps(0.499_999_97);
    let sign = _mm256_set1_ps(-0.0);
    for (i, (x, qs)) in x.iter().zip(qs).enumerate() {
        let x = load_32(x);
        let d = largest(&x) / 127.0;
        let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
        let q = to_i8(x, inverse, |v| {
            _mm256_cvttps_epi32(_mm256_add_ps(v, _mm256_or_ps(half, _mm256_and_ps(sign, v))))
        });
        store_i8(qs, q);
        let sum = sum_i32(sums_of_4(q)) as i16;
        out.d[i] = d;
        out.sums[i] = sum;
        if let Some(s) = out.s.get_mut(i) {
            *s = f32::from(sum) * d;
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn super_blocks(x: &[f32], out: &mut ActRowsMut<'_>) {
    let (x, _) = x.as_chunks::<QK_K>();
    let (qs, _) = out.qs.as_chunks_mut::<QK_K>();
    let (sums, _) = out.sums.as_chunks_mut::<{ QK_K / 16 }>();
    for (i, (x, qs)) in x.iter().zip(qs).enumerate() {
        let (parts, _) = x.as_chunks::<QK>();
        let size = parts
            .iter()
            .map(|x| largest(&load_32(x)))
            .fold(0.0, f32::max);
        // The first number of that size gives the sign.
        let max = x.iter().copied().find(|x| x.abs() == size).unwrap_or(0.0);
        let inverse = if max == 0.0 { 0.0 } else { -127.0 / max };
        let (qs, _) = qs.as_chunks_mut::<QK>();
        for (j, (x, qs)) in parts.iter().zip(qs).enumerate() {
            let q = to_i8(load_32(x), inverse, |v| _mm256_cvtps_epi32(v));
            store_i8(qs, q);
            let s = sums_of_4(q);
            let s = _mm256_hadd_epi32(s, s);
            let s = _mm256_hadd_epi32(s, s);
            sums[i][2 * j] = _mm256_extract_epi32::<0>(s) as i16;
            sums[i][2 * j + 1] = _mm256_extract_epi32::<4>(s) as i16;
        }
        out.d[i] = if inverse == 0.0 { 0.0 } else { 1.0 / inverse };
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_32(x: &[f32; QK]) -> [__m256; 4] {
    let parts: &[[f32; 8]; 4] = bytemuck::cast_ref(x);
    [0, 1, 2, 3].map(|i| load_ps(&parts[i]))
}

/// The largest magnitude; NaNs do not count.
#[inline]
#[target_feature(enable = "avx2")]
fn largest(x: &[__m256; 4]) -> f32 {
    let abs = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fff_ffff));
    // `max` answers with its second operand where the first is NaN.
    let max = x.iter().fold(_mm256_setzero_ps(), |m, x| {
        _mm256_max_ps(_mm256_and_ps(*x, abs), m)
    });
    horizontal_max(max)
}

/// The largest of eight numbers, none of them NaN.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn horizontal_max(v: __m256) -> f32 {
    let v = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let v = _mm_max_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_max_ss(v, _mm_movehdup_ps(v)))
}

/// `round(x * inverse)` within ±127; NaN gives 0. `round` gets numbers that fit.
#[inline]
#[target_feature(enable = "avx2")]
fn to_i8(x: [__m256; 4], inverse: f32, round: impl Fn(__m256) -> __m256i) -> __m256i {
    let (inverse, top) = (_mm256_set1_ps(inverse), _mm256_set1_ps(127.0));
    let low = _mm256_set1_ps(-127.0);
    let [a, b, c, d] = x.map(|x| {
        let v = _mm256_mul_ps(x, inverse);
        let v = _mm256_and_ps(v, _mm256_cmp_ps::<_CMP_ORD_Q>(v, v));
        round(_mm256_max_ps(_mm256_min_ps(v, top), low))
    });
    let packed = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    // Packing works per 128-bit lane: a0 b0 c0 d0 a1 b1 c1 d1 in dwords.
    _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7))
}

/// The sum of every four neighbours.
#[inline]
#[target_feature(enable = "avx2")]
fn sums_of_4(q: __m256i) -> __m256i {
    let pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q);
    _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
}
