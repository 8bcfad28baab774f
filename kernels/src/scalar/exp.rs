//! `e^x`, by operations that every tier can repeat bit for bit.

/// Below this the result is 0.
pub const EXP_LOW: f32 = -87.0;
/// Above this the argument is taken as this.
pub const EXP_HIGH: f32 = 88.0;
/// `ln 2` in two parts, after Cody and Waite: the first has trailing zeros, so `n * LN2_HIGH` is exact.
pub const LN2_HIGH: f32 = 0.693_359_4;
/// `ln 2 - LN2_HIGH`.
pub const LN2_LOW: f32 = -2.121_944_4e-4;
/// Coefficients of `(e^r - 1 - r) / r²` on `|r| <= ln 2 / 2`, highest power first (Cephes `expf`).
pub const EXP_POLY: [f32; 6] = [
    1.987_569_1e-4,
    1.398_199_9e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    1.666_666_5e-1,
    0.5,
];

/// `e^x` within 2 units in the last place; 0 below [`EXP_LOW`]; NaN gives NaN.
///
/// `n = round(x / ln 2)`, `r = x - n ln 2`, `e^x = 2^n (1 + r + r² p(r))`.
#[must_use]
#[inline]
pub fn exp(x: f32) -> f32 {
    if x < EXP_LOW {
        return 0.0;
    }
    let x = if x > EXP_HIGH { EXP_HIGH } else { x };
    let n = (x * std::f32::consts::LOG2_E).round_ties_even();
    let r = (-n).mul_add(LN2_HIGH, x);
    let r = (-n).mul_add(LN2_LOW, r);
    let mut p = EXP_POLY[0];
    for c in &EXP_POLY[1..] {
        p = p.mul_add(r, *c);
    }
    let y = p.mul_add(r * r, r) + 1.0;
    // 2^n: n lies in -126..=127, so the exponent field never overflows.
    y * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    #[test]
    fn exp_is_close_to_the_true_one() {
        let mut x = -87.0f32;
        while x < 88.0 {
            let (got, want) = (f64::from(super::exp(x)), f64::from(x).exp());
            assert!(
                (got / want - 1.0).abs() < 2.5e-7,
                "exp({x}) = {got}, not {want}"
            );
            x += 0.00137;
        }
        assert_eq!(super::exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(super::exp(0.0), 1.0);
        assert!(super::exp(f32::NAN).is_nan());
    }
}
