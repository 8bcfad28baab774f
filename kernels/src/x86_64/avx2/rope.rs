//! Twin of [`scalar::rope`](crate::scalar::rope).

use core::arch::x86_64::*;

use super::load::{load_ps, load_ps_128, store_ps};
use crate::scalar;

/// Twin of [`scalar::rope::rope`]: four pairs at a time.
#[target_feature(enable = "avx2,fma")]
pub(super) fn rope(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (x, x_rest) = x[..2 * cos.len()].as_chunks_mut::<8>();
    let ((cos, cos_rest), (sin, sin_rest)) = (cos.as_chunks::<4>(), sin.as_chunks::<4>());
    for ((x, cos), sin) in x.iter_mut().zip(cos).zip(sin) {
        let (c, s) = (load_ps_128(cos), load_ps_128(sin));
        let (low, high) = (_mm_unpacklo_ps(c, s), _mm_unpackhi_ps(c, s));
        let cs = _mm256_set_m128(high, low);
        let sc = _mm256_permute_ps::<0b10_11_00_01>(cs);
        let pairs = load_ps(x);
        let (a, b) = (_mm256_moveldup_ps(pairs), _mm256_movehdup_ps(pairs));
        // Even lanes a c - b s, odd lanes a s + b c; the product with b is the rounded one.
        store_ps(x, _mm256_fmaddsub_ps(a, cs, _mm256_mul_ps(b, sc)));
    }
    scalar::rope::rope(x_rest, cos_rest, sin_rest);
}
