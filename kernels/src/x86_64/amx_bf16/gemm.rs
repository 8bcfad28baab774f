//! Rows of weights times several vectors, both rounded to bfloat16: 32 rows by 32 vectors at a time.

use core::arch::x86_64::*;
use std::cell::RefCell;

use super::{
    load::{store, transpose},
    tile::{DEPTH, SIDE, Sums, Tile, Tiles},
};
use crate::{
    activations::{ActRows, Line},
    tile::TileMut,
    x86_64::avx512vnni::load::{load_ps, store_ps},
};

/// Tiles of a row that are unpacked at a time, at most: 640 weights. 32 rows of them take 40 KB, and those
/// of 512 vectors 640 KB of the second cache.
const CHUNK: usize = 20;

thread_local! {
    /// Sums of the rows and vectors under way; stays as large as the largest use.
    static SUMS: RefCell<Vec<Sums>> = const { RefCell::new(Vec::new()) };
}

/// `y[t][r] = row r · x[t]`: `w` holds `y.m()` rows of `x.k()` weights, and `x` holds `y.n()` vectors, as
/// tiles. `unpack` gives the 32 weights of a block at an index below
/// `per_block` as bfloat16.
///
/// A chunk of 32 rows is unpacked once and meets every vector; between chunks the sums rest as tiles.
/// Each sum takes its products in the order of the weights, whatever the rows and vectors beside it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16")]
pub(super) fn gemm<B>(
    w: &[B],
    per_block: usize,
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    unpack: impl Fn(&B, usize) -> __m512i,
) {
    let (n, m, depth) = (y.n(), y.m(), x.k() / DEPTH);
    if m == 0 || n == 0 {
        return;
    }
    let blocks = w.len() / m;
    let (vectors, _) = x.all.tiles.as_chunks::<SIDE>();
    let vectors = Vectors { vectors, depth };
    let (row_pairs, vector_pairs) = (m.div_ceil(2 * SIDE), n.div_ceil(2 * SIDE));
    let tiles = Tiles::new();
    let mut panel = [[[Line::ZERO; SIDE]; CHUNK]; 2];
    SUMS.with_borrow_mut(|sums| {
        let n_sums = row_pairs * vector_pairs;
        if sums.len() < n_sums {
            sums.resize(n_sums, Sums([[[0.0; SIDE]; SIDE]; 4]));
        }
        let sums = &mut sums[..n_sums];
        // Chunks of one length, but for the last.
        let step = depth.div_ceil(depth.div_ceil(CHUNK));
        for first in (0..depth).step_by(step) {
            let chunk = first..depth.min(first + step);
            for (i, sums) in sums.chunks_exact_mut(vector_pairs).enumerate() {
                for (r, row) in (i * 2 * SIDE..).take(2 * SIDE).enumerate() {
                    for (out, j) in panel[r / SIDE].iter_mut().zip(chunk.clone()) {
                        let line = &mut out[r % SIDE];
                        if row < m {
                            store(
                                line,
                                unpack(&w[row * blocks + j / per_block], j % per_block),
                            );
                        } else {
                            *line = Line::ZERO;
                        }
                    }
                }
                let rows = [&panel[0][..chunk.len()], &panel[1][..chunk.len()]];
                for (t, sums) in sums.iter_mut().enumerate() {
                    let x = vectors.pair(t, chunk.clone());
                    tiles.products(rows, x, sums, first > 0);
                    if chunk.end == depth {
                        put(sums, (i * 2 * SIDE, t * 2 * SIDE), y);
                    }
                }
            }
        }
    });
}

/// Vectors as tiles: sixteens of vectors, each of them `depth` tiles.
struct Vectors<'a> {
    vectors: &'a [Tile],
    depth: usize,
}

impl<'a> Vectors<'a> {
    /// Tiles `chunk` of the sixteens `2 i` and `2 i + 1`; where there is no second, of the first again.
    #[inline(always)]
    fn pair(&self, i: usize, chunk: std::ops::Range<usize>) -> [&'a [Tile]; 2] {
        let of = |i: usize| self.vectors.get(i * self.depth..).filter(|v| !v.is_empty());
        let first = of(2 * i).unwrap_or_default();
        let second = of(2 * i + 1).unwrap_or(first);
        [&first[chunk.clone()], &second[chunk]]
    }
}

/// Writes what of the sums, from row `r` and vector `t` on, belongs to `y`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn put(sums: &Sums, (r, t): (usize, usize), y: &mut TileMut<'_>) {
    let (n, m) = (y.n(), y.m());
    for (i, tile) in sums.0.iter().enumerate() {
        let (r, t) = (r + i / 2 * SIDE, t + i % 2 * SIDE);
        if r >= m || t >= n {
            continue;
        }
        let mut columns = [_mm512_setzero_si512(); SIDE];
        for (column, row) in columns.iter_mut().zip(tile) {
            *column = _mm512_castps_si512(load_ps(row));
        }
        transpose(&mut columns);
        for (column, t) in columns.into_iter().zip(t..n) {
            let column = _mm512_castsi512_ps(column);
            let y = &mut y.row(t)[r..];
            if let Some(y) = y.first_chunk_mut::<SIDE>() {
                store_ps(y, column);
            } else {
                let mut whole = [0.0; SIDE];
                store_ps(&mut whole, column);
                let left = y.len();
                y.copy_from_slice(&whole[..left]);
            }
        }
    }
}
