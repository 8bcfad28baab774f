//! Rows of weights times several vectors: tiles of sixteen rows by sixteen vectors.

use core::arch::x86_64::*;

use super::tile::{Results, Tiles, VECTORS};
use crate::{
    activations::ActRows,
    block::{Block, QK},
    tile::TileMut,
    x86_64::{
        avx512vnni::{
            load::{load_i32, load_ps, store_ps},
            rows::{ROWS, Rows32, sixteen_rows},
        },
        view::{View, View32},
    },
};

/// Blocks in a panel: 20 KB.
const CHUNK: usize = 32;

/// Tiles that are under way while the sums of an earlier one are taken in: what a tile writes cannot be
/// read before it has left for the cache.
const AHEAD: usize = 3;

/// `y[t][r] = row r · x[t]`: `w` holds `y.m()` rows, whole sixteens of them and none empty, and `x`
/// holds `y.n()` vectors, whole sixteens of them.
///
/// `CHUNK` blocks of sixteen rows are unpacked once, as signed bytes, into a panel that stays in the
/// first cache, and meet every vector there; between chunks the accumulators rest in `y`. A tile holds
/// the sums of one block, because every block has scales of its own.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) fn gemm<B: Block, const MIN: bool>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    unpack: impl Fn([&B; ROWS]) -> Rows32,
) {
    let (n, m) = (y.n(), y.m());
    let blocks = w.len() / m;
    let all = View32::<MIN>::new(x.all, 0, n * blocks);
    let tiles = Tiles::new();
    let mut panel = [Rows32::empty(); CHUNK];
    let mut sums = [Results([[0; 16]; VECTORS]); AHEAD + 1];
    for r in (0..m).step_by(ROWS) {
        let rows = sixteen_rows(w, r, blocks);
        for first in (0..blocks).step_by(CHUNK) {
            let panel = &mut panel[..CHUNK.min(blocks - first)];
            for (i, u) in panel.iter_mut().enumerate() {
                *u = unpack(rows.map(|row| &row[first + i]));
            }
            for t in (0..n).step_by(VECTORS) {
                run(&tiles, &mut sums, panel, &all, y, (t, r, first, blocks));
            }
        }
    }
}

/// Takes a panel into the accumulators of vectors `t .. t + 16` of `x` and rows `r .. r + 16`; the
/// panel's first block is block `first` of the rows' `blocks`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn run<const MIN: bool>(
    tiles: &Tiles,
    sums: &mut [Results; AHEAD + 1],
    panel: &[Rows32],
    x: &View32<'_, MIN>,
    y: &mut TileMut<'_>,
    (t, r, first, blocks): (usize, usize, usize, usize),
) {
    let start = t * blocks + first;
    let [x_low, x_high]: [[View32<'_, MIN>; VECTORS / 2]; 2] = [0, VECTORS / 2]
        .map(|half| std::array::from_fn(|v| x.part(start + (half + v) * blocks, panel.len())));
    let mut low = [_mm512_setzero_ps(); VECTORS / 2];
    let mut high = low;
    if first > 0 {
        for (v, acc) in low.iter_mut().chain(&mut high).enumerate() {
            *acc = load_ps(&y.row(t + v)[r..].as_chunks().0[0]);
        }
    }
    let qs = x.qs[start..].as_flattened();
    for (i, u) in panel.iter().enumerate().take(AHEAD) {
        tiles.products(&qs[i * QK..], blocks * QK, &u.w, &mut sums[i]);
    }
    for (i, u) in panel.iter().enumerate() {
        if let Some(u) = panel.get(i + AHEAD) {
            let i = i + AHEAD;
            let out = &mut sums[i % (AHEAD + 1)];
            tiles.products(&qs[i * QK..], blocks * QK, &u.w, out);
        }
        let (sums, _) = sums[i % (AHEAD + 1)].0.as_chunks::<{ VECTORS / 2 }>();
        low = take_in(low, &sums[0], u, &x_low, i);
        high = take_in(high, &sums[1], u, &x_high, i);
    }
    for (v, acc) in low.into_iter().chain(high).enumerate() {
        store_ps(&mut y.row(t + v)[r..].as_chunks_mut().0[0], acc);
    }
}

/// `acc = fma(d_w * d_x, Σ, acc)`, then, for types with a minimum, `acc = fma(m, s, acc)`, of block `i`
/// of eight vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn take_in<const MIN: bool>(
    mut acc: [__m512; VECTORS / 2],
    sums: &[[i32; 16]; VECTORS / 2],
    w: &Rows32,
    x: &[View32<'_, MIN>; VECTORS / 2],
    i: usize,
) -> [__m512; VECTORS / 2] {
    for ((acc, sum), x) in acc.iter_mut().zip(sums).zip(x) {
        let d = _mm512_mul_ps(w.d, _mm512_set1_ps(x.d[i]));
        *acc = _mm512_fmadd_ps(d, _mm512_cvtepi32_ps(load_i32(sum)), *acc);
        if MIN {
            *acc = _mm512_fmadd_ps(w.m, _mm512_set1_ps(x.s[i]), *acc);
        }
    }
    acc
}
