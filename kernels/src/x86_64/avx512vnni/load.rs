//! Loads and stores: the only `unsafe` of this tier. Each takes an array of the size it touches, and
//! none has an alignment demand.

use core::arch::x86_64::*;

use super::rows::ROWS;
use crate::block::{BlockBf16, BlockF16, BlockF32};

/// Four bytes, sixteen times.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::x86_64) fn broadcast_4(v: &[i8; 4]) -> __m512i {
    // SAFETY: the array is four readable bytes.
    _mm512_set1_epi32(unsafe { v.as_ptr().cast::<i32>().read_unaligned() })
}

/// 16 bytes each of four places, in their order.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::x86_64) fn load_4x128(v: [&[u8; 16]; 4]) -> __m512i {
    // SAFETY: each array is 16 readable bytes.
    let [a, b, c, d] = v.map(|v| unsafe { _mm_loadu_si128(v.as_ptr().cast()) });
    let v = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(a), b);
    _mm512_inserti32x4::<3>(_mm512_inserti32x4::<2>(v, c), d)
}

/// Blocks `i .. i + G` of each of sixteen rows of `len`, which are all of `w`. One check for all of them.
#[inline(always)]
pub(super) fn neighbours<B, const G: usize>(w: &[B], len: usize, i: usize) -> [&[B; G]; ROWS] {
    assert!(i + G <= len && w.len() == ROWS * len);
    // SAFETY: the sixteen rows of `len` are `w`, and each place is within its row; an array has the layout of its
    // elements side by side.
    std::array::from_fn(|r| unsafe { &*w.as_ptr().add(r * len + i).cast() })
}

/// Sixteen numbers.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::x86_64) fn load_ps(v: &[f32; 16]) -> __m512 {
    // SAFETY: the array is sixteen readable numbers.
    unsafe { _mm512_loadu_ps(v.as_ptr()) }
}

/// Writes sixteen numbers.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::x86_64) fn store_ps(out: &mut [f32; 16], v: __m512) {
    // SAFETY: the array is sixteen writable numbers.
    unsafe { _mm512_storeu_ps(out.as_mut_ptr(), v) }
}

/// Sixteen integers.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::x86_64) fn load_i32(v: &[i32; 16]) -> __m512i {
    // SAFETY: the array is sixteen readable integers.
    unsafe { _mm512_loadu_si512(v.as_ptr().cast()) }
}

/// 32 integers.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load_i16(v: &[i16; 32]) -> __m512i {
    // SAFETY: the array is 32 readable integers.
    unsafe { _mm512_loadu_si512(v.as_ptr().cast()) }
}

/// Sixteen singles of a file.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load_singles(v: &[BlockF32; 16]) -> __m512 {
    // SAFETY: the array is 64 readable bytes.
    unsafe { _mm512_loadu_ps(v.as_ptr().cast()) }
}

/// Sixteen halves of a file as singles.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::x86_64) fn load_halves(v: &[BlockF16; 16]) -> __m512 {
    // SAFETY: the array is 32 readable bytes.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(v.as_ptr().cast()) })
}

/// Sixteen bfloats of a file as singles.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::x86_64) fn load_bfloats(v: &[BlockBf16; 16]) -> __m512 {
    // SAFETY: the array is 32 readable bytes.
    let v = unsafe { _mm256_loadu_si256(v.as_ptr().cast()) };
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(v)))
}

/// Writes four numbers.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store_ps_128(out: &mut [f32; 4], v: __m128) {
    // SAFETY: the array is four writable numbers.
    unsafe { _mm_storeu_ps(out.as_mut_ptr(), v) }
}
