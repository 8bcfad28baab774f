//! NEON with the dot-product extension.

mod dot;

use super::{mat::mat, rows, super_rows};
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
    use dot::{dot, dot_16};
    let mut set = |ty: WeightType, mat| table.mat[ty as usize] = mat;
    set(
        WeightType::Q4_0,
        mat!("neon,dotprod", BlockQ4_0, rows::q4_0, dot),
    );
    set(
        WeightType::Q4_1,
        mat!("neon,dotprod", BlockQ4_1, rows::q4_1, dot),
    );
    set(
        WeightType::Q5_0,
        mat!("neon,dotprod", BlockQ5_0, rows::q5_0, dot),
    );
    set(
        WeightType::Q5_1,
        mat!("neon,dotprod", BlockQ5_1, rows::q5_1, dot),
    );
    set(
        WeightType::Q8_0,
        mat!("neon,dotprod", BlockQ8_0, rows::q8_0, dot),
    );
    set(
        WeightType::IQ4_NL,
        mat!("neon,dotprod", BlockIq4Nl, rows::iq4_nl, dot),
    );
    set(
        WeightType::Q2_K,
        mat!("neon,dotprod", BlockQ2K, super_rows::q2_k, dot_16),
    );
    set(
        WeightType::Q3_K,
        mat!("neon,dotprod", BlockQ3K, super_rows::q3_k, dot_16),
    );
    set(
        WeightType::Q4_K,
        mat!("neon,dotprod", BlockQ4K, super_rows::q4_k, dot),
    );
    set(
        WeightType::Q5_K,
        mat!("neon,dotprod", BlockQ5K, super_rows::q5_k, dot),
    );
    set(
        WeightType::Q6_K,
        mat!("neon,dotprod", BlockQ6K, super_rows::q6_k, dot_16),
    );
    set(
        WeightType::IQ4_XS,
        mat!("neon,dotprod", BlockIq4Xs, super_rows::iq4_xs, dot),
    );
}
