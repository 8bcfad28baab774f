//! Twin of [`scalar::softmax`](crate::scalar::softmax): a register is the sixteen lanes of the sum.

use core::arch::x86_64::*;

use super::{
    exp::exp,
    load::{load_ps, store_ps},
};
use crate::scalar::reduce::LANES;

/// Twin of [`scalar::softmax::softmax_part`](crate::scalar::softmax::softmax_part).
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) fn softmax_part(x: &mut [f32]) -> (f32, f32) {
    let least = _mm512_set1_ps(f32::NEG_INFINITY);
    let (parts, rest) = x.as_chunks_mut::<LANES>();
    let left = (1_u16 << rest.len()) - 1;
    let mut last = [f32::NEG_INFINITY; LANES];
    last[..rest.len()].copy_from_slice(rest);

    // `max` answers with its second operand where the first is NaN.
    let max = parts
        .iter()
        .fold(least, |max, x| _mm512_max_ps(load_ps(x), max));
    let max = _mm512_reduce_max_ps(_mm512_max_ps(load_ps(&last), max));
    if max == f32::NEG_INFINITY {
        x.fill(0.0);
        return (max, 0.0);
    }
    let all = _mm512_set1_ps(max);
    let mut sum = _mm512_setzero_ps();
    for x in parts {
        let e = exp(_mm512_sub_ps(load_ps(x), all));
        store_ps(x, e);
        sum = _mm512_add_ps(sum, e);
    }
    if !rest.is_empty() {
        let e = exp(_mm512_sub_ps(load_ps(&last), all));
        store_ps(&mut last, e);
        rest.copy_from_slice(&last[..rest.len()]);
        sum = _mm512_mask_add_ps(sum, left, sum, e);
    }
    (max, reduce(sum))
}

/// Twin of [`scalar::reduce::reduce`](crate::scalar::reduce::reduce): folds by halves.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn reduce(v: __m512) -> f32 {
    let v = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v));
    let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
}
