//! The GEMM of each weight type that has one scale a block. Rows beyond whole sixteens are those of AVX-512.

use super::gemm::gemm;
use crate::{
    activations::ActRows,
    block::{self, BlockIq4Nl, BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0},
    dispatch::MatKernels,
    tile::TileMut,
    weight_type::WeightType,
    x86_64::avx512vnni::{
        rows::{self, ROWS},
        types as avx512,
    },
};

/// Vectors up to which AVX-512 is faster: a tile takes sixteen, there or not, and its sums go through memory.
const FEW: usize = 24;

/// A module of the GEMM of one type: its block, how sixteen rows are unpacked, what then is to be taken
/// off the bytes, and whether the type has minimums.
macro_rules! blocks_of_32 {
    ($name:ident, $block:ty, $rows:path, $offset:literal, $min:literal) => {
        mod $name {
            use super::*;

            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
            fn gemm_rows(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
                let (n, m) = (y.n(), y.m() / ROWS * ROWS);
                let (done, left) = w.split_at(w.len() / y.m().max(1) * m);
                if done.is_empty() || n <= FEW {
                    avx512::$name::gemm_rows(w, x, y);
                    return;
                }
                gemm::<_, $min>(
                    block::cast::<$block>(done),
                    x,
                    &mut y.part(0..n, 0..m),
                    |b| $rows(b).less($offset),
                );
                let whole_m = y.m();
                if m < whole_m {
                    avx512::$name::gemm_rows(left, x, &mut y.part(0..n, m..whole_m));
                }
            }

            /// Puts the kernel of this tier into the table.
            pub(super) fn install(mat: &mut MatKernels) {
                mat.gemm = gemm_rows;
            }
        }
    };
}

blocks_of_32!(q4_0, BlockQ4_0, rows::rows_q4_0, 8, false);
blocks_of_32!(q4_1, BlockQ4_1, rows::rows_q4_1, 0, true);
blocks_of_32!(q5_0, BlockQ5_0, rows::rows_q5_0, 16, false);
blocks_of_32!(q5_1, BlockQ5_1, rows::rows_q5_1, 0, true);
blocks_of_32!(q8_0, BlockQ8_0, rows::rows_q8_0, 128, false);
blocks_of_32!(iq4_nl, BlockIq4Nl, rows::rows_iq4_nl, 128, false);

/// Puts the kernels of this tier into the table.
pub(super) fn install(mat: &mut [MatKernels; WeightType::ALL.len()]) {
    q4_0::install(&mut mat[WeightType::Q4_0 as usize]);
    q4_1::install(&mut mat[WeightType::Q4_1 as usize]);
    q5_0::install(&mut mat[WeightType::Q5_0 as usize]);
    q5_1::install(&mut mat[WeightType::Q5_1 as usize]);
    q8_0::install(&mut mat[WeightType::Q8_0 as usize]);
    iq4_nl::install(&mut mat[WeightType::IQ4_NL as usize]);
}
