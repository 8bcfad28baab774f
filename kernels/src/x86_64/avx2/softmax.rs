//! Twin of [`scalar::softmax`](crate::scalar::softmax).

use core::arch::x86_64::*;

use super::{
    exp::exp,
    float::{each_lane, load_sixteen, reduce},
    load::{load_ps, store_ps},
    quantize::horizontal_max,
};
use crate::scalar::{self, reduce::LANES};

/// Twin of [`scalar::softmax::softmax_part`].
#[target_feature(enable = "avx2,fma")]
pub(super) fn softmax_part(x: &mut [f32]) -> (f32, f32) {
    let (parts, rest) = x.as_chunks_mut::<LANES>();
    let mut max = _mm256_set1_ps(f32::NEG_INFINITY);
    for x in &*parts {
        // `max` answers with its second operand where the first is NaN.
        let [a, b] = load_sixteen(x);
        max = _mm256_max_ps(b, _mm256_max_ps(a, max));
    }
    let max = rest.iter().copied().fold(horizontal_max(max), f32::max);
    if max == f32::NEG_INFINITY {
        x.fill(0.0);
        return (max, 0.0);
    }
    let all = _mm256_set1_ps(max);
    let mut sum = [_mm256_setzero_ps(); 2];
    for x in parts {
        let halves: &mut [[f32; 8]; 2] = bytemuck::cast_mut(x);
        for (x, sum) in halves.iter_mut().zip(&mut sum) {
            let e = exp(_mm256_sub_ps(load_ps(x), all));
            store_ps(x, e);
            *sum = _mm256_add_ps(*sum, e);
        }
    }
    if !rest.is_empty() {
        each_lane(&mut sum, |lanes| {
            for (x, lane) in rest.iter_mut().zip(lanes) {
                *x = scalar::exp::exp(*x - max);
                *lane += *x;
            }
        });
    }
    (max, reduce(sum))
}
