//! The GEMM of each weight type.

use super::{gemm::gemm, unpack};
use crate::{
    activations::ActRows,
    block::{
        self, BlockIq4Nl, BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4_0, BlockQ4_1, BlockQ4K,
        BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0,
    },
    dispatch::Gemm,
    tile::TileMut,
    weight_type::WeightType,
    x86_64::avx2::{dot, dot_k},
};

/// A function `$name` for blocks of type `$block`, 32 weights of which `$unpack` gives as bfloat16.
macro_rules! gemm_of {
    ($name:ident, $block:ty, $unpack:expr) => {
        #[target_feature(
            enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c"
        )]
        fn $name(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
            gemm(block::cast::<$block>(w), x, y, $unpack);
        }
    };
}

gemm_of!(q4_0, BlockQ4_0, |w, _| unpack::block_of_32(
    dot::parts_q4_0(w)
));
gemm_of!(q4_1, BlockQ4_1, |w, _| unpack::block_of_32(
    dot::parts_q4_1(w)
));
gemm_of!(q5_0, BlockQ5_0, |w, _| unpack::block_of_32(
    dot::parts_q5_0(w)
));
gemm_of!(q5_1, BlockQ5_1, |w, _| unpack::block_of_32(
    dot::parts_q5_1(w)
));
gemm_of!(q8_0, BlockQ8_0, |w, _| unpack::block_of_32(
    dot::parts_q8_0(w)
));
gemm_of!(iq4_nl, BlockIq4Nl, |w, _| unpack::block_of_32(
    dot::parts_iq4_nl(w)
));
gemm_of!(q2_k, BlockQ2K, |w, j| unpack::super_block(
    w,
    j,
    dot_k::ints_q2_k(w, j)
));
gemm_of!(q3_k, BlockQ3K, |w, j| unpack::super_block(
    w,
    j,
    dot_k::ints_q3_k(w, j)
));
gemm_of!(q4_k, BlockQ4K, |w, j| unpack::super_block(
    w,
    j,
    dot_k::ints_q4_k(w, j)
));
gemm_of!(q5_k, BlockQ5K, |w, j| unpack::super_block(
    w,
    j,
    dot_k::ints_q5_k(w, j)
));
gemm_of!(q6_k, BlockQ6K, |w, j| unpack::super_block(
    w,
    j,
    dot_k::ints_q6_k(w, j)
));
gemm_of!(iq4_xs, BlockIq4Xs, |w, j| unpack::super_block(
    w,
    j,
    dot_k::ints_iq4_xs(w, j)
));

/// Puts the kernels of this tier into the table; floats have none.
pub(super) fn install(tiled: &mut [Option<Gemm>; WeightType::ALL.len()]) {
    let all: [(WeightType, Gemm); 12] = [
        (WeightType::Q4_0, q4_0),
        (WeightType::Q4_1, q4_1),
        (WeightType::Q5_0, q5_0),
        (WeightType::Q5_1, q5_1),
        (WeightType::Q8_0, q8_0),
        (WeightType::Q2_K, q2_k),
        (WeightType::Q3_K, q3_k),
        (WeightType::Q4_K, q4_k),
        (WeightType::Q5_K, q5_k),
        (WeightType::Q6_K, q6_k),
        (WeightType::IQ4_NL, iq4_nl),
        (WeightType::IQ4_XS, iq4_xs),
    ];
    for (ty, gemm) in all {
        tiled[ty as usize] = Some(gemm);
    }
}
