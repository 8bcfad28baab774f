//! Twins of [`scalar::add`] and [`scalar::scale_and_add`].

use core::arch::x86_64::*;

use super::load::{load_ps, store_ps};
use crate::scalar;

/// Twin of [`scalar::add`].
#[target_feature(enable = "avx512f")]
pub(super) fn add(x: &mut [f32], y: &[f32]) {
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks_mut(), y.as_chunks());
    for (x, y) in x.iter_mut().zip(y) {
        store_ps(x, _mm512_add_ps(load_ps(x), load_ps(y)));
    }
    scalar::add(x_rest, y_rest);
}

/// Twin of [`scalar::scale_and_add`].
#[target_feature(enable = "avx512f")]
pub(super) fn scale_and_add(x: &mut [f32], a: f32, y: &[f32], b: f32) {
    let (all_a, all_b) = (_mm512_set1_ps(a), _mm512_set1_ps(b));
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks_mut(), y.as_chunks());
    for (x, y) in x.iter_mut().zip(y) {
        let scaled = _mm512_mul_ps(load_ps(x), all_a);
        store_ps(x, _mm512_add_ps(scaled, _mm512_mul_ps(load_ps(y), all_b)));
    }
    scalar::scale_and_add(x_rest, a, y_rest, b);
}
