//! Twins of [`scalar::mix`](crate::scalar::mix) for the queries of a group: a row of the cache is read and
//! widened once for all of them.

use core::arch::x86_64::*;

use super::load::{load_halves, load_ps, store_ps};
use crate::{
    block::{self, BlockF16, BlockQ4_0, BlockQ8_0, QK},
    x86_64::avx2::{dot::parts_q4_0, load::load_128},
};

/// Numbers of a register.
const LANES: usize = 16;

/// Of rows of halves, a multiple of 16 wide.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
pub(super) fn mix_f16(v: &[u8], p: &[f32], len: usize, out: &mut [f32]) {
    let v: &[[BlockF16; LANES]] = bytemuck::cast_slice(v);
    let columns = v.len() / len;
    rows(p, len, out, columns, |row, c| {
        load_halves(&v[row * columns + c])
    });
}

/// Of rows of `Q8_0`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
pub(super) fn mix_q8_0(v: &[u8], p: &[f32], len: usize, out: &mut [f32]) {
    let v: &[BlockQ8_0] = block::cast(v);
    let blocks = v.len() / len;
    rows(p, len, out, blocks * QK / LANES, |row, c| {
        let v = &v[row * blocks + c / 2];
        let halves: &[[u8; LANES]; 2] = bytemuck::cast_ref(&v.qs);
        let q = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_128(&halves[c % 2])));
        _mm512_mul_ps(_mm512_set1_ps(v.d.to_f32()), q)
    });
}

/// Of rows of `Q4_0`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
pub(super) fn mix_q4_0(v: &[u8], p: &[f32], len: usize, out: &mut [f32]) {
    let v: &[BlockQ4_0] = block::cast(v);
    let blocks = v.len() / len;
    rows(p, len, out, blocks * QK / LANES, |row, c| {
        half_of_q4_0(&v[row * blocks + c / 2], c % 2)
    });
}

/// The first or second 16 numbers of a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
pub(in crate::x86_64) fn half_of_q4_0(v: &BlockQ4_0, half: usize) -> __m512 {
    let (q, d, _) = parts_q4_0(v);
    let q = match half {
        0 => _mm256_castsi256_si128(q),
        _ => _mm256_extracti128_si256::<1>(q),
    };
    let q = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q));
    _mm512_mul_ps(_mm512_set1_ps(d), q)
}

/// `out[r][i] += Σ_j p[r][j] * v[j][i]` over `len` rows `v` of `16 columns` numbers; `value(j, c)` gives those from
/// column `16 c` on of row `j`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn rows(
    p: &[f32],
    len: usize,
    out: &mut [f32],
    columns: usize,
    value: impl Fn(usize, usize) -> __m512,
) {
    let (out, _) = out.as_chunks_mut::<LANES>();
    let (mut p, mut out) = (p, out);
    while !p.is_empty() {
        let n = (p.len() / len).min(4);
        let (these, left) = p.split_at(n * len);
        let (outs, rest) = out.split_at_mut(n * columns);
        match n {
            1 => some::<1>(these, len, outs, columns, &value),
            2 => some::<2>(these, len, outs, columns, &value),
            3 => some::<3>(these, len, outs, columns, &value),
            _ => some::<4>(these, len, outs, columns, &value),
        }
        (p, out) = (left, rest);
    }
}

/// [`rows`] for `R` rows of weights: four registers of each stay while the cache passes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn some<const R: usize>(
    p: &[f32],
    len: usize,
    out: &mut [[f32; LANES]],
    columns: usize,
    value: impl Fn(usize, usize) -> __m512,
) {
    let p: [_; R] = std::array::from_fn(|r| &p[r * len..][..len]);
    let mut c = 0;
    while c < columns {
        if columns - c >= 4 {
            strip::<R, 4>(p, out, (c, columns), &value);
            c += 4;
        } else {
            strip::<R, 1>(p, out, (c, columns), &value);
            c += 1;
        }
    }
}

/// `C` registers of each row, from column `16 c` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
fn strip<const R: usize, const C: usize>(
    p: [&[f32]; R],
    out: &mut [[f32; LANES]],
    (c, columns): (usize, usize),
    value: impl Fn(usize, usize) -> __m512,
) {
    let mut acc = [[_mm512_setzero_ps(); C]; R];
    for (r, acc) in acc.iter_mut().enumerate() {
        for (i, acc) in acc.iter_mut().enumerate() {
            *acc = load_ps(&out[r * columns + c + i]);
        }
    }
    for j in 0..p[0].len() {
        let mut v = [_mm512_setzero_ps(); C];
        for (i, v) in v.iter_mut().enumerate() {
            *v = value(j, c + i);
        }
        for (acc, p) in acc.iter_mut().zip(p) {
            let p = _mm512_set1_ps(p[j]);
            for (acc, v) in acc.iter_mut().zip(v) {
                *acc = _mm512_fmadd_ps(p, v, *acc);
            }
        }
    }
    for (r, acc) in acc.into_iter().enumerate() {
        for (i, acc) in acc.into_iter().enumerate() {
            store_ps(&mut out[r * columns + c + i], acc);
        }
    }
}
