//! NEON with the dot-product extension.

pub(super) mod dot;
mod gemm;
pub(super) mod rows_32;
pub(super) mod rows_k;
mod tile;

use dot::{dot, dot_16};

use super::{
    ints,
    mat::{mat, quantized},
    rows, super_rows,
};
use crate::{
    block::{
        BlockIq4Nl, BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4_0, BlockQ4_1, BlockQ4K, BlockQ5_0,
        BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0,
    },
    dispatch::Kernels,
    weight_type::WeightType,
};

/// Puts this tier's kernels into `table`. The caller has checked that the CPU runs them.
pub(crate) fn install(table: &mut Kernels) {
    quantized(|ty, mat| table.mat[ty as usize] = mat);
}

quantized!("neon,dotprod");
