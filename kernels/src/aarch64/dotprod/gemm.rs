//! Rows of weights times several vectors, by panels.
//!
//! 32 rows of 256 weights are unpacked into panels, which all vectors pass before the next 256: the
//! panels stay in the first-level cache, and the sums so far wait in the output itself.

use core::arch::aarch64::{
    float32x4_t, int8x16_t, int32x4_t, vcvtq_f32_s32, vdupq_n_f32, vdupq_n_s32, vfmaq_n_f32,
    vfmsq_f32, vmlal_n_s16, vmlaq_s32, vmulq_n_f32,
};

use super::dot::dot_lane;
use crate::{
    aarch64::{
        lanes, load,
        panel::{BLOCKS, Panel, ROWS, Unpacked},
    },
    activations::{ActRow, ActRows},
    block::{Block, Half, QK, QK_K, SuperBlock},
    tile::TileMut,
};

/// Panels that are filled together.
const PANELS: usize = 8;

/// Panels of the rows from `row` on, for the blocks from `at` on of each row.
struct Pass<'a> {
    panels: &'a [Panel],
    row: usize,
    at: usize,
    /// Blocks of each row in the panels.
    n: usize,
    x: ActRows<'a>,
}

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
    let fill = |panel: &mut Panel, w: [&[B]; ROWS]| panel.fill_blocks(w, |w| ints(w));
    passes(w, x, y, BLOCKS, fill, |pass, y, t, left| match left {
        8.. => pass.blocks::<MIN, 8>(y, t),
        4.. => pass.blocks::<MIN, 4>(y, t),
        2.. => pass.blocks::<MIN, 2>(y, t),
        _ => pass.blocks::<MIN, 1>(y, t),
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
    let fill = |panel: &mut Panel, w: [&[B]; ROWS]| {
        panel.fill_super_block(w.map(|w| &w[0]), |w| unpack(w));
    };
    passes(w, x, y, 1, fill, |pass, y, t, left| match left {
        8.. => pass.super_block::<B, 8>(y, t),
        4.. => pass.super_block::<B, 4>(y, t),
        2.. => pass.super_block::<B, 2>(y, t),
        _ => pass.super_block::<B, 1>(y, t),
    });
}

/// Fills panels with `step` blocks a row and lets all vectors pass: `tile(pass, y, t, left)` takes
/// some of the `left` vectors from `t` on and says how many.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn passes<B: Block>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    step: usize,
    fill: impl Fn(&mut Panel, [&[B]; ROWS]),
    tile: impl Fn(&Pass<'_>, &mut TileMut<'_>, usize, usize) -> usize,
) {
    let k = x.k() / B::LEN;
    let whole = y.m() / ROWS * ROWS;
    if k == 0 {
        (0..y.n()).for_each(|t| y.row(t).fill(0.0));
        return;
    }
    let mut panels = [Panel::EMPTY; PANELS];
    for row in (0..whole).step_by(PANELS * ROWS) {
        let panels = &mut panels[..PANELS.min((whole - row) / ROWS)];
        for at in (0..k).step_by(step) {
            let n = step.min(k - at);
            for (panel, w) in panels.iter_mut().zip(w[row * k..].chunks_exact(ROWS * k)) {
                let rows = std::array::from_fn(|r| &w[r * k + at..r * k + at + n]);
                fill(panel, rows);
            }
            let pass = Pass {
                panels,
                row,
                at,
                n,
                x,
            };
            let mut t = 0;
            while t < y.n() {
                t += tile(&pass, y, t, y.n() - t);
            }
        }
    }
}

impl Pass<'_> {
    /// `V` vectors from `t` on meet the panels; returns `V`.
    #[inline(never)]
    #[target_feature(enable = "neon,dotprod")]
    fn blocks<const MIN: bool, const V: usize>(&self, y: &mut TileMut<'_>, t: usize) -> usize {
        let x = self.acts::<V>(t);
        let n = self.n;
        let qs = x.map(|x| &x.qs.as_chunks::<QK>().0[self.at..][..n]);
        let (mut dx, mut sx) = ([[0.0; V]; BLOCKS], [[0.0; V]; BLOCKS]);
        for v in 0..V {
            for i in 0..n {
                dx[i][v] = x[v].d[self.at + i];
                if MIN {
                    sx[i][v] = x[v].s[self.at + i];
                }
            }
        }
        for (p, panel) in self.panels.iter().enumerate() {
            let mut acc = self.so_far::<V>(y, t, p);
            let (groups, _) = panel.ints.as_chunks::<4>();
            let (groups, _) = groups.as_chunks::<2>();
            for i in 0..n.min(BLOCKS) {
                let [low, high] = &groups[i];
                let mut sums = [vdupq_n_s32(0); V];
                sums = products(sums, low, qs.map(|qs| &qs[i].as_chunks().0[0]));
                sums = products(sums, high, qs.map(|qs| &qs[i].as_chunks().0[1]));
                let (d, m) = (load::f32x4(&panel.d[i]), load::f32x4(&panel.m[i]));
                for v in 0..V {
                    acc[v] = lanes::scaled(acc[v], d, dx[i][v], sums[v]);
                    if MIN {
                        acc[v] = vfmaq_n_f32(acc[v], m, sx[i][v]);
                    }
                }
            }
            self.put(y, t, p, acc);
        }
        V
    }

    /// As [`blocks`](Self::blocks), for one super-block a row.
    #[inline(never)]
    #[target_feature(enable = "neon,dotprod")]
    fn super_block<B: SuperBlock, const V: usize>(&self, y: &mut TileMut<'_>, t: usize) -> usize {
        let x = self.acts::<V>(t);
        let qs = x.map(|x| &x.qs.as_chunks::<QK_K>().0[self.at]);
        let bsums = x.map(|x| &x.sums.as_chunks::<{ QK_K / 16 }>().0[self.at]);
        for (p, panel) in self.panels.iter().enumerate() {
            let mut totals = [vdupq_n_s32(0); V];
            let (groups, _) = panel.ints.as_chunks::<4>();
            for j in 0..QK_K / B::SUB {
                let mut sums = [vdupq_n_s32(0); V];
                for i in j * B::SUB / 16..(j + 1) * B::SUB / 16 {
                    sums = products(sums, &groups[i], qs.map(|qs| &qs.as_chunks().0[i]));
                }
                let scale = load::i32x4(&panel.scales[j]);
                for v in 0..V {
                    totals[v] = vmlaq_s32(totals[v], sums[v], scale);
                }
            }
            let mut acc = self.so_far::<V>(y, t, p);
            let d = load::f32x4(&panel.d[0]);
            for v in 0..V {
                acc[v] = lanes::scaled(acc[v], d, x[v].d[self.at], totals[v]);
            }
            if B::HAS_MIN {
                let mut totals = [vdupq_n_s32(0); V];
                for i in 0..QK_K / 16 {
                    let min = load::i16x4(&panel.mins[i * 16 / B::SUB]);
                    for v in 0..V {
                        totals[v] = vmlal_n_s16(totals[v], min, bsums[v][i]);
                    }
                }
                let dmin = load::f32x4(&panel.m[0]);
                for v in 0..V {
                    let dmin = vmulq_n_f32(dmin, x[v].d[self.at]);
                    acc[v] = vfmsq_f32(acc[v], dmin, vcvtq_f32_s32(totals[v]));
                }
            }
            self.put(y, t, p, acc);
        }
        V
    }

    /// The `V` vectors from `t` on.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    fn acts<const V: usize>(&self, t: usize) -> [ActRow<'_>; V] {
        std::array::from_fn(|v| self.x.row(t + v))
    }

    /// What earlier blocks have given panel `p`.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    fn so_far<const V: usize>(&self, y: &mut TileMut<'_>, t: usize, p: usize) -> [float32x4_t; V] {
        let mut acc = [vdupq_n_f32(0.0); V];
        if self.at > 0 {
            for v in 0..V {
                acc[v] = load::f32x4(&y.row(t + v)[self.row..].as_chunks().0[p]);
            }
        }
        acc
    }

    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    fn put<const V: usize>(&self, y: &mut TileMut<'_>, t: usize, p: usize, acc: [float32x4_t; V]) {
        for v in 0..V {
            load::put_f32x4(&mut y.row(t + v)[self.row..].as_chunks_mut().0[p], acc[v]);
        }
    }
}

/// Adds the products of 16 weights a row, four groups of a panel, with 16 activations of each vector.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn products<const V: usize>(
    mut sums: [int32x4_t; V],
    groups: &[[i8; 16]; 4],
    x: [&[i8; 16]; V],
) -> [int32x4_t; V] {
    let x = x.map(|x| load::i8x16(x));
    let [a, b, c, d] = [0, 1, 2, 3].map(|g| load::i8x16(&groups[g]));
    for v in 0..V {
        sums[v] = dot_lane::<0>(sums[v], a, x[v]);
    }
    for v in 0..V {
        sums[v] = dot_lane::<1>(sums[v], b, x[v]);
    }
    for v in 0..V {
        sums[v] = dot_lane::<2>(sums[v], c, x[v]);
    }
    for v in 0..V {
        sums[v] = dot_lane::<3>(sums[v], d, x[v]);
    }
    sums
}
