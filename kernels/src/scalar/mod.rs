//! The definition of every operation: plain loops without `unsafe`, by which every tier is judged.
//!
//! An `f32` result has one fixed order of operations, given here; see the crate's front page.

pub mod dot;
pub mod exp;
pub mod gemm;
pub mod gemv;
pub mod hadamard;
pub mod mix;
pub mod quantize;
pub mod reduce;
pub mod rms_norm;
pub mod rope;
pub mod softmax;
pub mod swiglu;

/// `x[i] += y[i]`.
#[inline]
pub fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

/// `x[i] = x[i] * a + y[i] * b`, both products rounded.
#[inline]
pub fn scale_and_add(x: &mut [f32], a: f32, y: &[f32], b: f32) {
    for (x, y) in x.iter_mut().zip(y) {
        *x = *x * a + y * b;
    }
}
