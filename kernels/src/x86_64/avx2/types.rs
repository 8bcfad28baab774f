//! The matrix kernels of each weight type, put together from their parts.

use super::{
    dot, float,
    gemm::gemm,
    gemv::gemv,
    rows::{Rows32, rows_iq4_nl, rows_q4_0, rows_q4_1, rows_q5_0, rows_q5_1, rows_q8_0},
    sums::step_32,
};
use crate::{
    activations::{ActRow, ActRows},
    block::{
        self, BlockBf16, BlockF16, BlockF32, BlockIq4Nl, BlockQ4_0, BlockQ4_1, BlockQ5_0,
        BlockQ5_1, BlockQ8_0,
    },
    dispatch::MatKernels,
    tile::TileMut,
    weight_type::WeightType,
};

/// Blocks of 32 in a panel: 10 KB.
const CHUNK_32: usize = 32;

/// A module of `dot`, `gemv` and `gemm` for one type of 32 weights a block.
///
/// `RUN`, `SIGNED`, `OFFSET` and `MIN` are those of [`step_32`].
macro_rules! blocks_of_32 {
    ($name:ident, $block:ty, $dot:path, $rows:path, $($step:literal),*) => {
        mod $name {
            use super::*;

            #[target_feature(enable = "avx2,fma,f16c")]
            fn dot(w: &[u8], x: ActRow<'_>) -> f32 {
                $dot(block::cast(w), x)
            }

            #[target_feature(enable = "avx2,fma,f16c")]
            fn gemv_rows(w: &[u8], x: ActRow<'_>, y: &mut [f32]) {
                gemv(
                    block::cast::<$block>(w), x, y,
                    |b| $rows(b),
                    |acc, u, x, i| step_32::<1, $($step),*>(acc, u, x, i),
                    |w, x| $dot(w, x),
                );
            }

            #[target_feature(enable = "avx2,fma,f16c")]
            fn gemm_rows(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
                gemm::<_, _, _, CHUNK_32>(
                    block::cast::<$block>(w), x, y, Rows32::empty(),
                    |b| $rows(b),
                    |acc, u, x, i| step_32::<4, $($step),*>(acc, u, x, i),
                    |acc, u, x, i| step_32::<1, $($step),*>(acc, u, x, i),
                    |w, x| $dot(w, x),
                );
            }

            pub(super) const KERNELS: MatKernels = MatKernels { dot, gemv: gemv_rows, gemm: gemm_rows };
        }
    };
}

blocks_of_32!(
    q4_0,
    BlockQ4_0,
    dot::dot_q4_0_q8_0,
    rows_q4_0,
    8,
    false,
    8,
    false
);
blocks_of_32!(
    q4_1,
    BlockQ4_1,
    dot::dot_q4_1_q8_1,
    rows_q4_1,
    8,
    false,
    0,
    true
);
blocks_of_32!(
    q5_0,
    BlockQ5_0,
    dot::dot_q5_0_q8_0,
    rows_q5_0,
    4,
    false,
    16,
    false
);
blocks_of_32!(
    q5_1,
    BlockQ5_1,
    dot::dot_q5_1_q8_1,
    rows_q5_1,
    4,
    false,
    0,
    true
);
blocks_of_32!(
    q8_0,
    BlockQ8_0,
    dot::dot_q8_0_q8_0,
    rows_q8_0,
    1,
    true,
    0,
    false
);
blocks_of_32!(
    iq4_nl,
    BlockIq4Nl,
    dot::dot_iq4_nl_q8_0,
    rows_iq4_nl,
    1,
    true,
    0,
    false
);

/// A module of `dot`, `gemv` and `gemm` for one type of floats.
macro_rules! floats {
    ($name:ident, $block:ty, $sixteen:path) => {
        mod $name {
            use super::*;

            #[target_feature(enable = "avx2,fma,f16c")]
            fn dot(w: &[u8], x: ActRow<'_>) -> f32 {
                let w = block::cast::<$block>(w);
                let [[y]] = float::dots([w], [x.f], |w| $sixteen(w), |w| w.to_f32());
                y
            }

            #[target_feature(enable = "avx2,fma,f16c")]
            fn gemv(w: &[u8], x: ActRow<'_>, y: &mut [f32]) {
                float::gemv(
                    block::cast::<$block>(w),
                    x,
                    y,
                    |w| $sixteen(w),
                    |w| w.to_f32(),
                );
            }

            #[target_feature(enable = "avx2,fma,f16c")]
            fn gemm(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
                float::gemm(
                    block::cast::<$block>(w),
                    x,
                    y,
                    |w| $sixteen(w),
                    |w| w.to_f32(),
                );
            }

            pub(super) const KERNELS: MatKernels = MatKernels { dot, gemv, gemm };
        }
    };
}

floats!(single, BlockF32, float::sixteen_f32);
floats!(half, BlockF16, float::sixteen_f16);
floats!(bf16, BlockBf16, float::sixteen_bf16);

/// Puts the kernels of this tier into the table.
pub(super) fn install(mat: &mut [MatKernels; WeightType::ALL.len()]) {
    mat[WeightType::F32 as usize] = single::KERNELS;
    mat[WeightType::F16 as usize] = half::KERNELS;
    mat[WeightType::BF16 as usize] = bf16::KERNELS;
    mat[WeightType::Q4_0 as usize] = q4_0::KERNELS;
    mat[WeightType::Q4_1 as usize] = q4_1::KERNELS;
    mat[WeightType::Q5_0 as usize] = q5_0::KERNELS;
    mat[WeightType::Q5_1 as usize] = q5_1::KERNELS;
    mat[WeightType::Q8_0 as usize] = q8_0::KERNELS;
    mat[WeightType::IQ4_NL as usize] = iq4_nl::KERNELS;
}
