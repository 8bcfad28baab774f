//! The GEMM of each weight type.

use super::{gemm::gemm, load::round, mix, tile::DEPTH, unpack};
use crate::{
    activations::ActRows,
    block::{
        self, Block, BlockBf16, BlockF16, BlockIq4Nl, BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4_0,
        BlockQ4_1, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0,
    },
    dispatch::{Gemm, Kernels},
    tile::TileMut,
    weight_type::WeightType,
    x86_64::{
        avx2::{dot, dot_k},
        avx512vnni::load::{load_bfloats, load_halves},
    },
};

/// A function `$name` for blocks of type `$block`, 32 weights of which `$unpack` gives as bfloat16.
macro_rules! gemm_of {
    ($name:ident, $block:ty, $unpack:expr) => {
        #[target_feature(
            enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c"
        )]
        fn $name(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
            let per_block = <$block>::LEN / DEPTH;
            gemm(block::cast::<$block>(w), per_block, x, y, $unpack);
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

/// A function `$name` for floats of type `$float`, sixteen of which `$load` gives: 32 of them are a block.
macro_rules! gemm_of_floats {
    ($name:ident, $float:ty, $load:path) => {
        #[target_feature(
            enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c"
        )]
        fn $name(w: &[u8], x: ActRows<'_>, y: &mut TileMut<'_>) {
            let w: &[[$float; DEPTH]] = bytemuck::cast_slice(w);
            gemm(w, 1, x, y, |w, _| {
                let (halves, _) = w.as_chunks();
                round($load(&halves[0]), $load(&halves[1]))
            });
        }
    };
}

gemm_of_floats!(f16, BlockF16, load_halves);
gemm_of_floats!(bf16, BlockBf16, load_bfloats);

/// Puts the kernels of this tier into the table; singles have none.
pub(super) fn install(table: &mut Kernels) {
    let all: [(WeightType, Gemm); 14] = [
        (WeightType::F16, f16),
        (WeightType::BF16, bf16),
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
        table.tiled[ty as usize] = Some(gemm);
    }
    table.mix_many_f16 = Some(mix::f16);
    table.mix_many_q8_0 = Some(mix::q8_0);
    table.mix_many_q4_0 = Some(mix::q4_0);
}
