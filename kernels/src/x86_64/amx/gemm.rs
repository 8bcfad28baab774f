//! Rows of weights times several vectors: tiles of sixteen rows by sixteen vectors.

use core::arch::x86_64::*;

use super::{
    pack::{CHUNK, Packed},
    tile::{Results, Tiles, VECTORS},
};
use crate::{
    activations::ActRows,
    block::Block,
    tile::TileMut,
    x86_64::{
        ahead::Ahead,
        avx512vnni::{
            load::{load_i32, load_ps, store_ps},
            rows::{ROWS, Rows32, sixteen_rows},
        },
        view::{View, View32},
    },
};

/// Vectors that are packed at a time: 40 KB.
const GROUP: usize = 128;

/// Vectors whose accumulators are in registers together, for each of two sixteens of rows.
const HALF: usize = VECTORS / 2;

/// `CHUNK` blocks of `R` times sixteen rows, unpacked to signed bytes.
type Panel<const R: usize> = [[Rows32; CHUNK]; R];

/// `y[t][r] = row r · x[t]`: `w` holds `y.m()` rows, whole sixteens of them and none empty, and `x`
/// holds `y.n()` vectors.
///
/// `CHUNK` blocks of a group of vectors are packed, then those of 32 rows unpacked, and there they meet:
/// first all products as tiles, one for each block because every block has scales of its own, then the
/// sums in vector registers. Between chunks the accumulators rest in `y`.
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
    let mut acts = [const { Packed::EMPTY }; GROUP / VECTORS];
    let mut ahead = Ahead::new(w, 2 * ROWS * blocks);
    let mut panel = [[Rows32::empty(); CHUNK]; 2];
    let mut sums = [[Results([[0; 16]; VECTORS]); CHUNK]; 2];
    for group in (0..n).step_by(GROUP) {
        let n = n.min(group + GROUP);
        for first in (0..blocks).step_by(CHUNK) {
            let len = CHUNK.min(blocks - first);
            for (acts, t) in acts.iter_mut().zip((group..n).step_by(VECTORS)) {
                acts.fill(&all, (t, n - t), (first, len), blocks);
            }
            for r in (0..m).step_by(2 * ROWS) {
                let double = r + ROWS < m;
                if group == 0 && first == 0 {
                    // Every line of these rows, though the first blocks alone are wanted now: a chunk ends
                    // amid a line, and the others are soon wanted too.
                    ahead.advance((1 + double as usize) * ROWS * blocks * size_of::<B>());
                }
                for (half, panel) in panel.iter_mut().enumerate().take(1 + double as usize) {
                    let rows = sixteen_rows(w, r + half * ROWS, blocks);
                    for (i, u) in panel.iter_mut().enumerate().take(len) {
                        *u = unpack(rows.map(|row| &row[first + i]));
                    }
                }
                for (acts, t) in acts.iter().zip((group..n).step_by(VECTORS)) {
                    let place = (t, n, r, first > 0, len);
                    if double {
                        run::<MIN, 2>(&tiles, &mut sums, &panel, acts, y, place);
                    } else {
                        let (panel, sums) = (panel.first_chunk(), sums.first_chunk_mut());
                        let (Some(panel), Some(sums)) = (panel, sums) else {
                            unreachable!("two hold one")
                        };
                        run::<MIN, 1>(&tiles, sums, panel, acts, y, place);
                    }
                }
            }
        }
    }
}

/// Takes `len` blocks of a panel into the accumulators of vectors `t .. t + 16`, of which those below
/// `n` are there, and rows from `r`; the accumulators start from `y` if `add`, else from 0.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn run<const MIN: bool, const R: usize>(
    tiles: &Tiles,
    sums: &mut [[Results; CHUNK]; R],
    panel: &Panel<R>,
    x: &Packed,
    y: &mut TileMut<'_>,
    (t, n, r, add, len): (usize, usize, usize, bool, usize),
) {
    assert!(len <= CHUNK);
    for i in 0..len {
        tiles.load_vectors(&x.qs[i]);
        for (panel, sums) in panel.iter().zip(&mut *sums) {
            tiles.products(&panel[i].w, &mut sums[i]);
        }
    }
    for half in [0, HALF] {
        let there = n.saturating_sub(t + half).min(HALF);
        let place = (t + half, there, r);
        let mut acc = if add {
            start(y, place)
        } else {
            [[_mm512_setzero_ps(); R]; HALF]
        };
        for i in 0..len {
            let ds = &x.d[i].as_chunks::<HALF>().0[half / HALF];
            let ss = &x.s[i].as_chunks::<HALF>().0[half / HALF];
            for h in 0..R {
                let w = &panel[h][i];
                let sums = &sums[h][i].0.as_chunks::<HALF>().0[half / HALF];
                for v in 0..HALF {
                    let d = _mm512_mul_ps(w.d, _mm512_set1_ps(ds[v]));
                    let sum = _mm512_cvtepi32_ps(load_i32(&sums[v]));
                    acc[v][h] = _mm512_fmadd_ps(d, sum, acc[v][h]);
                    if MIN {
                        acc[v][h] = _mm512_fmadd_ps(w.m, _mm512_set1_ps(ss[v]), acc[v][h]);
                    }
                }
            }
        }
        rest(y, place, acc);
    }
}

/// The accumulators of `there` vectors from `t` and rows from `r`; of vectors that are not there, 0.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn start<const R: usize>(
    y: &mut TileMut<'_>,
    (t, there, r): (usize, usize, usize),
) -> [[__m512; R]; HALF] {
    let mut load = |v: usize| {
        let y = &y.row(t + v)[r..][..R * ROWS];
        std::array::from_fn(|h| load_ps(&y.as_chunks().0[h]))
    };
    if there == HALF {
        std::array::from_fn(load)
    } else {
        std::array::from_fn(|v| {
            if v < there {
                load(v)
            } else {
                [_mm512_setzero_ps(); R]
            }
        })
    }
}

/// Puts the accumulators of `there` vectors back.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn rest<const R: usize>(
    y: &mut TileMut<'_>,
    (t, there, r): (usize, usize, usize),
    acc: [[__m512; R]; HALF],
) {
    let mut store = |v: usize| {
        let y = &mut y.row(t + v)[r..][..R * ROWS];
        for (y, acc) in y.as_chunks_mut().0.iter_mut().zip(acc[v]) {
            store_ps(y, acc);
        }
    };
    if there == HALF {
        (0..HALF).for_each(store);
    } else {
        (0..there).for_each(&mut store);
    }
}
