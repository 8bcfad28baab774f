//! Rows of floats times one vector of floats.
//!
//! Each row has the 16 strided lanes of [`crate::scalar::reduce`] in four registers.

use core::arch::aarch64::{
    float32x4_t, vcvt_f32_f16, vcvt_high_f32_f16, vdupq_n_f32, vfmaq_f32, vget_low_u16,
    vreinterpret_f16_u16, vreinterpretq_f16_u16, vreinterpretq_f32_u8, vreinterpretq_f32_u32,
    vreinterpretq_u16_u8, vshll_high_n_u16, vshll_n_u16,
};

use crate::{
    aarch64::load,
    activations::ActRow,
    block::{Block, BlockBf16, BlockF16, BlockF32},
    scalar::reduce::{LANES, reduce},
};

/// 16 numbers.
type Lanes = [float32x4_t; 4];

/// Rows of `F32`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn f32<const R: usize>(w: [&[BlockF32]; R], x: ActRow<'_>) -> float32x4_t {
    rows(w, x.f, |w| w.to_f32(), |w| load_f32(w))
}

/// Rows of `F16`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn f16<const R: usize>(w: [&[BlockF16]; R], x: ActRow<'_>) -> float32x4_t {
    rows(w, x.f, |w| load::half(w), |w| load_f16(w))
}

/// Rows of `BF16`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn bf16<const R: usize>(w: [&[BlockBf16]; R], x: ActRow<'_>) -> float32x4_t {
    rows(w, x.f, |w| w.to_f32(), |w| load_bf16(w))
}

#[inline]
#[target_feature(enable = "neon")]
fn rows<const R: usize, B: Block>(
    w: [&[B]; R],
    x: &[f32],
    one: impl Fn(B) -> f32,
    many: impl Fn(&[B; LANES]) -> Lanes,
) -> float32x4_t {
    let (xs, x_tail) = x.as_chunks::<LANES>();
    let n = xs.len();
    let chunks = w.map(|w| &w.as_chunks::<LANES>().0[..n]);
    let mut acc = [[vdupq_n_f32(0.0); 4]; R];
    for i in 0..n {
        let x = load::f32x16(&xs[i]);
        for r in 0..R {
            let w = many(&chunks[r][i]);
            for q in 0..4 {
                acc[r][q] = vfmaq_f32(acc[r][q], w[q], x[q]);
            }
        }
    }
    let mut sums = [0.0; 4];
    for r in 0..R {
        let mut lanes = [0.0; LANES];
        load::put_f32x16(&mut lanes, acc[r]);
        for ((lane, w), x) in lanes.iter_mut().zip(&w[r][n * LANES..]).zip(x_tail) {
            *lane = one(*w).mul_add(*x, *lane);
        }
        sums[r] = reduce(lanes);
    }
    load::f32x4(&sums)
}

/// 16 singles as a file has them.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_f32(w: &[BlockF32; LANES]) -> Lanes {
    let (bytes, _) = bytemuck::bytes_of(w).as_chunks::<16>();
    let one = |i: usize| vreinterpretq_f32_u8(load::u8x16(&bytes[i]));
    [one(0), one(1), one(2), one(3)]
}

/// 16 halves, converted.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load_f16(w: &[BlockF16; LANES]) -> Lanes {
    let (bytes, _) = bytemuck::bytes_of(w).as_chunks::<16>();
    let low = vreinterpretq_u16_u8(load::u8x16(&bytes[0]));
    let high = vreinterpretq_u16_u8(load::u8x16(&bytes[1]));
    [
        vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(low))),
        vcvt_high_f32_f16(vreinterpretq_f16_u16(low)),
        vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(high))),
        vcvt_high_f32_f16(vreinterpretq_f16_u16(high)),
    ]
}

/// 16 bfloat16s, widened.
#[inline]
#[target_feature(enable = "neon")]
fn load_bf16(w: &[BlockBf16; LANES]) -> Lanes {
    let (bytes, _) = bytemuck::bytes_of(w).as_chunks::<16>();
    let low = vreinterpretq_u16_u8(load::u8x16(&bytes[0]));
    let high = vreinterpretq_u16_u8(load::u8x16(&bytes[1]));
    [
        vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(low))),
        vreinterpretq_f32_u32(vshll_high_n_u16::<16>(low)),
        vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(high))),
        vreinterpretq_f32_u32(vshll_high_n_u16::<16>(high)),
    ]
}
