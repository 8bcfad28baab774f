//! Twin of [`crate::scalar::mix`]: a strip of 32 outputs stays in registers over all rows.

use core::arch::aarch64::{
    float32x4_t, int8x16_t, vcvtq_f32_s32, vfmaq_n_f32, vget_low_s8, vget_low_s16, vmovl_high_s8,
    vmovl_high_s16, vmovl_s8, vmovl_s16, vmulq_n_f32,
};

use super::float::{load_f16, load_f32};
use crate::{
    aarch64::{ints, load},
    block::{self, Block, BlockF16, BlockF32, BlockQ4_0, BlockQ8_0, QK},
};

/// 32 numbers.
type Strip = [float32x4_t; 8];

/// Twin of [`crate::scalar::mix::mix_f32`].
#[target_feature(enable = "neon")]
pub(crate) fn mix_f32(v: &[u8], p: &[f32], out: &mut [f32]) {
    floats(
        block::cast::<BlockF32>(v),
        p,
        out,
        |v| v.to_f32(),
        |v| load_f32(v),
    );
}

/// Twin of [`crate::scalar::mix::mix_f16`].
#[target_feature(enable = "neon")]
pub(crate) fn mix_f16(v: &[u8], p: &[f32], out: &mut [f32]) {
    floats(
        block::cast::<BlockF16>(v),
        p,
        out,
        |v| load::half(v),
        |v| load_f16(v),
    );
}

/// Twin of [`crate::scalar::mix::mix_q8_0`].
#[target_feature(enable = "neon")]
pub(crate) fn mix_q8_0(v: &[u8], p: &[f32], out: &mut [f32]) {
    let v = block::cast::<BlockQ8_0>(v);
    let row = out.len() / QK;
    for (i, out) in out.as_chunks_mut::<QK>().0.iter_mut().enumerate() {
        let column = v.iter().skip(i).step_by(row);
        strip(column, p, out, |v| dequantize(v));
    }
}

/// Twin of [`crate::scalar::mix::mix_q4_0`].
#[target_feature(enable = "neon")]
pub(crate) fn mix_q4_0(v: &[u8], p: &[f32], out: &mut [f32]) {
    let v = block::cast::<BlockQ4_0>(v);
    let row = out.len() / QK;
    for (i, out) in out.as_chunks_mut::<QK>().0.iter_mut().enumerate() {
        let column = v.iter().skip(i).step_by(row);
        strip(column, p, out, |v| scaled(ints::q4_0(v), load::half(v.d)));
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn floats<B: Block>(
    v: &[B],
    p: &[f32],
    out: &mut [f32],
    one: impl Fn(B) -> f32,
    many: impl Fn(&[B; 16]) -> [float32x4_t; 4],
) {
    let row = out.len();
    let (strips, tail) = out.as_chunks_mut::<QK>();
    let rows = || v.chunks_exact(row);
    for (i, out) in strips.iter_mut().enumerate() {
        let column = rows().map(|v| &v.as_chunks::<QK>().0[i]);
        strip(column, p, out, |v| {
            let (v, _) = v.as_chunks::<16>();
            let ([a, b, c, d], [e, f, g, h]) = (many(&v[0]), many(&v[1]));
            [a, b, c, d, e, f, g, h]
        });
    }
    let done = row - tail.len();
    for (i, out) in tail.iter_mut().enumerate() {
        for (v, p) in rows().zip(p) {
            *out = p.mul_add(one(v[done + i]), *out);
        }
    }
}

/// `out += Σ_j p[j] * v[j]`.
#[inline]
#[target_feature(enable = "neon")]
fn strip<'a, B: 'a>(
    v: impl Iterator<Item = &'a B>,
    p: &[f32],
    out: &mut [f32; QK],
    load: impl Fn(&B) -> Strip,
) {
    let (out, _) = out.as_chunks_mut::<4>();
    let mut acc: Strip = [load::f32x4(&out[0]); 8];
    for q in 0..8 {
        acc[q] = load::f32x4(&out[q]);
    }
    for (v, p) in v.zip(p) {
        let v = load(v);
        for q in 0..8 {
            acc[q] = vfmaq_n_f32(acc[q], v[q], *p);
        }
    }
    for q in 0..8 {
        load::put_f32x4(&mut out[q], acc[q]);
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn dequantize(v: &BlockQ8_0) -> Strip {
    scaled(load::i8x32(&v.qs), load::half(v.d))
}

/// 32 integers times `d`.
#[inline]
#[target_feature(enable = "neon")]
fn scaled([low, high]: [int8x16_t; 2], d: f32) -> Strip {
    let ([a, b, c, e], [f, g, h, i]) = (widen(low), widen(high));
    [a, b, c, e, f, g, h, i].map(|v| vmulq_n_f32(v, d))
}

/// 16 integers as floats.
#[inline]
#[target_feature(enable = "neon")]
fn widen(v: int8x16_t) -> [float32x4_t; 4] {
    let (low, high) = (vmovl_s8(vget_low_s8(v)), vmovl_high_s8(v));
    [
        vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
        vcvtq_f32_s32(vmovl_high_s16(low)),
        vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
        vcvtq_f32_s32(vmovl_high_s16(high)),
    ]
}
