//! AVX2, FMA and F16C: every x86-64 laptop since 2013.
//!
//! Everything here is a safe `#[target_feature]` function over arrays; see [`rows`] for the layout
//! that the matrix kernels share.

pub(super) mod dot;
pub(super) mod dot_k;
mod exp;
mod float;
pub(super) mod gemm;
pub(super) mod gemv;
pub(super) mod load;
mod mix;
pub(super) mod quantize;
mod rms_norm;
mod rope;
pub(super) mod rows;
pub(super) mod rows_k;
mod softmax;
mod sums;
mod swiglu;
pub(super) mod types;

use crate::{dispatch::Kernels, scalar};

/// Puts this tier's kernels into `table`. The caller has checked that the CPU runs them.
pub(crate) fn install(table: &mut Kernels) {
    types::install(&mut table.mat);
    table.mix_f32 = mix::mix_f32;
    table.mix_f16 = mix::mix_f16;
    table.mix_q8_0 = mix::mix_q8_0;
    table.mix_q4_0 = mix::mix_q4_0;
    table.quantize = quantize::quantize;
    table.rms_norm = rms_norm::rms_norm;
    table.rope = rope::rope;
    table.hadamard = hadamard;
    table.softmax_part = softmax::softmax_part;
    table.swiglu = swiglu::swiglu;
    table.add = add;
    table.scale_and_add = scale_and_add;
}

/// Twin of [`scalar::hadamard`](scalar::hadamard::hadamard): the same loops, compiled for this tier.
#[target_feature(enable = "avx2")]
fn hadamard(x: &mut [f32]) {
    scalar::hadamard::hadamard(x);
}

/// Twin of [`scalar::add`]: the same loop, compiled for this tier.
#[target_feature(enable = "avx2")]
fn add(x: &mut [f32], y: &[f32]) {
    scalar::add(x, y);
}

/// Twin of [`scalar::scale_and_add`]: the same loop, compiled for this tier.
#[target_feature(enable = "avx2")]
fn scale_and_add(x: &mut [f32], a: f32, y: &[f32], b: f32) {
    scalar::scale_and_add(x, a, y, b);
}
