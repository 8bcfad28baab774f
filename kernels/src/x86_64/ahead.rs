//! Asks for weights before they are wanted.
//!
//! A core reads memory fastest in several pages at once: the hardware runs ahead of every page that it
//! sees read in order, by some twenty lines, and never beyond the page's end. One stream from end to end, as
//! weights are read, keeps it waiting at every page; eight pages at a time are read up to twice as fast.

use core::arch::x86_64::*;

/// A page that the hardware does not look beyond.
const PAGE: usize = 4096;
/// Pages that are asked for together.
const STREAMS: usize = 8;
/// Bytes after which a line of every stream is asked for.
const STEP: usize = 64 * STREAMS;

/// A walk over a matrix, and what runs before it: `STREAMS` pages, each an eighth of a page behind the
/// one before, so that a page is whole when the next one to be wanted is done.
///
/// What is asked for depends on the place alone, so walks over neighbouring parts of a matrix go on
/// where the last one ended.
pub(super) struct Ahead {
    /// What has been taken.
    at: usize,
    /// The next multiple of `STEP`.
    next: usize,
    /// From there to the first stream.
    lead: usize,
}

impl Ahead {
    /// A walk from the start of `w`, of which `span` elements are read side by side.
    pub(super) fn new<B>(w: &[B], span: usize) -> Self {
        let at = w.as_ptr().addr();
        Self {
            at,
            next: at.next_multiple_of(STEP),
            lead: (span * size_of::<B>()).next_multiple_of(PAGE)
                + PAGE
                + PAGE / STREAMS * (STREAMS - 1),
        }
    }

    /// Goes on by `bytes`. What lies beyond the matrix is asked for too, which is harmless: it is the next
    /// one, or nothing.
    #[inline]
    #[target_feature(enable = "sse")]
    pub(super) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
        while self.next < self.at {
            let (page, line) = (self.next & !(PAGE - 1), self.next % PAGE / STREAMS);
            let first = page + line + self.lead;
            for stream in 0..STREAMS {
                let place = first + stream * (PAGE - PAGE / STREAMS);
                _mm_prefetch::<_MM_HINT_T1>(core::ptr::without_provenance(place));
            }
            self.next += STEP;
        }
    }
}
