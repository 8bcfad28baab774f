//! Rows of weights times several vectors: eight rows by four vectors at a time.

use core::arch::x86_64::*;

use super::{
    load::{load_ps, store_ps},
    rows::{ROWS, eight_rows},
};
use crate::{
    activations::{ActRow, ActRows},
    block::Block,
    tile::TileMut,
    x86_64::{ahead::Ahead, view::View},
};

/// Vectors that share one load of the weights.
const VECTORS: usize = 4;

/// `y[t][r] = row r · x[t]`: `w` holds `y.m()` rows and `x` holds `y.n()` vectors.
///
/// `CHUNK` blocks of eight rows are unpacked once into a panel that stays in the first cache, and meet
/// every vector there; between chunks the accumulators rest in `y`. The arguments are those of
/// [`gemv`](super::gemv::gemv), with `step` for four vectors and for one.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a kernel, all of them functions"
)]
pub(in crate::x86_64) fn gemm<'a, B: Block, U: Copy, X: View<'a>, const CHUNK: usize>(
    w: &[B],
    x: ActRows<'a>,
    y: &mut TileMut<'_>,
    empty: U,
    unpack: impl Fn(&mut U, [&B; ROWS]),
    step_4: impl Fn([__m256; VECTORS], &U, &[X; VECTORS], usize) -> [__m256; VECTORS],
    step_1: impl Fn([__m256; 1], &U, &[X; 1], usize) -> [__m256; 1],
    dot: impl Fn(&[B], ActRow<'_>) -> f32,
) {
    let (n, m) = (y.n(), y.m());
    if w.is_empty() {
        (0..n).for_each(|t| y.row(t).fill(0.0));
        return;
    }
    let blocks = w.len() / m;
    let all = X::new(x.all, 0, n * blocks);
    let mut panel = [empty; CHUNK];
    let mut ahead = Ahead::new(w, ROWS * blocks);
    for r in (0..m / ROWS * ROWS).step_by(ROWS) {
        let rows = eight_rows(w, r, blocks);
        for first in (0..blocks).step_by(CHUNK) {
            let panel = &mut panel[..CHUNK.min(blocks - first)];
            for (i, u) in panel.iter_mut().enumerate() {
                ahead.advance(ROWS * size_of::<B>());
                unpack(u, rows.map(|row| &row[first + i]));
            }
            for t in (0..n / VECTORS * VECTORS).step_by(VECTORS) {
                run(panel, &all, y, (t, r, first, blocks), &step_4);
            }
            for t in n / VECTORS * VECTORS..n {
                run(panel, &all, y, (t, r, first, blocks), &step_1);
            }
        }
    }
    for (r, row) in w.chunks_exact(blocks).enumerate().skip(m / ROWS * ROWS) {
        for t in 0..n {
            y.row(t)[r] = dot(row, x.row(t));
        }
    }
}

/// Takes a panel into the accumulators of vectors `t .. t + N` and rows `r .. r + 8`; the panel's
/// first block is block `first` of the rows' `blocks`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn run<'a, U, X: View<'a>, const N: usize>(
    panel: &[U],
    x: &X,
    y: &mut TileMut<'_>,
    (t, r, first, blocks): (usize, usize, usize, usize),
    step: &impl Fn([__m256; N], &U, &[X; N], usize) -> [__m256; N],
) {
    let vectors: [X; N] = std::array::from_fn(|v| x.part((t + v) * blocks + first, panel.len()));
    let mut acc = [_mm256_setzero_ps(); N];
    if first > 0 {
        for (v, acc) in acc.iter_mut().enumerate() {
            *acc = load_ps(&y.row(t + v)[r..].as_chunks().0[0]);
        }
    }
    for (i, u) in panel.iter().enumerate() {
        acc = step(acc, u, &vectors, i);
    }
    for (v, acc) in acc.into_iter().enumerate() {
        store_ps(&mut y.row(t + v)[r..].as_chunks_mut().0[0], acc);
    }
}
