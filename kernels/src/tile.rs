//! Disjoint parts of one output matrix, each written by one thread.

use std::marker::PhantomData;
#[cfg(target_arch = "x86_64")]
use std::ops::Range;

/// A block of columns of a row-major matrix: `n` tokens by `m` outputs.
#[derive(Debug)]
pub struct TileMut<'a> {
    ptr: *mut f32,
    n: usize,
    m: usize,
    stride: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: a tile is an exclusive borrow of plain numbers that no other tile reaches.
unsafe impl Send for TileMut<'_> {}

impl<'a> TileMut<'a> {
    /// A whole matrix of `m` columns as one tile.
    ///
    /// # Panics
    /// If `y` is not whole rows of `m`.
    #[must_use]
    pub fn new(y: &'a mut [f32], m: usize) -> Self {
        assert!(
            m > 0 && y.len().is_multiple_of(m),
            "tile: {} is not n * {m}",
            y.len()
        );
        Self {
            ptr: y.as_mut_ptr(),
            n: y.len() / m,
            m,
            stride: m,
            owner: PhantomData,
        }
    }

    /// Tokens.
    #[must_use]
    #[inline]
    pub const fn n(&self) -> usize {
        self.n
    }

    /// Outputs per token.
    #[must_use]
    #[inline]
    pub const fn m(&self) -> usize {
        self.m
    }

    /// The `m` outputs of token `t`.
    ///
    /// # Panics
    /// If there is no such token.
    #[must_use]
    #[inline]
    pub fn row(&mut self, t: usize) -> &mut [f32] {
        assert!(t < self.n, "tile: token {t} of {}", self.n);
        // SAFETY: `new` and `tiles` make tiles whose every row lies in the borrowed matrix, and no
        // two tiles share a column.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.add(t * self.stride), self.m) }
    }

    /// Some columns of some tokens of this tile.
    ///
    /// # Panics
    /// If the tile has fewer.
    #[must_use]
    #[inline]
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn part(&mut self, tokens: Range<usize>, columns: Range<usize>) -> TileMut<'_> {
        assert!(
            tokens.start <= tokens.end && tokens.end <= self.n,
            "tile: tokens {tokens:?} of {}",
            self.n
        );
        let first = tokens.start * self.stride;
        let mut tile = self.columns(columns.start, columns.len());
        // SAFETY: within the matrix, by the assertion.
        tile.ptr = unsafe { tile.ptr.add(first) };
        tile.n = tokens.len();
        tile
    }

    /// Columns `first .. first + m` of this tile.
    ///
    /// # Panics
    /// If the tile has fewer.
    #[must_use]
    #[inline]
    pub fn columns(&mut self, first: usize, m: usize) -> TileMut<'_> {
        assert!(
            first + m <= self.m,
            "tile: columns {first} + {m} of {}",
            self.m
        );
        // SAFETY: within the row, by the assertion.
        let ptr = unsafe { self.ptr.add(first) };
        TileMut {
            ptr,
            n: self.n,
            m,
            stride: self.stride,
            owner: PhantomData,
        }
    }
}

/// A matrix whose columns several threads write at the same time, each thread its own.
#[derive(Debug)]
pub struct SharedMut<'a> {
    ptr: *mut f32,
    n: usize,
    m: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is an exclusive borrow of plain numbers, which only `columns` reaches.
unsafe impl Send for SharedMut<'_> {}
// SAFETY: as above; `columns` asks its callers to keep the columns apart.
unsafe impl Sync for SharedMut<'_> {}

impl<'a> SharedMut<'a> {
    /// A whole matrix of `m` columns.
    ///
    /// # Panics
    /// If `y` is not whole rows of `m`.
    #[must_use]
    pub fn new(y: &'a mut [f32], m: usize) -> Self {
        let TileMut { ptr, n, m, .. } = TileMut::new(y, m);
        Self {
            ptr,
            n,
            m,
            owner: PhantomData,
        }
    }

    /// Columns `first .. first + m`.
    ///
    /// # Panics
    /// If the matrix has fewer.
    ///
    /// # Safety
    /// No two tiles that are in use at the same time may have a column in common.
    #[must_use]
    pub unsafe fn columns(&self, first: usize, m: usize) -> TileMut<'_> {
        assert!(
            first + m <= self.m,
            "tile: columns {first} + {m} of {}",
            self.m
        );
        TileMut {
            // SAFETY: within the row, by the assertion.
            ptr: unsafe { self.ptr.add(first) },
            n: self.n,
            m,
            stride: self.m,
            owner: PhantomData,
        }
    }
}

/// Cuts `y`, shape `(n, m)`, into tiles of at most `step` columns: `(first column, tile)`.
///
/// # Panics
/// If `y` is not whole rows of `m`, or `step` is 0.
pub fn tiles(
    y: &mut [f32],
    m: usize,
    step: usize,
) -> impl Iterator<Item = (usize, TileMut<'_>)> + Send {
    assert!(step > 0, "tiles need a width");
    let mut whole = TileMut::new(y, m);
    (0..m).step_by(step).map(move |first| {
        let tile = whole.columns(first, step.min(m - first));
        // SAFETY of the disjointness: `first` strides by `step`, so columns never overlap; only the
        // lifetime is stretched from the closure's borrow to that of `y`.
        let tile = TileMut {
            ptr: tile.ptr,
            n: tile.n,
            m: tile.m,
            stride: tile.stride,
            owner: PhantomData,
        };
        (first, tile)
    })
}
