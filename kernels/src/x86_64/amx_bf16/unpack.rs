//! 32 weights of a block as bfloat16.

use core::arch::x86_64::*;

use super::load::round;
use crate::block::SuperBlock;

/// `d * q + m` of 32 signed bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn block_of_32((q, d, m): (__m256i, f32, f32)) -> __m512i {
    let (d, m) = (_mm512_set1_ps(d), _mm512_set1_ps(m));
    scaled(q, [d, d], [m, m])
}

/// Weights `32 j ..` of a super-block, whose integers are `q`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub(super) fn super_block<B: SuperBlock>(w: &B, j: usize, q: __m256i) -> __m512i {
    let sub = |half| (2 * j + half) * 16 / B::SUB;
    let d = [0, 1].map(|half| _mm512_set1_ps(w.d() * w.scale(sub(half)) as f32));
    let m = [0, 1].map(|half| {
        let m = if B::HAS_MIN {
            -(w.dmin() * w.min(sub(half)) as f32)
        } else {
            0.0
        };
        _mm512_set1_ps(m)
    });
    scaled(q, d, m)
}

/// `d * q + m` of two times sixteen signed bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn scaled(q: __m256i, d: [__m512; 2], m: [__m512; 2]) -> __m512i {
    let low = _mm512_cvtepi8_epi32(_mm256_castsi256_si128(q));
    let high = _mm512_cvtepi8_epi32(_mm256_extracti128_si256::<1>(q));
    let low = _mm512_fmadd_ps(d[0], _mm512_cvtepi32_ps(low), m[0]);
    let high = _mm512_fmadd_ps(d[1], _mm512_cvtepi32_ps(high), m[1]);
    round(low, high)
}
