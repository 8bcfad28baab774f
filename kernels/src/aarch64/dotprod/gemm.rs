//! Rows of weights times several vectors: the four rows of a panel in lanes, a register for each vector.

use core::arch::aarch64::{
    int8x16_t, int32x4_t, vcvtq_f32_s32, vdupq_n_s32, vfmsq_f32, vmulq_n_f32, vshlq_n_s32,
};

use super::{dot::dot_lane, tile};
use crate::{
    aarch64::{
        lanes, load,
        panel::{SPLIT, Unpacked, split},
        passes,
        slab::{PAIRS, Slab, SlabBlock, VECTORS},
    },
    activations::ActRows,
    block::{Block, Half, QK, QK_K, SuperBlock},
    tile::TileMut,
};

/// Panels for `sdot`.
type Pass<'a> = passes::Pass<'a, 1>;

/// Blocks of 32 that start with a scale and, if `MIN`, a minimum; `ints` unpacks one block.
///
/// Rows beyond the last four are left.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn blocks<const MIN: bool, B: Block>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    ints: impl Fn(&B) -> [int8x16_t; 2],
) {
    passes::blocks(w, x, y, ints, |pass, slab, y| match pass.pairs() {
        4 => block_tile::<MIN, 4>(pass, slab, y),
        2 => block_tile::<MIN, 2>(pass, slab, y),
        _ => block_tile::<MIN, 1>(pass, slab, y),
    });
}

/// Super-blocks; `unpack` gives the integers of one and its two scales.
///
/// Rows beyond the last four are left.
#[inline]
#[target_feature(enable = "neon,dotprod")]
pub(super) fn super_blocks<B: SuperBlock>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    unpack: impl Fn(&B) -> (Unpacked, Half, Half),
) {
    passes::super_blocks(w, x, y, unpack, |pass, slab, y| match pass.pairs() {
        4 => super_tile::<B, 4>(pass, slab, y),
        2 => super_tile::<B, 2>(pass, slab, y),
        _ => super_tile::<B, 1>(pass, slab, y),
    });
}

/// `P` pairs of vectors meet the panels.
#[inline(never)]
#[target_feature(enable = "neon,dotprod")]
fn block_tile<const MIN: bool, const P: usize>(
    pass: &Pass<'_>,
    slab: &mut Slab,
    y: &mut TileMut<'_>,
) {
    let x = pass.x();
    lay_floats::<P>(slab, |block| &mut block.d, pass.parts(x.d, 1));
    if MIN {
        lay_floats::<P>(slab, |block| &mut block.s, pass.parts(x.s, 1));
    }
    let qs = pass.parts(x.qs, QK).map(|qs| qs.as_chunks().0);
    let mut y = pass.outputs(y, &mut slab.spare);
    for (p, panel) in pass.panels.iter().enumerate() {
        tile::blocks::<P, MIN>(panel, qs, &slab.blocks, &mut y, p);
    }
}

/// As [`block_tile`], for one super-block a row.
#[inline(never)]
#[target_feature(enable = "neon,dotprod")]
fn super_tile<B: SuperBlock, const P: usize>(
    pass: &Pass<'_>,
    slab: &mut Slab,
    y: &mut TileMut<'_>,
) {
    let x = pass.x();
    let qs = pass.parts(x.qs, QK_K).map(|qs| &qs.as_chunks().0[0]);
    let dx = pass.parts(x.d, 1).map(|d| d[0]);
    if B::HAS_MIN {
        let sums = pass.parts(x.sums, QK_K / 16);
        for v in 0..2 * P {
            let halves = split::<B>(&sums[v].as_chunks().0[0]);
            for (to, half) in slab.sums.iter_mut().zip(halves) {
                load::put_i8x16(&mut to[v / 2][v % 2], half);
            }
        }
    }
    let mut y = pass.outputs(y, &mut slab.spare);
    for (p, panel) in pass.panels.iter().enumerate() {
        let totals = tile::super_block::<P, B>(panel, qs);
        let (d, dmin) = (load::f32x4(&panel.d[0]), load::f32x4(&panel.dmin[0]));
        for v in 0..2 * P {
            let mut acc = lanes::scaled(y.get(v, p), d, dx[v], totals[v]);
            if B::HAS_MIN {
                let [high, low] = slab
                    .sums
                    .each_ref()
                    .map(|half| load::i8x16(&half[v / 2][v % 2]));
                let mins = products::<B>(vdupq_n_s32(0), &panel.mins, high);
                let mins = products::<B>(vshlq_n_s32::<SPLIT>(mins), &panel.mins, low);
                acc = vfmsq_f32(acc, vmulq_n_f32(dmin, dx[v]), vcvtq_f32_s32(mins));
            }
            y.put(v, p, acc);
        }
    }
}

/// One number of each vector, for each block.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn lay_floats<const P: usize>(
    slab: &mut Slab,
    place: impl Fn(&mut SlabBlock) -> &mut [[f32; 4]; PAIRS],
    x: [&[f32]; VECTORS],
) {
    let x = x.map(|x| passes::eight(x));
    for half in 0..2 {
        for four in 0..P.div_ceil(2) {
            let rows = std::array::from_fn(|v| x[4 * four + v][half]);
            let columns = lanes::transposed_f32(rows);
            for (to, column) in slab.blocks[4 * half..].iter_mut().zip(columns) {
                load::put_f32x4(&mut place(to)[four], column);
            }
        }
    }
}

/// Adds the products of the minimums of each row with one vector's sums.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn products<B: SuperBlock>(sum: int32x4_t, mins: &[[i8; 16]; 4], x: int8x16_t) -> int32x4_t {
    let [a, b, c, d] = mins.each_ref().map(|w| load::i8x16(w));
    let sum = dot_lane::<1>(dot_lane::<0>(sum, a, x), b, x);
    if B::SUB == 32 {
        return sum;
    }
    dot_lane::<3>(dot_lane::<2>(sum, c, x), d, x)
}
