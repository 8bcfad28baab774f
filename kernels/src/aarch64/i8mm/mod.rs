//! NEON with dot products and 8-bit matrix products, which multiply two rows by two vectors: several vectors only.

mod gemm;
mod tile;

use super::{
    dotprod::{
        dot::{dot, dot_16},
        rows_32, rows_k,
    },
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

/// Puts this tier's kernels into `table`, beside those of dot products. The caller has checked that the CPU runs them.
pub(crate) fn install(table: &mut Kernels) {
    quantized(|ty, mat| table.mat[ty as usize].gemm = mat.gemm);
}

quantized!("neon,dotprod,i8mm");
