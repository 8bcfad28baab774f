//! Rows of weights times one vector, or a few: sixteen rows at a time.

use core::arch::x86_64::*;

use super::{
    load::{neighbours, store_ps},
    rows::ROWS,
};
use crate::{
    activations::{ActRow, ActRows},
    block::Block,
    tile::TileMut,
    x86_64::{ahead::Ahead, view::View},
};

/// The vectors of `x`, at most `N`; the last one again where there are fewer.
pub(super) fn padded<'a, const N: usize>(x: ActRows<'a>) -> [ActRow<'a>; N] {
    std::array::from_fn(|v| x.row(v.min(x.n() - 1)))
}

/// `y[t][r] = row r · x[t]`: `w` holds `y.m()` rows, whole sixteens of them and none empty; of the vectors only
/// the first `y.n()` count.
///
/// Weights are unpacked in registers and meet every vector there. `group` takes `G` neighbouring blocks of
/// sixteen rows, the first of which is block `i` of the vectors, into the accumulators; `one` takes one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
pub(super) fn few<'a, B: Block, X: View<'a>, const N: usize, const G: usize>(
    w: &[B],
    x: [ActRow<'a>; N],
    y: &mut TileMut<'_>,
    group: impl Fn([__m512; N], [&[B; G]; ROWS], &[X; N], usize) -> [__m512; N],
    one: impl Fn([__m512; N], [&B; ROWS], &[X; N], usize) -> [__m512; N],
) {
    let (n, m) = (y.n(), y.m());
    let blocks = w.len() / m;
    let x = x.map(|x| X::new(x, 0, blocks));
    let mut ahead = Ahead::new(w, ROWS * blocks);
    for (r, w) in (0..m).step_by(ROWS).zip(w.chunks_exact(ROWS * blocks)) {
        let mut acc = [_mm512_setzero_ps(); N];
        for i in 0..blocks / G {
            ahead.advance(ROWS * size_of::<[B; G]>());
            acc = group(acc, neighbours(w, blocks, i * G), &x, i * G);
        }
        for i in blocks / G * G..blocks {
            ahead.advance(ROWS * size_of::<B>());
            acc = one(acc, neighbours(w, blocks, i).map(|[b]| b), &x, i);
        }
        for (v, acc) in acc.into_iter().enumerate().take(n) {
            store_ps(&mut y.row(v)[r..].as_chunks_mut().0[0], acc);
        }
    }
}
