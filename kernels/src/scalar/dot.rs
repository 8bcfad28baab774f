//! One row of weights times one vector of activations.
//!
//! Integer sums within a block are exact. The blocks are then taken in order into one accumulator:
//! `acc = fma(d_w * d_x, Σ, acc)`, and where the type has a minimum a second fused step follows.

use super::reduce;
use crate::{
    activations::ActRow,
    block::{
        Block, BlockBf16, BlockF16, BlockF32, BlockIq4Nl, BlockQ4_0, BlockQ4_1, BlockQ5_0,
        BlockQ5_1, BlockQ8_0, Half, QK, QK_K, SuperBlock,
    },
};

/// `F32` weights, `F32` activations.
pub fn dot_f32_f32(w: &[BlockF32], x: ActRow<'_>) -> f32 {
    reduce::dot(w.iter().map(|w| w.to_f32()).zip(x.f.iter().copied()))
}

/// `F16` weights, `F32` activations.
pub fn dot_f16_f32(w: &[BlockF16], x: ActRow<'_>) -> f32 {
    reduce::dot(w.iter().map(|w| w.to_f32()).zip(x.f.iter().copied()))
}

/// `BF16` weights, `F32` activations.
pub fn dot_bf16_f32(w: &[BlockBf16], x: ActRow<'_>) -> f32 {
    reduce::dot(w.iter().map(|w| w.to_f32()).zip(x.f.iter().copied()))
}

/// `Q4_0` weights, `Q8_0` activations.
pub fn dot_q4_0_q8_0(w: &[BlockQ4_0], x: ActRow<'_>) -> f32 {
    dot_scaled(w, x, |w| (w.d, w.ints()))
}

/// `Q5_0` weights, `Q8_0` activations.
pub fn dot_q5_0_q8_0(w: &[BlockQ5_0], x: ActRow<'_>) -> f32 {
    dot_scaled(w, x, |w| (w.d, w.ints()))
}

/// `Q8_0` weights, `Q8_0` activations.
pub fn dot_q8_0_q8_0(w: &[BlockQ8_0], x: ActRow<'_>) -> f32 {
    dot_scaled(w, x, |w| (w.d, w.qs))
}

/// `IQ4_NL` weights, `Q8_0` activations.
pub fn dot_iq4_nl_q8_0(w: &[BlockIq4Nl], x: ActRow<'_>) -> f32 {
    dot_scaled(w, x, |w| (w.d, w.ints()))
}

/// `Q4_1` weights, `Q8_1` activations.
pub fn dot_q4_1_q8_1(w: &[BlockQ4_1], x: ActRow<'_>) -> f32 {
    dot_scaled_min(w, x, |w| (w.d, w.m, w.ints()))
}

/// `Q5_1` weights, `Q8_1` activations.
pub fn dot_q5_1_q8_1(w: &[BlockQ5_1], x: ActRow<'_>) -> f32 {
    dot_scaled_min(w, x, |w| (w.d, w.m, w.ints()))
}

/// Any super-block type, `Q8_K` activations.
pub fn dot_super_q8_k<B: SuperBlock>(w: &[B], x: ActRow<'_>) -> f32 {
    let (qs, _) = x.qs.as_chunks::<QK_K>();
    let (sums, _) = x.sums.as_chunks::<{ QK_K / 16 }>();
    let mut acc = 0.0f32;
    for (i, w) in w.iter().enumerate() {
        let ints = w.ints();
        let (mut sum, mut mins) = (0i32, 0i32);
        for j in 0..QK_K / B::SUB {
            let part = j * B::SUB..(j + 1) * B::SUB;
            sum += w.scale(j) * int_dot(&ints[part.clone()], &qs[i][part.clone()]);
            let q: i32 = sums[i][part.start / 16..part.end / 16]
                .iter()
                .map(|&s| i32::from(s))
                .sum();
            mins += w.min(j) * q;
        }
        acc = (w.d() * x.d[i]).mul_add(sum as f32, acc);
        if B::HAS_MIN {
            acc = (-(w.dmin() * x.d[i])).mul_add(mins as f32, acc);
        }
    }
    acc
}

fn dot_scaled<B: Block>(w: &[B], x: ActRow<'_>, parts: impl Fn(&B) -> (Half, [i8; QK])) -> f32 {
    let (qs, _) = x.qs.as_chunks::<QK>();
    let mut acc = 0.0f32;
    for ((w, qs), d) in w.iter().zip(qs).zip(x.d) {
        let (dw, ints) = parts(w);
        acc = (dw.to_f32() * d).mul_add(int_dot(&ints, qs) as f32, acc);
    }
    acc
}

fn dot_scaled_min<B: Block>(
    w: &[B],
    x: ActRow<'_>,
    parts: impl Fn(&B) -> (Half, Half, [i8; QK]),
) -> f32 {
    let (qs, _) = x.qs.as_chunks::<QK>();
    let mut acc = 0.0f32;
    for (((w, qs), d), s) in w.iter().zip(qs).zip(x.d).zip(x.s) {
        let (dw, m, ints) = parts(w);
        acc = (dw.to_f32() * d).mul_add(int_dot(&ints, qs) as f32, acc);
        acc = m.to_f32().mul_add(*s, acc);
    }
    acc
}

fn int_dot(w: &[i8], x: &[i8]) -> i32 {
    w.iter()
        .zip(x)
        .map(|(&w, &x)| i32::from(w) * i32::from(x))
        .sum()
}
