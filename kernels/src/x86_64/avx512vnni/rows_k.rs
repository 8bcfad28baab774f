//! Sixteen rows side by side, as in [`rows`](super::rows), of the types with super-blocks.

use core::arch::x86_64::*;

use super::rows::{flip, join, join_ps};
use crate::x86_64::avx2::rows_k as eight;

/// One super-block of each of sixteen rows.
#[derive(Clone, Copy)]
pub(super) struct Rows256 {
    /// Weights `32 j + 4 k ..` of every row in `w[j][k]`; signed ones with 128 added.
    pub w: [[__m512i; 8]; 8],
    /// Scales of the 8 or 16 sub-blocks.
    pub scale: [__m512i; 16],
    /// What meets `Σx` of the two halves of every 32, two 16-bit numbers: minimums, or scales to take
    /// an offset off.
    pub pair: [__m512i; 8],
    /// Scales of the scales.
    pub d: __m512,
    /// Scales of the minimums; unused by the types without.
    pub dmin: __m512,
}

impl Rows256 {
    /// All zero.
    #[target_feature(enable = "avx512f")]
    pub(super) fn empty() -> Self {
        let zero = _mm512_setzero_si512();
        Self {
            w: [[zero; 8]; 8],
            scale: [zero; 16],
            pair: [zero; 8],
            d: _mm512_setzero_ps(),
            dmin: _mm512_setzero_ps(),
        }
    }

    /// Takes two times eight rows. `SIGNED` says that their weights are, so that 128 is added, to be
    /// taken off by the scales of sub-blocks of 32.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn join<const SIGNED: bool>(&mut self, low: &eight::Rows256, high: &eight::Rows256) {
        for (j, w) in self.w.iter_mut().enumerate() {
            for (k, w) in w.iter_mut().enumerate() {
                let both = join(low.w[j][k], high.w[j][k]);
                *w = if SIGNED { flip(both) } else { both };
            }
        }
        let (low_pair, high_pair) = if SIGNED {
            (&low.scale[..8], &high.scale[..8])
        } else {
            (&low.pair[..], &high.pair[..])
        };
        for (pair, (low, high)) in self.pair.iter_mut().zip(low_pair.iter().zip(high_pair)) {
            *pair = join(*low, *high);
        }
        for (scale, (low, high)) in self.scale.iter_mut().zip(low.scale.iter().zip(&high.scale)) {
            // There twice as 16 bits, here once as 32.
            *scale = _mm512_srai_epi32::<16>(join(*low, *high));
        }
        self.d = join_ps(low.d, high.d);
        self.dmin = join_ps(low.dmin, high.dmin);
    }
}
