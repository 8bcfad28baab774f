//! The same bits on every architecture: logits of tiny models, as sums that were taken on x86-64 with the scalar
//! definitions. The Arm legs run this too.
//!
//! A change of the order of operations, of the tiny models or of the sum changes these numbers; the test
//! prints the new ones, and whoever replaces them says why. That the logits are right is the business of
//! `tiny_models.rs`.

use puna_core::kv_cache::KvType;
use puna_kernels::{Kernels, WeightType};
use puna_tests::{
    judge::{every_logit, options},
    tiny::{Shape, Tiny},
};

/// FNV-1a of every bit.
fn sum(logits: &[Vec<f32>]) -> u64 {
    let bytes = logits
        .iter()
        .flatten()
        .flat_map(|l| l.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A type, and the sums with a cache in f16, and in q8_0 or, where heads are no whole blocks, in f32.
const WANTED: [(WeightType, [u64; 2]); 8] = [
    (
        WeightType::F16,
        [0x2ed6_3841_6138_f5c3, 0xecd0_c980_cb80_35b8],
    ),
    (
        WeightType::Q4_0,
        [0x9c03_f9d1_6f4c_1369, 0x0b43_98d4_8aa6_a7e5],
    ),
    (
        WeightType::Q4_1,
        [0xfbf5_3aba_d2de_2087, 0xbdfc_5f94_8d46_a590],
    ),
    (
        WeightType::Q8_0,
        [0xc106_cf7a_b7db_d0a2, 0xf4b6_4c86_306c_f0c2],
    ),
    (
        WeightType::Q4_K,
        [0x860d_fc31_9a4b_a322, 0x814f_30be_95f7_7376],
    ),
    (
        WeightType::Q5_K,
        [0x246b_3f6f_b9a8_2848, 0x56ce_b577_ca4d_fc4b],
    ),
    (
        WeightType::Q6_K,
        [0xa67b_9460_afe2_6837, 0xd93a_077a_6cd1_3fe7],
    ),
    (
        WeightType::IQ4_NL,
        [0xc0ba_1ad5_4729_8f4d, 0x56de_23d7_33f9_b9d3],
    ),
];

#[test]
fn logits_have_the_bits_that_they_had_on_another_architecture() {
    let got = WANTED.map(|(ty, _)| {
        let tiny = Tiny::new(Shape::of(ty));
        let model = tiny.model().with_kernels(Kernels::best_exact());
        let sum_of = |kv| sum(&every_logit(&model, &tiny, 20, &options(kv, false)));
        let whole = tiny.shape.head_dim.is_multiple_of(32);
        let other = if whole { KvType::Q8_0 } else { KvType::F32 };
        (ty, [sum_of(KvType::F16), sum_of(other)])
    });
    for (ty, sums) in got {
        println!("    (WeightType::{}, {sums:#018x?}),", ty.name());
    }
    assert!(
        got == WANTED,
        "other bits than on x86-64; the sums are above"
    );
}
