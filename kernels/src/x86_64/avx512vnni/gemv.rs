//! Rows of weights times one vector, sixteen rows at a time.

use core::arch::x86_64::*;

use super::{
    load::store_ps,
    rows::{ROWS, sixteen_rows},
};
use crate::{
    activations::ActRow,
    block::Block,
    x86_64::{ahead::Ahead, view::View},
};

/// `y[r] = row r · x`: `w` holds `y.len()` rows, whole sixteens of them and none empty.
///
/// `unpack` puts one block of sixteen rows side by side, into `unpacked`; `step` takes it into the
/// accumulators.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) fn gemv<'a, B: Block, U, X: View<'a>>(
    w: &[B],
    x: ActRow<'a>,
    y: &mut [f32],
    mut unpacked: U,
    unpack: impl Fn(&mut U, [&B; ROWS]),
    step: impl Fn([__m512; 1], &U, &[X; 1], usize) -> [__m512; 1],
) {
    let blocks = w.len() / y.len();
    let view = [X::new(x, 0, blocks)];
    let mut ahead = Ahead::new(w, ROWS * blocks);
    let (tiles, _) = y.as_chunks_mut::<ROWS>();
    for (w, y) in w.chunks_exact(ROWS * blocks).zip(tiles) {
        let rows = sixteen_rows(w, 0, blocks);
        let mut acc = [_mm512_setzero_ps()];
        for i in 0..blocks {
            ahead.advance(ROWS * size_of::<B>());
            unpack(&mut unpacked, rows.map(|row| &row[i]));
            acc = step(acc, &unpacked, &view, i);
        }
        store_ps(y, acc[0]);
    }
}
