//! Rows of weights times one vector, eight rows at a time.

use core::arch::x86_64::*;

use super::{
    load::store_ps,
    rows::{ROWS, eight_rows},
};
use crate::{
    activations::ActRow,
    block::Block,
    x86_64::{ahead::Ahead, view::View},
};

/// `y[r] = row r · x`: `w` holds `y.len()` rows.
///
/// `unpack` puts one block of eight rows side by side, into `unpacked`; `step` takes it into the accumulators, and
/// `dot` does the rows that are left over.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(in crate::x86_64) fn gemv<'a, B: Block, U, X: View<'a>>(
    w: &[B],
    x: ActRow<'a>,
    y: &mut [f32],
    mut unpacked: U,
    unpack: impl Fn(&mut U, [&B; ROWS]),
    step: impl Fn([__m256; 1], &U, &[X; 1], usize) -> [__m256; 1],
    dot: impl Fn(&[B], ActRow<'_>) -> f32,
) {
    if w.is_empty() {
        y.fill(0.0);
        return;
    }
    let blocks = w.len() / y.len();
    let view = [X::new(x, 0, blocks)];
    let mut ahead = Ahead::new(w, ROWS * blocks);
    let (tiles, rest) = y.as_chunks_mut::<ROWS>();
    let (done, left) = w.split_at(tiles.len() * ROWS * blocks);
    for (w, y) in done.chunks_exact(ROWS * blocks).zip(tiles) {
        let rows = eight_rows(w, 0, blocks);
        let mut acc = [_mm256_setzero_ps()];
        for i in 0..blocks {
            ahead.advance(ROWS * size_of::<B>());
            unpack(&mut unpacked, rows.map(|row| &row[i]));
            acc = step(acc, &unpacked, &view, i);
        }
        store_ps(y, acc[0]);
    }
    for (w, y) in left.chunks_exact(blocks).zip(rest) {
        *y = dot(w, x);
    }
}
