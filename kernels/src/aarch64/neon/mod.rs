//! NEON as every 64-bit Arm CPU has it.

pub(super) mod dot;
mod exp;
mod float;
mod mix;
mod quantize;
mod rms_norm;
mod rope;
mod softmax;
mod swiglu;

use dot::{dot, dot_16, dot_narrow};

use super::{mat::mat, rows, super_rows};
use crate::{
    block::{
        BlockBf16, BlockF16, BlockF32, BlockIq4Nl, BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4_0,
        BlockQ4_1, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0,
    },
    dispatch::Kernels,
    weight_type::WeightType,
};

/// Puts this tier's kernels into `table`. The caller has checked that the CPU runs them.
///
/// `add` and `hadamard` stay: the definitions themselves are compiled to NEON.
pub(crate) fn install(table: &mut Kernels) {
    let mut set = |ty: WeightType, mat| table.mat[ty as usize] = mat;
    set(WeightType::F32, f32());
    set(WeightType::F16, f16());
    set(WeightType::BF16, bf16());
    set(WeightType::Q4_0, q4_0());
    set(WeightType::Q4_1, q4_1());
    set(WeightType::Q5_0, q5_0());
    set(WeightType::Q5_1, q5_1());
    set(WeightType::Q8_0, q8_0());
    set(WeightType::IQ4_NL, iq4_nl());
    set(WeightType::Q2_K, q2_k());
    set(WeightType::Q3_K, q3_k());
    set(WeightType::Q4_K, q4_k());
    set(WeightType::Q5_K, q5_k());
    set(WeightType::Q6_K, q6_k());
    set(WeightType::IQ4_XS, iq4_xs());
    table.mix_f32 = mix::mix_f32;
    table.mix_f16 = mix::mix_f16;
    table.mix_q8_0 = mix::mix_q8_0;
    table.mix_q4_0 = mix::mix_q4_0;
    table.quantize = quantize::quantize;
    table.rms_norm = rms_norm::rms_norm;
    table.rope = rope::rope;
    table.softmax_part = softmax::softmax_part;
    table.swiglu = swiglu::swiglu;
}

mat!(fn f32, "neon", BlockF32, float::f32; |w, x, y| float::gemm_f32(w, x, y));
mat!(fn f16, "neon", BlockF16, float::f16; |w, x, y| float::gemm_f16(w, x, y));
mat!(fn bf16, "neon", BlockBf16, float::bf16; |w, x, y| float::gemm_bf16(w, x, y));
mat!(fn q4_0, "neon", BlockQ4_0, rows::q4_0, dot_narrow);
mat!(fn q4_1, "neon", BlockQ4_1, rows::q4_1, dot_narrow);
mat!(fn q5_0, "neon", BlockQ5_0, rows::q5_0, dot_narrow);
mat!(fn q5_1, "neon", BlockQ5_1, rows::q5_1, dot_narrow);
mat!(fn q8_0, "neon", BlockQ8_0, rows::q8_0, dot);
mat!(fn iq4_nl, "neon", BlockIq4Nl, rows::iq4_nl, dot);
mat!(fn q2_k, "neon", BlockQ2K, super_rows::q2_k, dot_16);
mat!(fn q3_k, "neon", BlockQ3K, super_rows::q3_k, dot_16);
mat!(fn q4_k, "neon", BlockQ4K, super_rows::q4_k, dot_narrow);
mat!(fn q5_k, "neon", BlockQ5K, super_rows::q5_k, dot_narrow);
mat!(fn q6_k, "neon", BlockQ6K, super_rows::q6_k, dot_16);
mat!(fn iq4_xs, "neon", BlockIq4Xs, super_rows::iq4_xs, dot);
