//! Rows of weights times several vectors: a register for two rows of a panel and two vectors.

use core::arch::{
    aarch64::{
        int8x16_t, int32x4_t, vcvtq_f32_s32, vdupq_n_s32, vfmaq_f32, vfmsq_f32, vmulq_f32,
        vreinterpretq_f32_s8, vreinterpretq_s8_f32, vshlq_n_s32, vzip1q_f32, vzip2q_f32,
    },
    asm,
};

use super::tile;
use crate::{
    aarch64::{
        lanes, load,
        panel::{SPLIT, Unpacked, split},
        passes::{self, Outputs},
        slab::{PAIRS, Slab, SlabBlock, VECTORS},
    },
    activations::ActRows,
    block::{Block, Half, QK, QK_K, SuperBlock},
    tile::TileMut,
};

/// Panels for `smmla`.
type Pass<'a> = passes::Pass<'a, 2>;

/// Blocks of 32 that start with a scale and, if `MIN`, a minimum; `ints` unpacks one block.
///
/// Rows beyond the last four are left.
#[inline]
#[target_feature(enable = "neon,i8mm")]
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
#[target_feature(enable = "neon,i8mm")]
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
#[target_feature(enable = "neon,i8mm")]
fn block_tile<const MIN: bool, const P: usize>(
    pass: &Pass<'_>,
    slab: &mut Slab,
    y: &mut TileMut<'_>,
) {
    let x = pass.x();
    lay_ints::<P>(slab, pass.parts(x.qs, QK));
    lay_floats::<P>(slab, |block| &mut block.d, pass.parts(x.d, 1));
    if MIN {
        lay_floats::<P>(slab, |block| &mut block.s, pass.parts(x.s, 1));
    }
    let mut y = pass.outputs(y, &mut slab.spare);
    for (p, panel) in pass.panels.iter().enumerate() {
        tile::blocks::<P, MIN>(panel, &slab.blocks, pass.n, &mut y, p);
    }
    finish::<P>(pass, &mut y);
}

/// As [`block_tile`], for one super-block a row.
#[inline(never)]
#[target_feature(enable = "neon,i8mm")]
fn super_tile<B: SuperBlock, const P: usize>(
    pass: &Pass<'_>,
    slab: &mut Slab,
    y: &mut TileMut<'_>,
) {
    let x = pass.x();
    lay_ints::<P>(slab, pass.parts(x.qs, QK_K));
    lay_floats::<P>(slab, |block| &mut block.d, pass.parts(x.d, 1));
    if B::HAS_MIN {
        let sums = pass.parts(x.sums, QK_K / 16);
        for q in 0..P {
            let [a, b] = [0, 1].map(|v| split::<B>(&sums[2 * q + v].as_chunks().0[0]));
            for (half, to) in slab.sums.iter_mut().enumerate() {
                let to = &mut to[q];
                let [low, high] = lanes::pairs(a[half], b[half]);
                load::put_i8x16(&mut to[0], low);
                load::put_i8x16(&mut to[1], high);
            }
        }
    }
    let mut y = pass.outputs(y, &mut slab.spare);
    for (p, panel) in pass.panels.iter().enumerate() {
        let totals = tile::super_block::<P, B>(panel, &slab.blocks);
        let (d, dmin) = (&panel.d, &panel.dmin);
        for q in 0..P {
            let dx = load::f32x4(&slab.blocks[0].d[q]);
            for r in 0..2 {
                let i = 2 * q + r;
                let d = vmulq_f32(load::f32x4(&d[r]), dx);
                let mut acc = vfmaq_f32(y.get(i, p), d, vcvtq_f32_s32(totals[i]));
                if B::HAS_MIN {
                    let [high, low] = slab.sums.each_ref().map(|half| &half[q]);
                    let mins = products::<B>(vdupq_n_s32(0), &panel.mins, r, high);
                    let mins = products::<B>(vshlq_n_s32::<SPLIT>(mins), &panel.mins, r, low);
                    let dmin = vmulq_f32(load::f32x4(&dmin[r]), dx);
                    acc = vfmsq_f32(acc, dmin, vcvtq_f32_s32(mins));
                }
                y.put(i, p, acc);
            }
        }
    }
    finish::<P>(pass, &mut y);
}

/// After the last blocks, from rows 0 1 and 2 3 of each pair of vectors to four rows of each vector.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn finish<const P: usize>(pass: &Pass<'_>, y: &mut Outputs<'_>) {
    if !pass.is_last() {
        return;
    }
    for p in 0..pass.panels.len() {
        for q in 0..P {
            let [a, b] = [2 * q, 2 * q + 1].map(|v| vreinterpretq_s8_f32(y.get(v, p)));
            let [a, b] = lanes::pairs(a, b).map(|v| vreinterpretq_f32_s8(v));
            y.put(2 * q, p, a);
            y.put(2 * q + 1, p, b);
        }
    }
}

/// Eight activations of a vector beside eight of the next: 32 of each pair, then the next 32.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn lay_ints<const P: usize>(slab: &mut Slab, x: [&[i8]; VECTORS]) {
    let x = x.map(|x| x.as_chunks::<QK>().0);
    let n = x[0].len();
    let x = x.map(|x| &x[..n]);
    for (i, to) in slab.blocks.iter_mut().take(n).enumerate() {
        for q in 0..P {
            let [a, b] = [load::i8x32(&x[2 * q][i]), load::i8x32(&x[2 * q + 1][i])];
            for half in 0..2 {
                let [low, high] = lanes::pairs(a[half], b[half]);
                load::put_i8x16(&mut to.ints[q][2 * half], low);
                load::put_i8x16(&mut to.ints[q][2 * half + 1], high);
            }
        }
    }
}

/// One number of each vector twice, a pair in a register, for each block.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn lay_floats<const P: usize>(
    slab: &mut Slab,
    place: impl Fn(&mut SlabBlock) -> &mut [[f32; 4]; PAIRS],
    x: [&[f32]; VECTORS],
) {
    let x = x.map(|x| passes::eight(x));
    for half in 0..2 {
        for q in 0..P {
            let [a, b] = [x[2 * q][half], x[2 * q + 1][half]];
            let low = lanes::pairs(
                vreinterpretq_s8_f32(vzip1q_f32(a, a)),
                vreinterpretq_s8_f32(vzip1q_f32(b, b)),
            );
            let high = lanes::pairs(
                vreinterpretq_s8_f32(vzip2q_f32(a, a)),
                vreinterpretq_s8_f32(vzip2q_f32(b, b)),
            );
            let places = slab.blocks[4 * half..].iter_mut();
            for (to, v) in places.zip(low.into_iter().chain(high)) {
                load::put_f32x4(&mut place(to)[q], vreinterpretq_f32_s8(v));
            }
        }
    }
}

/// Adds the products of the minimums of a pair of rows with a pair of vectors' sums.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn products<B: SuperBlock>(
    sum: int32x4_t,
    mins: &[[i8; 16]; 4],
    pair: usize,
    x: &[[i8; 16]; 2],
) -> int32x4_t {
    let sum = mmla(sum, load::i8x16(&x[0]), load::i8x16(&mins[pair]));
    if B::SUB == 32 {
        return sum;
    }
    mmla(sum, load::i8x16(&x[1]), load::i8x16(&mins[2 + pair]))
}

/// Adds to lanes 0 1 2 3 eight products each: of the low half of `a` with the low and the high half of `b`,
/// then of its high half.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn mmla(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: works on registers alone; the feature is enabled on this function.
    unsafe {
        asm!("smmla {0:v}.4s, {1:v}.16b, {2:v}.16b", inout(vreg) sum, in(vreg) a, in(vreg) b,
             options(pure, nomem, nostack, preserves_flags));
    }
    sum
}
