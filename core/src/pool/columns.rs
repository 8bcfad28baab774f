//! Output matrices whose columns are dealt out in units.

use std::ops::Range;

use puna_kernels::{SharedMut, TileMut};

use super::shares::Sizes;

/// `N` groups of `Z` matrices each. The matrices of a group have one width and are cut at the same places;
/// the units of the groups count on from one group to the next.
#[derive(Debug)]
pub(super) struct Columns<'a, const N: usize, const Z: usize> {
    groups: [([SharedMut<'a>; Z], usize); N],
    one_row: bool,
}

/// Columns that make a unit, fewer at the end of a matrix: whole register tiles of every kernel.
const UNIT: usize = 32;
/// Units of a piece for several vectors, at most: a cancel is soon seen, and the last piece is short.
const MOST: usize = 8;
/// Pieces of a thread then, about: each reads all the vectors anew, so none is much shorter than the others.
const PIECES: usize = 4;

impl<'a, const N: usize, const Z: usize> Columns<'a, N, Z> {
    /// Matrices and their width.
    ///
    /// # Panics
    /// If a matrix is not whole rows of its width.
    pub fn new(outs: [([&'a mut [f32]; Z], usize); N]) -> Self {
        let one_row = outs
            .iter()
            .all(|(outs, m)| outs.iter().all(|y| y.len() <= *m));
        Self {
            groups: outs.map(|(outs, m)| (outs.map(|y| SharedMut::new(y, m)), m)),
            one_row,
        }
    }

    /// How the units are cut into pieces for `n_threads`.
    pub fn sizes(&self, n_threads: usize) -> Sizes {
        let (least, most) = if self.one_row {
            (1, usize::MAX)
        } else {
            let piece = self.n_units().div_ceil(PIECES * n_threads).clamp(1, MOST);
            (piece, piece)
        };
        let units = |n| u32::try_from(n).unwrap_or(u32::MAX);
        Sizes {
            least: units(least),
            most: units(most),
        }
    }

    /// Units of all groups.
    pub fn n_units(&self) -> usize {
        self.groups.iter().map(|(_, m)| m.div_ceil(UNIT)).sum()
    }

    /// The columns that `units` stand for: `f(group, first column, tiles)` for each group that they touch.
    ///
    /// # Safety
    /// No two calls, on any thread, may have a unit in common while a tile of the first is in use.
    pub unsafe fn each(
        &self,
        mut units: Range<usize>,
        mut f: impl FnMut(usize, usize, [TileMut<'_>; Z]),
    ) {
        for (group, (outs, m)) in self.groups.iter().enumerate() {
            let here = m.div_ceil(UNIT);
            let (first, end) = (units.start.min(here), units.end.min(here));
            if first < end {
                let (first, end) = (first * UNIT, (end * UNIT).min(*m));
                // SAFETY: different units are different columns, and the caller keeps units apart.
                let tiles = outs
                    .each_ref()
                    .map(|y| unsafe { y.columns(first, end - first) });
                f(group, first, tiles);
            }
            units = units.start.saturating_sub(here)..units.end.saturating_sub(here);
        }
    }
}
