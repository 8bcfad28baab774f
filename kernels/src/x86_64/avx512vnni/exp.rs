//! Twin of [`scalar::exp`](crate::scalar::exp), sixteen at a time.

use core::arch::x86_64::*;

use crate::scalar::exp::{EXP_HIGH, EXP_LOW, EXP_POLY, LN2_HIGH, LN2_LOW};

/// `e^x`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn exp(x: __m512) -> __m512 {
    let keep = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(x, _mm512_set1_ps(EXP_LOW));
    // `min` answers with its second operand where one is NaN, and so keeps a NaN of x.
    let x = _mm512_min_ps(_mm512_set1_ps(EXP_HIGH), x);
    let n = _mm512_mul_ps(x, _mm512_set1_ps(std::f32::consts::LOG2_E));
    // To whole numbers, ties to even, without exceptions.
    let n = _mm512_roundscale_ps::<0x08>(n);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN2_HIGH), x);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN2_LOW), r);
    let mut p = _mm512_set1_ps(EXP_POLY[0]);
    for c in &EXP_POLY[1..] {
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(*c));
    }
    let y = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r);
    let y = _mm512_add_ps(y, _mm512_set1_ps(1.0));
    // Times 2^n: exact, since the result is a normal number.
    _mm512_maskz_scalef_ps(keep, y, n)
}
