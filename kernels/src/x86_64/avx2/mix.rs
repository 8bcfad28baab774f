//! Twin of [`scalar::mix`](crate::scalar::mix).

use core::arch::x86_64::*;

use super::{
    dot::parts_q4_0,
    float::{Sixteen, load_sixteen},
    load::{load_128, load_halves, load_ps, load_singles, store_ps},
};
use crate::{
    block::{self, Block, BlockF16, BlockF32, BlockQ4_0, BlockQ8_0, QK},
    scalar::reduce::LANES,
};

/// Twin of `scalar::mix::mix_f32`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn mix_f32(v: &[u8], p: &[f32], out: &mut [f32]) {
    floats::<BlockF32>(block::cast(v), p, out, |v| load_singles(v), |v| v.to_f32());
}

/// Twin of `scalar::mix::mix_f16`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn mix_f16(v: &[u8], p: &[f32], out: &mut [f32]) {
    floats::<BlockF16>(block::cast(v), p, out, |v| load_halves(v), |v| v.to_f32());
}

/// Twin of `scalar::mix::mix_q8_0`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn mix_q8_0(v: &[u8], p: &[f32], out: &mut [f32]) {
    blocks::<BlockQ8_0>(block::cast(v), p, out, |v| {
        let halves: &[[u8; 16]; 2] = bytemuck::cast_ref(&v.qs);
        (v.d.to_f32(), [0, 1].map(|h| load_128(&halves[h])))
    });
}

/// Twin of `scalar::mix::mix_q4_0`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn mix_q4_0(v: &[u8], p: &[f32], out: &mut [f32]) {
    blocks::<BlockQ4_0>(block::cast(v), p, out, |v| {
        let (q, d, _) = parts_q4_0(v);
        (
            d,
            [_mm256_castsi256_si128(q), _mm256_extracti128_si256::<1>(q)],
        )
    });
}

/// 32 columns stay in registers while the rows pass; `parts` gives a block's scale and its integers.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn blocks<B: Block>(
    v: &[B],
    p: &[f32],
    out: &mut [f32],
    parts: impl Fn(&B) -> (f32, [__m128i; 2]),
) {
    let (out, _) = out.as_chunks_mut::<QK>();
    let width = out.len();
    for (i, out) in out.iter_mut().enumerate() {
        let out: &mut [[f32; 8]; 4] = bytemuck::cast_mut(out);
        let mut acc = [0, 1, 2, 3].map(|j| load_ps(&out[j]));
        for (row, p) in v.chunks_exact(width).zip(p) {
            let (d, [a, b]) = parts(&row[i]);
            let (d, p) = (_mm256_set1_ps(d), _mm256_set1_ps(*p));
            let quarters = [a, _mm_unpackhi_epi64(a, a), b, _mm_unpackhi_epi64(b, b)];
            for (acc, q) in acc.iter_mut().zip(quarters) {
                let q = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q));
                *acc = _mm256_fmadd_ps(p, _mm256_mul_ps(d, q), *acc);
            }
        }
        for (out, acc) in out.iter_mut().zip(acc) {
            store_ps(out, acc);
        }
    }
}

/// 64, then 16 columns stay in registers while the rows pass; the last few go one by one.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn floats<B: Block>(
    v: &[B],
    p: &[f32],
    out: &mut [f32],
    load: impl Fn(&[B; 8]) -> __m256,
    one: impl Fn(&B) -> f32,
) {
    let width = out.len();
    let (wide, rest) = out.as_chunks_mut::<{ 4 * LANES }>();
    for (i, out) in wide.iter_mut().enumerate() {
        columns::<B, 4>(v, p, bytemuck::cast_mut(out), (i * 4 * LANES, width), &load);
    }
    let done = width - rest.len();
    let (narrow, rest) = rest.as_chunks_mut::<LANES>();
    for (i, out) in narrow.iter_mut().enumerate() {
        let out = std::array::from_mut(out);
        columns::<B, 1>(v, p, out, (done + i * LANES, width), &load);
    }
    let done = width - rest.len();
    for (row, p) in v.chunks_exact(width).zip(p) {
        for (out, v) in rest.iter_mut().zip(&row[done..]) {
            *out = p.mul_add(one(v), *out);
        }
    }
}

/// `16 C` columns from column `first` of rows of `width`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn columns<B: Block, const C: usize>(
    v: &[B],
    p: &[f32],
    out: &mut [[f32; LANES]; C],
    (first, width): (usize, usize),
    load: impl Fn(&[B; 8]) -> __m256,
) {
    let mut acc: [Sixteen; C] = std::array::from_fn(|c| load_sixteen(&out[c]));
    for (row, p) in v.chunks_exact(width).zip(p) {
        let (v, _) = row[first..][..C * LANES].as_chunks::<8>();
        let p = _mm256_set1_ps(*p);
        for (acc, v) in acc.as_flattened_mut().iter_mut().zip(v) {
            *acc = _mm256_fmadd_ps(p, load(v), *acc);
        }
    }
    for (out, acc) in out.iter_mut().zip(acc) {
        let [a, b]: &mut [[f32; 8]; 2] = bytemuck::cast_mut(out);
        store_ps(a, acc[0]);
        store_ps(b, acc[1]);
    }
}
