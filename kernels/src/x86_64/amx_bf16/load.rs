//! Loads, stores and rounding of this tier.

use core::arch::x86_64::*;

use crate::activations::Line;

/// 32 numbers as bfloat16, nearest, ties to even.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) fn round(low: __m512, high: __m512) -> __m512i {
    // SAFETY: both are registers of 64 bytes.
    unsafe { core::mem::transmute(_mm512_cvtne2ps_pbh(high, low)) }
}

/// Writes a line.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store(out: &mut Line, v: __m512i) {
    // SAFETY: a line is 64 writable bytes.
    unsafe { _mm512_storeu_si512((&raw mut *out).cast(), v) }
}

/// Turns sixteen rows of sixteen into sixteen columns, in place.
///
/// Loops, not closures: what a closure of this tier's instructions does can only be inlined with luck.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transpose(rows: &mut [__m512i; 16]) {
    // Each group of four rows: quarter `q` of row `c` becomes column `4 q + c` of the four.
    for rows in rows.as_chunks_mut::<4>().0 {
        let [a, b, c, d] = *rows;
        let (ab, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (cd, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        *rows = [
            _mm512_unpacklo_epi64(ab, cd),
            _mm512_unpackhi_epi64(ab, cd),
            _mm512_unpacklo_epi64(ab_high, cd_high),
            _mm512_unpackhi_epi64(ab_high, cd_high),
        ];
    }
    // Then the quarters of the four groups.
    for c in 0..4 {
        let [a, b, d, e] = [rows[c], rows[4 + c], rows[8 + c], rows[12 + c]];
        let (even, odd) = (
            _mm512_shuffle_i32x4::<0b10_00_10_00>(a, b),
            _mm512_shuffle_i32x4::<0b11_01_11_01>(a, b),
        );
        let (even_high, odd_high) = (
            _mm512_shuffle_i32x4::<0b10_00_10_00>(d, e),
            _mm512_shuffle_i32x4::<0b11_01_11_01>(d, e),
        );
        rows[c] = _mm512_shuffle_i32x4::<0b10_00_10_00>(even, even_high);
        rows[4 + c] = _mm512_shuffle_i32x4::<0b10_00_10_00>(odd, odd_high);
        rows[8 + c] = _mm512_shuffle_i32x4::<0b11_01_11_01>(even, even_high);
        rows[12 + c] = _mm512_shuffle_i32x4::<0b11_01_11_01>(odd, odd_high);
    }
}

/// Words 0, 16, 1, 17 and so on: two halves as pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn interleave(v: __m512i) -> __m512i {
    let mut order = [0u16; 32];
    for (i, o) in order.iter_mut().enumerate() {
        *o = (i / 2 + i % 2 * 16) as u16;
    }
    // SAFETY: both are 64 bytes of any value.
    let order: __m512i = unsafe { core::mem::transmute(order) };
    _mm512_permutexvar_epi16(order, v)
}
