//! Twin of [`scalar::rms_norm`](crate::scalar::rms_norm).

use core::arch::x86_64::*;

use super::{
    float::{each_lane, load_sixteen, reduce},
    load::{load_ps, store_ps},
};
use crate::scalar::reduce::LANES;

/// Twin of [`scalar::rms_norm::rms_norm`](crate::scalar::rms_norm::rms_norm).
#[target_feature(enable = "avx2,fma")]
pub(super) fn rms_norm(x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) {
    let scale = 1.0 / (sum_of_squares(x) / x.len() as f32 + eps).sqrt();
    let all = _mm256_set1_ps(scale);
    let ((x, x_rest), (w, w_rest)) = (x.as_chunks::<8>(), w.as_chunks::<8>());
    let (y, y_rest) = y.as_chunks_mut::<8>();
    for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
        store_ps(y, _mm256_mul_ps(_mm256_mul_ps(load_ps(x), all), load_ps(w)));
    }
    for ((y, x), w) in y_rest.iter_mut().zip(x_rest).zip(w_rest) {
        *y = x * scale * w;
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn sum_of_squares(x: &[f32]) -> f32 {
    let (parts, rest) = x.as_chunks::<LANES>();
    let mut sum = [_mm256_setzero_ps(); 2];
    for x in parts {
        let [a, b] = load_sixteen(x);
        sum = [_mm256_fmadd_ps(a, a, sum[0]), _mm256_fmadd_ps(b, b, sum[1])];
    }
    each_lane(&mut sum, |lanes| {
        for (x, lane) in rest.iter().zip(lanes) {
            *lane = x.mul_add(*x, *lane);
        }
    });
    reduce(sum)
}
