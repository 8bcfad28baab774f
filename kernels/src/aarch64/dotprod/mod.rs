//! NEON with the dot-product extension.

mod dot;
mod gemm;

use dot::{dot, dot_16};

use super::{ints, mat::mat, rows, super_rows};
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
    let mut set = |ty: WeightType, mat| table.mat[ty as usize] = mat;
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
}

mat!(fn q4_0, "neon,dotprod", BlockQ4_0, rows::q4_0, dot, |w, x, y| {
    gemm::blocks::<false, _>(w, x, y, |w| ints::q4_0(w));
});
mat!(fn q4_1, "neon,dotprod", BlockQ4_1, rows::q4_1, dot, |w, x, y| {
    gemm::blocks::<true, _>(w, x, y, |w| ints::q4_1(w));
});
mat!(fn q5_0, "neon,dotprod", BlockQ5_0, rows::q5_0, dot, |w, x, y| {
    gemm::blocks::<false, _>(w, x, y, |w| ints::q5_0(w));
});
mat!(fn q5_1, "neon,dotprod", BlockQ5_1, rows::q5_1, dot, |w, x, y| {
    gemm::blocks::<true, _>(w, x, y, |w| ints::q5_1(w));
});
mat!(fn q8_0, "neon,dotprod", BlockQ8_0, rows::q8_0, dot, |w, x, y| {
    gemm::blocks::<false, _>(w, x, y, |w| ints::q8_0(w));
});
mat!(fn iq4_nl, "neon,dotprod", BlockIq4Nl, rows::iq4_nl, dot, |w, x, y| {
    gemm::blocks::<false, _>(w, x, y, |w| ints::iq4_nl(w));
});
mat!(fn q2_k, "neon,dotprod", BlockQ2K, super_rows::q2_k, dot_16, |w, x, y| {
    gemm::super_blocks(w, x, y, |w| ints::q2_k(w));
});
mat!(fn q3_k, "neon,dotprod", BlockQ3K, super_rows::q3_k, dot_16, |w, x, y| {
    gemm::super_blocks(w, x, y, |w| ints::q3_k(w));
});
mat!(fn q4_k, "neon,dotprod", BlockQ4K, super_rows::q4_k, dot, |w, x, y| {
    gemm::super_blocks(w, x, y, |w| ints::q4_k(w));
});
mat!(fn q5_k, "neon,dotprod", BlockQ5K, super_rows::q5_k, dot, |w, x, y| {
    gemm::super_blocks(w, x, y, |w| ints::q5_k(w));
});
mat!(fn q6_k, "neon,dotprod", BlockQ6K, super_rows::q6_k, dot_16, |w, x, y| {
    gemm::super_blocks(w, x, y, |w| ints::q6_k(w));
});
mat!(fn iq4_xs, "neon,dotprod", BlockIq4Xs, super_rows::iq4_xs, dot, |w, x, y| {
    gemm::super_blocks(w, x, y, |w| ints::iq4_xs(w));
});
