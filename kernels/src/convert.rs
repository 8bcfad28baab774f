//! Rows of weights to `f32` and back, for any type.

use crate::{
    block::{
        self, BlockBf16, BlockF16, BlockF32, BlockIq4Nl, BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4_0,
        BlockQ4_1, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0, Quantize,
    },
    weight_type::WeightType,
};

/// Writes the weights of one or more rows of type `ty` as `f32`.
///
/// # Panics
/// If `w` does not hold exactly `out.len()` weights.
pub fn dequantize(ty: WeightType, w: &[u8], out: &mut [f32]) {
    fn rows<B: block::Block>(w: &[u8], out: &mut [f32]) {
        for (b, out) in block::cast::<B>(w).iter().zip(out.chunks_exact_mut(B::LEN)) {
            b.dequantize(out);
        }
    }
    assert_eq!(
        w.len(),
        ty.row_bytes(out.len()),
        "dequantize: lengths differ"
    );
    match ty {
        WeightType::F32 => rows::<BlockF32>(w, out),
        WeightType::F16 => rows::<BlockF16>(w, out),
        WeightType::BF16 => rows::<BlockBf16>(w, out),
        WeightType::Q4_0 => rows::<BlockQ4_0>(w, out),
        WeightType::Q4_1 => rows::<BlockQ4_1>(w, out),
        WeightType::Q5_0 => rows::<BlockQ5_0>(w, out),
        WeightType::Q5_1 => rows::<BlockQ5_1>(w, out),
        WeightType::Q8_0 => rows::<BlockQ8_0>(w, out),
        WeightType::Q2_K => rows::<BlockQ2K>(w, out),
        WeightType::Q3_K => rows::<BlockQ3K>(w, out),
        WeightType::Q4_K => rows::<BlockQ4K>(w, out),
        WeightType::Q5_K => rows::<BlockQ5K>(w, out),
        WeightType::Q6_K => rows::<BlockQ6K>(w, out),
        WeightType::IQ4_NL => rows::<BlockIq4Nl>(w, out),
        WeightType::IQ4_XS => rows::<BlockIq4Xs>(w, out),
    }
}

/// Rounds `x` to blocks of type `ty`, as ggml's reference quantizers do. `false` when `ty` has no
/// quantizer here (the K types and the `IQ4` ones); `out` is then untouched.
///
/// # Panics
/// If `out` does not have room for exactly `x.len()` weights.
#[must_use]
pub fn quantize_row(ty: WeightType, x: &[f32], out: &mut [u8]) -> bool {
    fn row<B: Quantize>(x: &[f32], out: &mut [u8]) -> bool {
        for (b, x) in block::cast_mut::<B>(out)
            .iter_mut()
            .zip(x.chunks_exact(B::LEN))
        {
            *b = B::quantize(x);
        }
        true
    }
    assert_eq!(
        out.len(),
        ty.row_bytes(x.len()),
        "quantize_row: lengths differ"
    );
    match ty {
        WeightType::F32 => row::<BlockF32>(x, out),
        WeightType::F16 => row::<BlockF16>(x, out),
        WeightType::BF16 => row::<BlockBf16>(x, out),
        WeightType::Q4_0 => row::<BlockQ4_0>(x, out),
        WeightType::Q4_1 => row::<BlockQ4_1>(x, out),
        WeightType::Q5_0 => row::<BlockQ5_0>(x, out),
        WeightType::Q5_1 => row::<BlockQ5_1>(x, out),
        WeightType::Q8_0 => row::<BlockQ8_0>(x, out),
        _ => false,
    }
}
