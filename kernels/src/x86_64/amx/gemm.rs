//! Rows of weights times several vectors: tiles of sixteen rows by sixteen vectors.

use core::arch::x86_64::*;

use super::tile::{Results, Tiles, VECTORS};
use crate::{
    activations::{ActRow, ActRows},
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
    let tiles = Tiles::new();
    let mut panel = [Rows32::empty(); CHUNK];
    for r in (0..m).step_by(ROWS) {
        let rows = sixteen_rows(w, r, blocks);
        for first in (0..blocks).step_by(CHUNK) {
            let panel = &mut panel[..CHUNK.min(blocks - first)];
            for (i, u) in panel.iter_mut().enumerate() {
                *u = unpack(rows.map(|row| &row[first + i]));
            }
            for t in (0..n).step_by(VECTORS) {
                let x = x.range(t, VECTORS).all;
                run::<MIN>(&tiles, panel, x, y, (t, r, first, blocks));
            }
        }
    }
}

/// Takes a panel into the accumulators of vectors `t .. t + 16`, which `x` holds, and rows
/// `r .. r + 16`; the panel's first block is block `first` of the rows' `blocks`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn run<const MIN: bool>(
    tiles: &Tiles,
    panel: &[Rows32],
    x: ActRow<'_>,
    y: &mut TileMut<'_>,
    (t, r, first, blocks): (usize, usize, usize, usize),
) {
    let vectors: [View32<'_, MIN>; VECTORS] =
        std::array::from_fn(|v| View::new(x, v * blocks + first, panel.len()));
    let mut acc = [_mm512_setzero_ps(); VECTORS];
    if first > 0 {
        for (v, acc) in acc.iter_mut().enumerate() {
            *acc = load_ps(&y.row(t + v)[r..].as_chunks().0[0]);
        }
    }
    // The tile of the next block is under way while this one's sums are taken in.
    let mut sums: [Results; 2] = [[[0; 16]; VECTORS]; 2];
    let multiply = |i: usize, out: &mut Results| {
        tiles.products(&x.qs[(first + i) * QK..], blocks * QK, &panel[i].w, out);
    };
    multiply(0, &mut sums[0]);
    for (i, u) in panel.iter().enumerate() {
        if i + 1 < panel.len() {
            multiply(i + 1, &mut sums[(i + 1) % 2]);
        }
        for ((acc, sum), x) in acc.iter_mut().zip(&sums[i % 2]).zip(&vectors) {
            let d = _mm512_mul_ps(u.d, _mm512_set1_ps(x.d[i]));
            *acc = _mm512_fmadd_ps(d, _mm512_cvtepi32_ps(load_i32(sum)), *acc);
            if MIN {
                *acc = _mm512_fmadd_ps(u.m, _mm512_set1_ps(x.s[i]), *acc);
            }
        }
    }
    for (v, acc) in acc.into_iter().enumerate() {
        store_ps(&mut y.row(t + v)[r..].as_chunks_mut().0[0], acc);
    }
}
