//! The three matrix operations of a type from its rows.

/// Stamps the three operations of one type with a tier's features: a function that gives
/// [`MatKernels`], in whose name the symbols of the operations are.
///
/// `$rows(w, x)` or `$rows(w, x, dot)` gives the products of 1 or 4 rows in lanes; `$gemm(w, x, y)`, if
/// there is one, does the GEMM of all whole fours of rows.
///
/// [`MatKernels`]: crate::dispatch::MatKernels
macro_rules! mat {
    (fn $name:ident, $features:literal, $block:ty, $rows:path $(, $dot:ident $(, $gemm:expr)?)?) => {
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
            // The panels take whole fours of rows; the rest goes as in a GEMV.
            $($(
                let panels = $gemm;
                panels(w, x, y);
                let done = y.m() / 4 * 4;
                let w = &w[done * x.k() / <$block as block::Block>::LEN..];
                let y = &mut y.columns(done, y.m() - done);
            )?)?
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
