//! The matrix kernels of each weight type, put together from their parts.

use super::{
    dot,
    dot_k::{self, dot_256},
    float,
    gemm::gemm,
    gemv::gemv,
    load,
    rows::{Rows32, rows_iq4_nl, rows_q4_0, rows_q4_1, rows_q5_0, rows_q5_1, rows_q8_0},
    rows_k::{self, Rows256},
    sums::{step_32, step_256},
};
use crate::{
    activations::{ActRow, ActRows},
    block::{
        self, BlockBf16, BlockF16, BlockF32, BlockIq4Nl, BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4_0,
        BlockQ4_1, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0,
    },
    dispatch::MatKernels,
    tile::TileMut,
    weight_type::WeightType,
};

/// Blocks of 32 in a panel: 10 KB.
pub(in crate::x86_64) const CHUNK_32: usize = 32;

/// Super-blocks in a panel: 11 KB.
pub(in crate::x86_64) const CHUNK_256: usize = 4;

/// A module of `dot`, `gemv` and `gemm` for one type of integers.
///
/// `$dot` is the dot product; `$empty` and `$rows` the eight rows side by side; `$step` takes them
/// into the accumulators, with its constants.
macro_rules! integers {
    ($name:ident, $block:ty, $chunk:ident, $dot:expr, $empty:path, $rows:expr, $step:ident <$($n:literal),*>) => {
        pub(in crate::x86_64) mod $name {
            use super::*;

            #[target_feature(enable = "avx2,fma,f16c")]
            fn dot(w: &[u8], x: ActRow<'_>) -> f32 {
                let dot = $dot;
                dot(block::cast(w), x)
            }

            #[target_feature(enable = "avx2,fma,f16c")]
            pub(in crate::x86_64) fn gemv_rows(w: &[u8], x: ActRow<'_>, y: &mut [f32]) {
                gemv(
                    block::cast::<$block>(w), x, y, $empty(), $rows,
                    |acc, u, x, i| $step::<1, $($n),*>(acc, u, x, i),
                    $dot,
                );
            }

            #[target_feature(enable = "avx2,fma,f16c")]
            pub(in crate::x86_64) fn gemm_rows(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
                gemm::<_, _, _, $chunk>(
                    block::cast::<$block>(w), x, y, $empty(), $rows,
                    |acc, u, x, i| $step::<4, $($n),*>(acc, u, x, i),
                    |acc, u, x, i| $step::<1, $($n),*>(acc, u, x, i),
                    $dot,
                );
            }

            pub(super) const KERNELS: MatKernels = MatKernels { dot, gemv: gemv_rows, gemm: gemm_rows };
        }
    };
}

/// One type of 32 weights a block; the constants are those of [`step_32`] after the first.
macro_rules! blocks_of_32 {
    ($name:ident, $block:ty, $dot:path, $rows:path, $($n:literal),*) => {
        integers!(
            $name, $block, CHUNK_32, |w: &[$block], x: ActRow<'_>| $dot(w, x), Rows32::empty,
            |u, b| *u = $rows(b), step_32<$($n),*>
        );
    };
}

/// One type of super-blocks; the constants are those of [`step_256`] after the first.
macro_rules! super_blocks {
    ($name:ident, $block:ty, $ints:path, $rows:path, $($n:literal),*) => {
        integers!(
            $name, $block, CHUNK_256, |w: &[$block], x: ActRow<'_>| dot_256(w, x, |w, j| $ints(w, j)),
            Rows256::empty, |u, b| $rows(u, b), step_256<$($n),*>
        );
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
super_blocks!(
    q2_k,
    BlockQ2K,
    dot_k::ints_q2_k,
    rows_k::rows_q2_k,
    4,
    false,
    16,
    0,
    true
);
super_blocks!(
    q3_k,
    BlockQ3K,
    dot_k::ints_q3_k,
    rows_k::rows_q3_k,
    4,
    false,
    16,
    4,
    false
);
super_blocks!(
    q4_k,
    BlockQ4K,
    dot_k::ints_q4_k,
    rows_k::rows_q4_k,
    8,
    false,
    32,
    0,
    true
);
super_blocks!(
    q5_k,
    BlockQ5K,
    dot_k::ints_q5_k,
    rows_k::rows_q5_k,
    4,
    false,
    32,
    0,
    true
);
super_blocks!(
    q6_k,
    BlockQ6K,
    dot_k::ints_q6_k,
    rows_k::rows_q6_k,
    2,
    false,
    16,
    32,
    false
);
super_blocks!(
    iq4_xs,
    BlockIq4Xs,
    dot_k::ints_iq4_xs,
    rows_k::rows_iq4_xs,
    1,
    true,
    32,
    0,
    false
);

/// A module of `dot`, `gemv` and `gemm` for one type of floats.
macro_rules! floats {
    ($name:ident, $block:ty, $load:path) => {
        pub(in crate::x86_64) mod $name {
            use super::*;

            #[target_feature(enable = "avx2,fma,f16c")]
            fn dot(w: &[u8], x: ActRow<'_>) -> f32 {
                let w = block::cast::<$block>(w);
                let [[y]] = float::dots([w], [x.f], |w| $load(w), |w| w.to_f32());
                y
            }

            #[target_feature(enable = "avx2,fma,f16c")]
            pub(in crate::x86_64) fn gemv(w: &[u8], x: ActRow<'_>, y: &mut [f32]) {
                float::gemv(block::cast::<$block>(w), x, y, |w| $load(w), |w| w.to_f32());
            }

            #[target_feature(enable = "avx2,fma,f16c")]
            pub(in crate::x86_64) fn gemm(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
                float::gemm(block::cast::<$block>(w), x, y, |w| $load(w), |w| w.to_f32());
            }

            pub(super) const KERNELS: MatKernels = MatKernels { dot, gemv, gemm };
        }
    };
}

floats!(single, BlockF32, load::load_singles);
floats!(half, BlockF16, load::load_halves);
floats!(bf16, BlockBf16, float::load_bfloats);

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
    mat[WeightType::Q2_K as usize] = q2_k::KERNELS;
    mat[WeightType::Q3_K as usize] = q3_k::KERNELS;
    mat[WeightType::Q4_K as usize] = q4_k::KERNELS;
    mat[WeightType::Q5_K as usize] = q5_k::KERNELS;
    mat[WeightType::Q6_K as usize] = q6_k::KERNELS;
    mat[WeightType::IQ4_XS as usize] = iq4_xs::KERNELS;
    mat[WeightType::IQ4_NL as usize] = iq4_nl::KERNELS;
}
