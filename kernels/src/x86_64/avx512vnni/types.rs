//! The matrix kernels of each weight type, put together from their parts. A row alone, and the rows
//! beyond whole sixteens, are those of AVX2.

use core::arch::x86_64::_mm512_setzero_si512;

use super::{
    few::{few, padded},
    float::{self, SIDE},
    gemm::{VECTORS, gemm},
    load,
    rows::{
        ROWS, Rows32, each_iq4_nl, each_q4_0, each_q4_1, each_q5_0, each_q5_1, each_q8_0,
        rows_iq4_nl, rows_q4_0, rows_q4_1, rows_q5_0, rows_q5_1, rows_q8_0,
    },
    rows_k::{Header, Rows256, each_iq4_xs, each_q2_k, each_q3_k, each_q4_k, each_q5_k, each_q6_k},
    sums::{add_sub_blocks, finish_256, step_32, step_256},
};
use crate::{
    activations::{ActRow, ActRows},
    block::{
        self, BlockBf16, BlockF16, BlockF32, BlockIq4Nl, BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4_0,
        BlockQ4_1, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0,
    },
    dispatch::MatKernels,
    scalar::reduce::LANES,
    tile::TileMut,
    weight_type::WeightType,
    x86_64::avx2::types as avx2,
};

/// Blocks of 32 in a panel: 20 KB.
const CHUNK_32: usize = 32;

/// Super-blocks in a panel: 23 KB.
const CHUNK_256: usize = 4;

/// The GEMV and GEMM of one type of integers.
///
/// `$few` calls [`few`], where few vectors meet the weights in registers. More meet them in a panel of `$chunk`
/// blocks: `$empty` and `$unpack` are the sixteen rows side by side, and `$step` takes them into the accumulators,
/// with its constants.
macro_rules! integers {
    (
        $name:ident, $block:ty, |$w:ident, $x:ident, $y:ident| $few:expr,
        $chunk:ident, $empty:path, $unpack:expr, $step:ident <$($n:literal),*>
    ) => {
        pub(in crate::x86_64) mod $name {
            use super::*;

            /// [`few`] of this type.
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
            fn few_rows<const N: usize>($w: &[$block], $x: [ActRow<'_>; N], $y: &mut TileMut<'_>) {
                $few
            }

            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
            fn gemv_rows(w: &[u8], x: ActRow<'_>, y: &mut [f32]) {
                let m = y.len() / ROWS * ROWS;
                let (done, left) = w.split_at(w.len() / y.len().max(1) * m);
                if done.is_empty() {
                    avx2::$name::gemv_rows(w, x, y);
                    return;
                }
                let (y, y_left) = y.split_at_mut(m);
                few_rows(block::cast(done), [x], &mut TileMut::new(y, m));
                if !left.is_empty() {
                    avx2::$name::gemv_rows(left, x, y_left);
                }
            }

            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
            pub(in crate::x86_64) fn gemm_rows(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
                let whole = y.m();
                let m = whole / ROWS * ROWS;
                let (done, left) = w.split_at(w.len() / whole.max(1) * m);
                if done.is_empty() {
                    avx2::$name::gemm_rows(w, x, y);
                    return;
                }
                let done = block::cast::<$block>(done);
                let mut tile = y.columns(0, m);
                match tile.n() {
                    1 | 2 => few_rows::<2>(done, padded(x), &mut tile),
                    3 | 4 => few_rows::<4>(done, padded(x), &mut tile),
                    5..=8 => few_rows::<8>(done, padded(x), &mut tile),
                    _ => gemm::<_, _, _, $chunk>(
                        done, x, &mut tile, $empty(), $unpack,
                        |acc, u, x, i| $step::<VECTORS, $($n),*>(acc, u, x, i, || ()),
                |acc, u, x, i| $step::<4, $($n),*>(acc, u, x, i, || ()),
                        |acc, u, x, i| $step::<1, $($n),*>(acc, u, x, i, || ()),
                    ),
                }
                if m < whole {
                    avx2::$name::gemm_rows(left, x, &mut y.columns(m, whole - m));
                }
            }

            /// Puts the kernels of this tier into the table.
            pub(super) fn install(mat: &mut MatKernels) {
                (mat.gemv, mat.gemm) = (gemv_rows, gemm_rows);
            }
        }
    };
}

/// One type of 32 weights a block; `$each` unpacks four neighbouring blocks one after the other. The
/// constants are those of [`step_32`] after the first.
macro_rules! blocks_of_32 {
    ($name:ident, $block:ty, $each:path, $rows:path, $($n:literal),*) => {
        integers!(
            $name, $block,
            |w, x, y| if N < 4 {
                few(
                    w, x, y,
                    |mut acc, rows: [&[_; 4]; ROWS], x, i| {
                        $each(rows, |j, u| acc = step_32::<N, $($n),*>(acc, &u, x, i + j, || ()));
                        acc
                    },
                    |acc, rows, x, i| step_32::<N, $($n),*>(acc, &$rows(rows), x, i, || ()),
                );
            } else {
                // One by one, as a step for many vectors is long and to be there once only.
                few(
                    w, x, y,
                    |acc, rows: [&[_; 1]; ROWS], x, i| {
                        step_32::<N, $($n),*>(acc, &$rows(rows.map(|[b]| b)), x, i, || ())
                    },
                    |acc, _, _, _| acc,
                );
            },
            CHUNK_32, Rows32::empty, |u, b| *u = $rows(b), step_32<$($n),*>
        );
    };
}

/// One type of super-blocks; `$each` unpacks one, 32 weights after the other. The constants are those of [`step_256`]
/// after the first.
macro_rules! super_blocks {
    ($name:ident, $block:ty, $each:path, $sub:literal, $offset:literal, $min:literal) => {
        integers!(
            $name, $block,
            |w, x, y| few(
                w, x, y,
                |acc, rows: [&[$block; 1]; ROWS], x, i| {
                    let (mut sum, mut header) = ([_mm512_setzero_si512(); N], Header::empty());
                    $each(rows.map(|[b]| b), &mut header, |header, j, w| {
                        add_sub_blocks::<N, $sub>(&mut sum, header, (j, w), x, i);
                    });
                    finish_256::<N, $offset, $min>(acc, sum, &header, x, i)
                },
                |acc, _, _, _| acc,
            ),
            CHUNK_256, Rows256::empty,
            |u, b| $each(b, &mut u.header, |_, j, w| u.w[j] = *w),
            step_256<$sub, $offset, $min>
        );
    };
}

// The constants are those of `step_32` after the first.
blocks_of_32!(q4_0, BlockQ4_0, each_q4_0, rows_q4_0, 8, false);
blocks_of_32!(q4_1, BlockQ4_1, each_q4_1, rows_q4_1, 0, true);
blocks_of_32!(q8_0, BlockQ8_0, each_q8_0, rows_q8_0, 128, false);
blocks_of_32!(q5_0, BlockQ5_0, each_q5_0, rows_q5_0, 16, false);
blocks_of_32!(q5_1, BlockQ5_1, each_q5_1, rows_q5_1, 0, true);
blocks_of_32!(iq4_nl, BlockIq4Nl, each_iq4_nl, rows_iq4_nl, 128, false);
// The constants are those of `step_256` after the first.
super_blocks!(q2_k, BlockQ2K, each_q2_k, 16, 0, true);
super_blocks!(q3_k, BlockQ3K, each_q3_k, 16, 4, false);
super_blocks!(q4_k, BlockQ4K, each_q4_k, 32, 0, true);
super_blocks!(q5_k, BlockQ5K, each_q5_k, 32, 0, true);
super_blocks!(q6_k, BlockQ6K, each_q6_k, 16, 32, false);
super_blocks!(iq4_xs, BlockIq4Xs, each_iq4_xs, 32, 128, false);

/// The GEMM of one type of floats.
macro_rules! floats {
    ($name:ident, $block:ty, $load:path) => {
        mod $name {
            use super::*;

            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
            fn gemv(w: &[u8], x: ActRow<'_>, y: &mut [f32]) {
                if x.f.is_empty() || x.f.len() % LANES != 0 {
                    avx2::$name::gemv(w, x, y);
                    return;
                }
                let rows = y.len() / float::ROWS * float::ROWS;
                let (done, left) = w.split_at(w.len() / y.len().max(1) * rows);
                let (y, rest) = y.split_at_mut(rows);
                float::gemv(block::cast::<$block>(done), x.f, y, |w| $load(w));
                avx2::$name::gemv(left, x, rest);
            }

            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
            fn gemm(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
                let (n, whole) = (y.n(), y.m());
                let m = whole / SIDE * SIDE;
                let (done, left) = w.split_at(w.len() / whole.max(1) * m);
                if done.is_empty() || x.k() % LANES != 0 {
                    avx2::$name::gemm(w, x, y);
                    return;
                }
                let tile = &mut y.part(0..n, 0..m);
                float::gemm(block::cast::<$block>(done), x, tile, |w| $load(w));
                if m < whole {
                    avx2::$name::gemm(left, x, &mut y.part(0..n, m..whole));
                }
            }

            /// Puts the kernels of this tier into the table.
            pub(super) fn install(mat: &mut MatKernels) {
                mat.gemv = gemv;
                mat.gemm = gemm;
            }
        }
    };
}

floats!(single, BlockF32, load::load_singles);
floats!(half, BlockF16, load::load_halves);
floats!(bf16, BlockBf16, load::load_bfloats);

/// Puts the kernels of this tier into the table.
pub(super) fn install(mat: &mut [MatKernels; WeightType::ALL.len()]) {
    single::install(&mut mat[WeightType::F32 as usize]);
    half::install(&mut mat[WeightType::F16 as usize]);
    bf16::install(&mut mat[WeightType::BF16 as usize]);
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
