//! The three matrix operations of a type from its rows.

/// Stamps the three operations of one type with a tier's features, as a [`MatKernels`].
///
/// `$rows(w, x)` or `$rows(w, x, dot)` gives the products of 1 or 4 rows in lanes.
///
/// [`MatKernels`]: crate::dispatch::MatKernels
macro_rules! mat {
    ($features:literal, $block:ty, $rows:path $(, $dot:ident)?) => {{
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
            lanes::gemm(
                block::cast::<$block>(w),
                x,
                y,
                |w, x| $rows(w, x $(, |a, w, x| $dot(a, w, x))?),
                |w, x| $rows(w, x $(, |a, w, x| $dot(a, w, x))?),
            );
        }

        MatKernels { dot: dot_row, gemv, gemm }
    }};
}
pub(super) use mat;
