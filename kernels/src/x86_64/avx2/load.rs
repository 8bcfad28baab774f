//! Loads and stores: the only `unsafe` of this tier. Each takes an array of the size it touches, and
//! none has an alignment demand.

use core::arch::x86_64::*;

use crate::block::{BlockF32, Half};

/// 16 bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn load_128(v: &[u8; 16]) -> __m128i {
    // SAFETY: the array is 16 readable bytes.
    unsafe { _mm_loadu_si128(v.as_ptr().cast()) }
}

/// 16 bytes of `low`, then 16 of `high`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_2x128(low: &[u8; 16], high: &[u8; 16]) -> __m256i {
    _mm256_set_m128i(load_128(high), load_128(low))
}

/// Four bytes, eight times.
#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::x86_64) fn broadcast_4(v: &[i8; 4]) -> __m256i {
    // SAFETY: the array is four readable bytes.
    _mm256_set1_epi32(unsafe { v.as_ptr().cast::<i32>().read_unaligned() })
}

/// 32 bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_u8(v: &[u8; 32]) -> __m256i {
    // SAFETY: the array is 32 readable bytes.
    unsafe { _mm256_loadu_si256(v.as_ptr().cast()) }
}

/// 32 signed bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_i8(v: &[i8; 32]) -> __m256i {
    // SAFETY: the array is 32 readable bytes.
    unsafe { _mm256_loadu_si256(v.as_ptr().cast()) }
}

/// Writes 32 signed bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store_i8(out: &mut [i8; 32], v: __m256i) {
    // SAFETY: the array is 32 writable bytes.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), v) }
}

/// Eight numbers.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_ps(v: &[f32; 8]) -> __m256 {
    // SAFETY: the array is eight readable numbers.
    unsafe { _mm256_loadu_ps(v.as_ptr()) }
}

/// Writes eight numbers.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store_ps(out: &mut [f32; 8], v: __m256) {
    // SAFETY: the array is eight writable numbers.
    unsafe { _mm256_storeu_ps(out.as_mut_ptr(), v) }
}

/// Eight singles of a file.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_singles(v: &[BlockF32; 8]) -> __m256 {
    // SAFETY: the array is 32 readable bytes.
    unsafe { _mm256_loadu_ps(v.as_ptr().cast()) }
}

/// Four numbers.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_ps_128(v: &[f32; 4]) -> __m128 {
    // SAFETY: the array is four readable numbers.
    unsafe { _mm_loadu_ps(v.as_ptr()) }
}

/// Eight halves of a file as singles.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub(super) fn load_halves(v: &[Half; 8]) -> __m256 {
    _mm256_cvtph_ps(load_128(bytemuck::cast_ref(v)))
}
