//! The three matrix operations of a type from its rows.

/// Stamps the three operations of one type with a tier's features: a function that gives
/// [`MatKernels`], in whose name the symbols of the operations are.
///
/// `$rows(w, x)` or `$rows(w, x, dot)` gives the products of 1 or 4 rows in lanes; `$gemm(w, x, y)`, if
/// there is one, does the GEMM of all whole fours of rows.
///
/// [`MatKernels`]: crate::dispatch::MatKernels
macro_rules! mat {
    (fn $name:ident, $features:literal, $block:ty, $rows:path $(, $dot:ident)? $(; $gemm:expr)?) => {
        fn $name() -> crate::dispatch::MatKernels {
        use crate::{
            aarch64::lanes,
            activations::{ActRow, ActRows},
            block,
            dispatch::MatKernels,
            tile::TileMut,
        };

        #[target_feature(enable = $features)]
        fn dot_row(w: &[u8], x: ActRow<'_>) -> f32 {
            lanes::first($rows([block::cast::<$block>(w)], x $(, |a, w, x| $dot(a, w, x))?))
        }

        #[target_feature(enable = $features)]
        fn gemv(w: &[u8], x: ActRow<'_>, y: &mut [f32]) {
            lanes::gemv(
                block::cast::<$block>(w),
                x,
                y,
                |w, x| $rows(w, x $(, |a, w, x| $dot(a, w, x))?),
                |w, x| $rows(w, x $(, |a, w, x| $dot(a, w, x))?),
            );
        }

        #[target_feature(enable = $features)]
        fn gemm(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
            let w = block::cast::<$block>(w);
            // It takes whole fours of rows; the rest goes as in a GEMV.
            $(
                let gemm = $gemm;
                gemm(w, x, y);
                let done = y.m() / 4 * 4;
                let w = &w[done * x.k() / <$block as block::Block>::LEN..];
                let y = &mut y.columns(done, y.m() - done);
            )?
            lanes::gemm(
                w,
                x,
                y,
                |w, x| $rows(w, x $(, |a, w, x| $dot(a, w, x))?),
                |w, x| $rows(w, x $(, |a, w, x| $dot(a, w, x))?),
            );
        }

        MatKernels { dot: dot_row, gemv, gemm }
        }
    };
}
pub(super) use mat;

/// Stamps the quantized types with a tier's features: `quantized(set)` calls `set` with each.
///
/// The tier has `dot` and `dot_16`, products of 32 and of 16 integers for rows, and a module `gemm` of panels.
macro_rules! quantized {
    ($features:literal) => {
        fn quantized(mut set: impl FnMut(WeightType, crate::dispatch::MatKernels)) {
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

        mat!(fn q4_0, $features, BlockQ4_0, rows_32::q4_0, dot; |w, x, y| {
            gemm::blocks::<false, _>(w, x, y, |w| ints::q4_0(w));
        });
        mat!(fn q4_1, $features, BlockQ4_1, rows::q4_1, dot; |w, x, y| {
            gemm::blocks::<true, _>(w, x, y, |w| ints::q4_1(w));
        });
        mat!(fn q5_0, $features, BlockQ5_0, rows::q5_0, dot; |w, x, y| {
            gemm::blocks::<false, _>(w, x, y, |w| ints::q5_0(w));
        });
        mat!(fn q5_1, $features, BlockQ5_1, rows::q5_1, dot; |w, x, y| {
            gemm::blocks::<true, _>(w, x, y, |w| ints::q5_1(w));
        });
        mat!(fn q8_0, $features, BlockQ8_0, rows_32::q8_0, dot; |w, x, y| {
            gemm::blocks::<false, _>(w, x, y, |w| ints::q8_0(w));
        });
        mat!(fn iq4_nl, $features, BlockIq4Nl, rows::iq4_nl, dot; |w, x, y| {
            gemm::blocks::<false, _>(w, x, y, |w| ints::iq4_nl(w));
        });
        mat!(fn q2_k, $features, BlockQ2K, super_rows::q2_k, dot_16; |w, x, y| {
            gemm::super_blocks(w, x, y, |w| ints::q2_k(w));
        });
        mat!(fn q3_k, $features, BlockQ3K, super_rows::q3_k, dot_16; |w, x, y| {
            gemm::super_blocks(w, x, y, |w| ints::q3_k(w));
        });
        mat!(fn q4_k, $features, BlockQ4K, rows_k::q4_k, dot; |w, x, y| {
            gemm::super_blocks(w, x, y, |w| ints::q4_k(w));
        });
        mat!(fn q5_k, $features, BlockQ5K, rows_k::q5_k, dot; |w, x, y| {
            gemm::super_blocks(w, x, y, |w| ints::q5_k(w));
        });
        mat!(fn q6_k, $features, BlockQ6K, super_rows::q6_k, dot_16; |w, x, y| {
            gemm::super_blocks(w, x, y, |w| ints::q6_k(w));
        });
        mat!(fn iq4_xs, $features, BlockIq4Xs, super_rows::iq4_xs, dot; |w, x, y| {
            gemm::super_blocks(w, x, y, |w| ints::iq4_xs(w));
        });
    };
}
pub(super) use quantized;
