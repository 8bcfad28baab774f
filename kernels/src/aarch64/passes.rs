//! The loops of a GEMM by panels, which the tiers share.
//!
//! 64 rows of 256 weights are unpacked into panels, which all vectors pass before the next 256: the
//! panels stay in the first-level cache, and the sums so far wait in the output itself.

use core::{
    arch::aarch64::{float32x4_t, int8x16_t},
    marker::PhantomData,
};

use super::{
    load,
    panel::{BLOCKS, Panel, ROWS, Unpacked},
    slab::{PANELS, Slab, VECTORS},
};
use crate::{
    activations::{ActRow, ActRows},
    block::{Block, Half, SuperBlock},
    tile::TileMut,
};

/// Panels of some rows, for some blocks of each row.
pub(super) struct Pass<'a, const Q: usize> {
    pub panels: &'a [Panel<Q>],
    /// The first row.
    row: usize,
    /// The first block of each row.
    pub at: usize,
    /// Blocks of each row.
    pub n: usize,
    /// Blocks of each whole row.
    k: usize,
    x: ActRows<'a>,
    /// The first vector that meets the panels.
    t: usize,
    /// Vectors that meet the panels, at most [`VECTORS`].
    vectors: usize,
}

/// Blocks of 32: `ints` unpacks one, and `tile` is for some vectors to meet the panels.
///
/// Rows beyond the last four are left.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn blocks<const Q: usize, B: Block>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    ints: impl Fn(&B) -> [int8x16_t; 2],
    tile: impl Fn(&Pass<'_, Q>, &mut Slab, &mut TileMut<'_>),
) {
    let fill = |panel: &mut Panel<Q>, w: [&[B]; ROWS]| panel.fill_blocks(w, |w| ints(w));
    passes(w, x, y, BLOCKS, fill, tile);
}

/// Super-blocks: `unpack` gives the integers of one and its two scales, `tile` is as for [`blocks`].
///
/// Rows beyond the last four are left.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn super_blocks<const Q: usize, B: SuperBlock>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    unpack: impl Fn(&B) -> (Unpacked, Half, Half),
    tile: impl Fn(&Pass<'_, Q>, &mut Slab, &mut TileMut<'_>),
) {
    let fill = |panel: &mut Panel<Q>, w: [&[B]; ROWS]| {
        panel.fill_super_block(w.map(|w| &w[0]), |w| unpack(w));
    };
    passes(w, x, y, 1, fill, tile);
}

/// Fills panels with `step` blocks a row and lets all vectors pass.
#[inline]
#[target_feature(enable = "neon")]
fn passes<const Q: usize, B: Block>(
    w: &[B],
    x: ActRows<'_>,
    y: &mut TileMut<'_>,
    step: usize,
    fill: impl Fn(&mut Panel<Q>, [&[B]; ROWS]),
    tile: impl Fn(&Pass<'_, Q>, &mut Slab, &mut TileMut<'_>),
) {
    let k = x.k() / B::LEN;
    let whole = y.m() / ROWS * ROWS;
    for t in 0..y.n() {
        y.row(t)[..whole].fill(0.0);
    }
    let mut panels = [Panel::EMPTY; PANELS];
    let mut slab = Slab::EMPTY;
    for row in (0..whole).step_by(PANELS * ROWS) {
        slab.spare = Slab::EMPTY.spare;
        let panels = &mut panels[..PANELS.min((whole - row) / ROWS)];
        for at in (0..k).step_by(step) {
            let n = step.min(k - at);
            for (panel, w) in panels.iter_mut().zip(w[row * k..].chunks_exact(ROWS * k)) {
                let rows = std::array::from_fn(|r| &w[r * k + at..r * k + at + n]);
                fill(panel, rows);
            }
            let mut t = 0;
            while t < y.n() {
                // One fewer than a tile takes is a tile with the last one twice.
                let vectors = match y.n() - t {
                    7.. => 8,
                    3.. => 4,
                    _ => 2,
                };
                let vectors = vectors.min(y.n() - t);
                let pass = Pass {
                    panels,
                    row,
                    at,
                    n,
                    k,
                    x,
                    t,
                    vectors,
                };
                tile(&pass, &mut slab, y);
                t += vectors;
            }
        }
    }
}

impl<'a, const Q: usize> Pass<'a, Q> {
    /// Pairs of vectors of a tile: 4, 2 or 1. Where vectors are missing, the last stands in for them.
    #[inline]
    pub fn pairs(&self) -> usize {
        self.vectors.div_ceil(2)
    }

    /// Of `all` numbers of the vectors, `len` for each block, those of each vector that meet the panels.
    #[inline]
    pub fn parts<T>(&self, all: &'a [T], len: usize) -> [&'a [T]; VECTORS] {
        std::array::from_fn(|v| {
            let t = self.t + v.min(self.vectors - 1);
            &all[(t * self.k + self.at) * len..][..self.n * len]
        })
    }

    /// All vectors.
    #[inline]
    pub fn x(&self) -> ActRow<'a> {
        self.x.all
    }

    /// Whether these are the last blocks of the rows.
    #[inline]
    pub fn is_last(&self) -> bool {
        self.at + self.n == self.k
    }

    /// Where the results go; `spare` is for a vector that is missing.
    #[inline]
    pub fn outputs<'y>(
        &self,
        y: &'y mut TileMut<'_>,
        spare: &'y mut [[f32; ROWS]; PANELS],
    ) -> Outputs<'y> {
        let panels = self.panels.len();
        let rows = std::array::from_fn(|v| {
            if v < self.vectors {
                let row = &mut y.row(self.t + v)[self.row..][..panels * ROWS];
                row.as_mut_ptr().cast()
            } else {
                spare[..panels].as_mut_ptr()
            }
        });
        Outputs {
            rows,
            panels,
            owner: PhantomData,
        }
    }
}

/// Results of a tile, four of each vector for a panel.
pub(super) struct Outputs<'y> {
    rows: [*mut [f32; ROWS]; VECTORS],
    panels: usize,
    owner: PhantomData<&'y mut [f32]>,
}

impl Outputs<'_> {
    /// Where those of each vector and panel `p` are.
    #[inline]
    pub fn places(&mut self, p: usize) -> ([*mut [f32; ROWS]; VECTORS], usize) {
        assert!(p < self.panels);
        (self.rows, p * size_of::<[f32; ROWS]>())
    }

    /// Those of vector `v` and panel `p`.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn get(&self, v: usize, p: usize) -> float32x4_t {
        assert!(p < self.panels);
        // SAFETY: `Pass::outputs` has borrowed so many numbers of each row.
        load::f32x4(unsafe { &*self.rows[v].add(p) })
    }

    /// Replaces those of vector `v` and panel `p`.
    #[inline]
    #[target_feature(enable = "neon")]
    pub fn put(&mut self, v: usize, p: usize, to: float32x4_t) {
        assert!(p < self.panels);
        // SAFETY: as in `get`, for writing.
        load::put_f32x4(unsafe { &mut *self.rows[v].add(p) }, to);
    }
}

/// One number of each of at most [`BLOCKS`] blocks, then zeros.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn eight(x: &[f32]) -> [float32x4_t; BLOCKS / 4] {
    if let Ok(whole) = <&[f32; BLOCKS]>::try_from(x) {
        let (whole, _) = whole.as_chunks::<4>();
        return [load::f32x4(&whole[0]), load::f32x4(&whole[1])];
    }
    [0, 4].map(|first| {
        let four = std::array::from_fn(|i| x.get(first + i).copied().unwrap_or(0.0));
        load::f32x4(&four)
    })
}
