//! The matrix kernels of each weight type, put together from AVX2's parts and the products of this tier. The rows that
//! are left over are AVX2's.

use super::sums::{step_32, step_256};
use crate::{
    activations::{ActRow, ActRows},
    block::{
        self, BlockIq4Nl, BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4_0, BlockQ4_1, BlockQ4K,
        BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0,
    },
    dispatch::MatKernels,
    tile::TileMut,
    weight_type::WeightType,
    x86_64::avx2::{
        dot, dot_k,
        gemm::gemm,
        gemv::gemv,
        rows::{self, Rows32},
        rows_k::{self, Rows256},
        types::{CHUNK_32, CHUNK_256},
    },
};

/// `gemv` and `gemm` for one type of integers; the arguments are those of AVX2's macro of this name.
macro_rules! integers {
    ($name:ident, $block:ty, $chunk:ident, $dot:expr, $empty:path, $rows:expr, $step:ident <$($n:literal),*>) => {
        mod $name {
            use super::*;

            #[target_feature(enable = "avx2,fma,f16c,avxvnni")]
            fn gemv_rows(w: &[u8], x: ActRow<'_>, y: &mut [f32]) {
                gemv(
                    block::cast::<$block>(w), x, y, $empty(), $rows,
                    |acc, u, x, i| $step::<1, $($n),*>(acc, u, x, i),
                    $dot,
                );
            }

            #[target_feature(enable = "avx2,fma,f16c,avxvnni")]
            fn gemm_rows(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
                gemm::<_, _, _, $chunk>(
                    block::cast::<$block>(w), x, y, $empty(), $rows,
                    |acc, u, x, i| $step::<4, $($n),*>(acc, u, x, i),
                    |acc, u, x, i| $step::<1, $($n),*>(acc, u, x, i),
                    $dot,
                );
            }

            /// Puts the kernels of this tier into the table.
            pub(super) fn install(mat: &mut MatKernels) {
                (mat.gemv, mat.gemm) = (gemv_rows, gemm_rows);
            }
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
            $name, $block, CHUNK_256,
            |w: &[$block], x: ActRow<'_>| dot_k::dot_256(w, x, |w, j| $ints(w, j)),
            Rows256::empty, |u, b| $rows(u, b), step_256<$($n),*>
        );
    };
}

blocks_of_32!(
    q4_0,
    BlockQ4_0,
    dot::dot_q4_0_q8_0,
    rows::rows_q4_0,
    false,
    8,
    false
);
blocks_of_32!(
    q4_1,
    BlockQ4_1,
    dot::dot_q4_1_q8_1,
    rows::rows_q4_1,
    false,
    0,
    true
);
blocks_of_32!(
    q5_0,
    BlockQ5_0,
    dot::dot_q5_0_q8_0,
    rows::rows_q5_0,
    false,
    16,
    false
);
blocks_of_32!(
    q5_1,
    BlockQ5_1,
    dot::dot_q5_1_q8_1,
    rows::rows_q5_1,
    false,
    0,
    true
);
blocks_of_32!(
    q8_0,
    BlockQ8_0,
    dot::dot_q8_0_q8_0,
    rows::rows_q8_0,
    true,
    0,
    false
);
blocks_of_32!(
    iq4_nl,
    BlockIq4Nl,
    dot::dot_iq4_nl_q8_0,
    rows::rows_iq4_nl,
    true,
    0,
    false
);
super_blocks!(
    q2_k,
    BlockQ2K,
    dot_k::ints_q2_k,
    rows_k::rows_q2_k,
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
    true,
    32,
    0,
    false
);

/// Puts the kernels of this tier into the table.
pub(super) fn install(mat: &mut [MatKernels; WeightType::ALL.len()]) {
    q4_0::install(&mut mat[WeightType::Q4_0 as usize]);
    q4_1::install(&mut mat[WeightType::Q4_1 as usize]);
    q5_0::install(&mut mat[WeightType::Q5_0 as usize]);
    q5_1::install(&mut mat[WeightType::Q5_1 as usize]);
    q8_0::install(&mut mat[WeightType::Q8_0 as usize]);
    q2_k::install(&mut mat[WeightType::Q2_K as usize]);
    q3_k::install(&mut mat[WeightType::Q3_K as usize]);
    q4_k::install(&mut mat[WeightType::Q4_K as usize]);
    q5_k::install(&mut mat[WeightType::Q5_K as usize]);
    q6_k::install(&mut mat[WeightType::Q6_K as usize]);
    iq4_nl::install(&mut mat[WeightType::IQ4_NL as usize]);
    iq4_xs::install(&mut mat[WeightType::IQ4_XS as usize]);
}
