//! Rows of weights times several vectors: sixteen rows by eight vectors at a time.

use core::arch::x86_64::*;

use super::{
    load::{load_ps, store_ps},
    rows::{ROWS, sixteen_rows},
};
use crate::{
    activations::ActRows,
    block::Block,
    tile::TileMut,
    x86_64::{ahead::Ahead, view::View},
};

/// Vectors that share one load of the weights.
pub(super) const VECTORS: usize = 8;

/// `y[t][r] = row r · x[t]`: `w` holds `y.m()` rows, whole sixteens of them and none empty, and `x`
/// holds `y.n()` vectors.
///
/// `CHUNK` blocks of sixteen rows are unpacked once into a panel that stays in the first cache, and
/// meet every vector there; between chunks the accumulators rest in `y`. `unpack` puts one block of sixteen rows
/// side by side, from `empty` at first; `step` takes it into the accumulators of eight, four or one vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a kernel, all of them functions"
)]
pub(super) fn gemm<'a, B: Block, U: Copy, X: View<'a>, const CHUNK: usize>(
    w: &[B],
    x: ActRows<'a>,
    y: &mut TileMut<'_>,
    empty: U,
    unpack: impl Fn(&mut U, [&B; ROWS]),
    step_8: impl Fn([__m512; VECTORS], &U, &[X; VECTORS], usize) -> [__m512; VECTORS],
    step_4: impl Fn([__m512; 4], &U, &[X; 4], usize) -> [__m512; 4],
    step_1: impl Fn([__m512; 1], &U, &[X; 1], usize) -> [__m512; 1],
) {
    let (n, m) = (y.n(), y.m());
    let blocks = w.len() / m;
    let all = X::new(x.all, 0, n * blocks);
    let mut panel = [empty; CHUNK];
    let mut ahead = Ahead::new(w, ROWS * blocks);
    for r in (0..m).step_by(ROWS) {
        let rows = sixteen_rows(w, r, blocks);
        for first in (0..blocks).step_by(CHUNK) {
            let panel = &mut panel[..CHUNK.min(blocks - first)];
            for (i, u) in panel.iter_mut().enumerate() {
                ahead.advance(ROWS * size_of::<B>());
                unpack(u, rows.map(|row| &row[first + i]));
            }
            for t in (0..n).step_by(VECTORS) {
                let place = (t, r, first, blocks);
                match n - t {
                    1 => run(panel, &all, y, place, &step_1),
                    2..=4 => run(panel, &all, y, place, &step_4),
                    _ => run(panel, &all, y, place, &step_8),
                }
            }
        }
    }
}

/// Takes a panel into the accumulators of vectors `t .. t + N`, as far as they are there, and rows `r .. r + 16`; the
/// panel's first block is block `first` of the rows' `blocks`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
fn run<'a, U, X: View<'a>, const N: usize>(
    panel: &[U],
    x: &X,
    y: &mut TileMut<'_>,
    (t, r, first, blocks): (usize, usize, usize, usize),
    step: &impl Fn([__m512; N], &U, &[X; N], usize) -> [__m512; N],
) {
    let there = N.min(y.n() - t);
    // The last vector again stands for those that are not there.
    let vector = |v: usize| x.part((t + v.min(there - 1)) * blocks + first, panel.len());
    let vectors: [X; N] = std::array::from_fn(vector);
    let mut acc = [_mm512_setzero_ps(); N];
    if first > 0 {
        for (v, acc) in acc.iter_mut().enumerate().take(there) {
            *acc = load_ps(&y.row(t + v)[r..].as_chunks().0[0]);
        }
    }
    for (i, u) in panel.iter().enumerate() {
        acc = step(acc, u, &vectors, i);
    }
    for (v, acc) in acc.into_iter().enumerate().take(there) {
        store_ps(&mut y.row(t + v)[r..].as_chunks_mut().0[0], acc);
    }
}
