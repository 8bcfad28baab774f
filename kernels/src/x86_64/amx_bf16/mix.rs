//! Rows of a cache mixed by several rows of weights: the second half of attention, 32 queries at a time.

use core::arch::x86_64::*;
use std::cell::RefCell;

use super::{
    load::{interleave, round, store},
    tile::{DEPTH, SIDE, Sums, Tile, Tiles},
};
use crate::{
    activations::Line,
    block::{self, BlockF16, BlockQ4_0, BlockQ8_0},
    x86_64::{
        avx2::load::load_128,
        avx512vnni::{
            load::{load_halves, load_ps, store_ps},
            mix::half_of_q4_0,
        },
    },
};

thread_local! {
    /// Weights, and rows of the cache, as tiles; each stays as large as its largest use.
    static TILES: RefCell<[Vec<Tile>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

/// Of rows of halves.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c")]
pub(super) fn f16(v: &[u8], p: &[f32], len: usize, out: &mut [f32]) {
    let v: &[[BlockF16; SIDE]] = bytemuck::cast_slice(v);
    let columns = v.len() / len;
    mix(p, len, out, |row, c| load_halves(&v[row * columns + c]));
}

/// Of rows of `Q8_0`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c")]
pub(super) fn q8_0(v: &[u8], p: &[f32], len: usize, out: &mut [f32]) {
    let v: &[BlockQ8_0] = block::cast(v);
    let blocks = v.len() / len;
    mix(p, len, out, |row, c| {
        let v = &v[row * blocks + c / 2];
        let halves: &[[u8; SIDE]; 2] = bytemuck::cast_ref(&v.qs);
        let q = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_128(&halves[c % 2])));
        _mm512_mul_ps(_mm512_set1_ps(v.d.to_f32()), q)
    });
}

/// Of rows of `Q4_0`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c")]
pub(super) fn q4_0(v: &[u8], p: &[f32], len: usize, out: &mut [f32]) {
    let v: &[BlockQ4_0] = block::cast(v);
    let blocks = v.len() / len;
    mix(p, len, out, |row, c| {
        half_of_q4_0(&v[row * blocks + c / 2], c % 2)
    });
}

/// `out[r][i] += Σ_j p[r][j] * v[j][i]` over `len` rows `v`; `value` gives columns `16 c ..` of one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16")]
fn mix(p: &[f32], len: usize, out: &mut [f32], value: impl Fn(usize, usize) -> __m512) {
    let rows = p.len() / len;
    let width = out.len() / rows;
    let (columns, depth) = (width / SIDE, len.div_ceil(DEPTH));
    TILES.with_borrow_mut(|[weights, values]| {
        let weights = some(weights, rows.div_ceil(SIDE) * depth);
        let values = some(values, columns * depth);
        for (r, p) in p.chunks_exact(len).enumerate() {
            for (j, p) in p.chunks(DEPTH).enumerate() {
                let mut whole = [0.0; DEPTH];
                let p = p.first_chunk().unwrap_or_else(|| {
                    whole[..p.len()].copy_from_slice(p);
                    &whole
                });
                let (halves, _) = p.as_chunks::<16>();
                let line = round(load_ps(&halves[0]), load_ps(&halves[1]));
                store(&mut weights[r / SIDE * depth + j][r % SIDE], line);
            }
        }
        for first in (0..depth * DEPTH).step_by(2) {
            for c in 0..columns {
                let [a, b] = [first, first + 1].map(|row| {
                    if row < len {
                        value(row, c)
                    } else {
                        _mm512_setzero_ps()
                    }
                });
                let line = &mut values[c * depth + first / DEPTH][first % DEPTH / 2];
                store(line, interleave(round(a, b)));
            }
        }
        let tiles = Tiles::new();
        let mut sums = Sums([[[0.0; SIDE]; SIDE]; 4]);
        let part = |all: &[Tile], i: usize| -> std::ops::Range<usize> {
            // Where there is no second, the first again.
            let i = if i * depth < all.len() { i } else { i - 1 };
            i * depth..(i + 1) * depth
        };
        for r in (0..rows.div_ceil(SIDE)).step_by(2) {
            let p = [&weights[part(weights, r)], &weights[part(weights, r + 1)]];
            for c in (0..columns).step_by(2) {
                let v = [&values[part(values, c)], &values[part(values, c + 1)]];
                tiles.products(p, v, &mut sums, false);
                for (i, tile) in sums.0.iter().enumerate() {
                    let (r, c) = (r + i / 2, c + i % 2);
                    if c == columns {
                        continue;
                    }
                    let out = out.chunks_exact_mut(width).skip(r * SIDE);
                    for (sum, out) in tile.iter().zip(out) {
                        let out = &mut out.as_chunks_mut::<SIDE>().0[c];
                        store_ps(out, _mm512_add_ps(load_ps(out), load_ps(sum)));
                    }
                }
            }
        }
    });
}

/// The first `n` tiles, with whatever they hold.
fn some(tiles: &mut Vec<Tile>, n: usize) -> &mut [Tile] {
    if tiles.len() < n {
        tiles.resize(n, [Line::ZERO; SIDE]);
    }
    &mut tiles[..n]
}
