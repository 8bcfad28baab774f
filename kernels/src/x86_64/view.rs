//! Activations as arrays of blocks, all of one length: a loop over blocks then needs no further checks,
//! and without their branches the compiler folds each load into its broadcast.

use crate::{
    activations::ActRow,
    block::{QK, QK_K},
};

/// Some blocks of one vector, or all of several.
pub(super) trait View<'a>: Copy {
    /// Blocks `first .. first + n` of `x`.
    fn new(x: ActRow<'a>, first: usize, n: usize) -> Self;

    /// Blocks `first .. first + n` of these.
    fn part(&self, first: usize, n: usize) -> Self;
}

/// `n` blocks of form `Q8_0`, or, with `MIN`, `Q8_1`.
#[derive(Clone, Copy)]
pub(super) struct View32<'a, const MIN: bool> {
    /// Values.
    pub qs: &'a [[i8; QK]],
    /// Scales.
    pub d: &'a [f32],
    /// `MIN`: `d * Σq`. Else empty.
    pub s: &'a [f32],
    /// `Σq`.
    pub sums: &'a [i16],
}

impl<'a, const MIN: bool> View<'a> for View32<'a, MIN> {
    #[inline(always)]
    fn new(x: ActRow<'a>, first: usize, n: usize) -> Self {
        Self {
            qs: &x.qs.as_chunks().0[first..][..n],
            d: &x.d[first..][..n],
            s: if MIN { &x.s[first..][..n] } else { &[] },
            sums: &x.sums[first..][..n],
        }
    }

    #[inline(always)]
    fn part(&self, first: usize, n: usize) -> Self {
        Self {
            qs: &self.qs[first..][..n],
            d: &self.d[first..][..n],
            s: if MIN { &self.s[first..][..n] } else { &[] },
            sums: &self.sums[first..][..n],
        }
    }
}

/// `n` blocks of form `Q8_K`.
#[derive(Clone, Copy)]
pub(super) struct View256<'a> {
    /// Values: eight times 32.
    pub qs: &'a [[i8; QK_K]],
    /// Scales.
    pub d: &'a [f32],
    /// `Σq` of every 16.
    pub sums: &'a [[i16; QK_K / 16]],
}

impl<'a> View<'a> for View256<'a> {
    #[inline(always)]
    fn new(x: ActRow<'a>, first: usize, n: usize) -> Self {
        Self {
            qs: &x.qs.as_chunks().0[first..][..n],
            d: &x.d[first..][..n],
            sums: &x.sums.as_chunks().0[first..][..n],
        }
    }

    #[inline(always)]
    fn part(&self, first: usize, n: usize) -> Self {
        Self {
            qs: &self.qs[first..][..n],
            d: &self.d[first..][..n],
            sums: &self.sums[first..][..n],
        }
    }
}
