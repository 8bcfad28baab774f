//! Pages that leave memory for a file, and whether they are still what was written.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    KvCache, Layout, PAGE, by_page,
    page::{Mapped, Page},
};
use crate::{
    cancel::{Stopped, Watch},
    gguf::Map,
};

/// What was written of a page.
#[derive(Debug)]
pub(crate) struct Seal {
    /// Rows of each room.
    n_rows: usize,
    crc: u32,
    /// Whether the file was found to have the same.
    sound: AtomicBool,
}

impl Seal {
    /// For the first `n_rows` rows of each room of a page.
    pub fn of(page: &[u8], layout: Layout, n_rows: usize) -> Self {
        let mut crc = crc32fast::Hasher::new();
        layout
            .first_rows(page, n_rows)
            .for_each(|rows| crc.update(rows));
        Self {
            n_rows,
            crc: crc.finalize(),
            sound: AtomicBool::new(false),
        }
    }
}

impl Layout {
    /// The first `n_rows` rows of each room of a page.
    pub fn first_rows(self, page: &[u8], n_rows: usize) -> impl Iterator<Item = &[u8]> {
        let rooms = page.chunks_exact(self.room_bytes());
        rooms.map(move |room| &room[..n_rows * self.row_bytes])
    }
}

/// Why rows of a file are not to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Damaged {
    /// They are others than were written.
    Rows(Range<usize>),
    /// It is not known: the caller wants no more of it.
    Stopped(Stopped),
}

impl KvCache {
    /// Gives back what memory it can without writing anything, of a cache whose first `n` positions count: pages
    /// behind them, memory of mapped files, and pages of which a file has a copy. Returns the positions of the
    /// pages that are still in memory, a range a page.
    pub(crate) fn release(&mut self, n: usize) -> Vec<Range<usize>> {
        self.pages.truncate(n.div_ceil(PAGE));
        let mut left = Vec::new();
        for (positions, page) in by_page(0..n).zip(&mut self.pages) {
            let copy = match page {
                Page::Memory(buffer) => buffer.copy().upgrade(),
                Page::Mapped(mapped) => {
                    mapped.map.release_pages();
                    // It will be read from the disk again.
                    if let Some(seal) = &mapped.seal {
                        seal.sound.store(false, Relaxed);
                    }
                    continue;
                }
            };
            let has_all =
                |seal: &Option<Seal>| seal.as_ref().is_some_and(|s| s.n_rows >= positions.len());
            match copy.filter(|copy| has_all(&copy.seal)) {
                Some(copy) => *page = Page::Mapped(copy),
                None => left.push(positions),
            }
        }
        left
    }

    /// Has a page lie in `map` from byte `start` on, where the rows of `seal` were written.
    pub(crate) fn park(&mut self, index: usize, map: &Arc<Map>, start: usize, seal: Seal) {
        let mapped = Arc::new(Mapped::new(map, start, self.layout, Some(seal)));
        let page = &mut self.pages[index];
        if let Page::Memory(buffer) = page {
            *buffer.copy() = Arc::downgrade(&mapped);
        }
        *page = Page::Mapped(mapped);
    }

    /// Compares the rows of the first `n` positions that lie in files since [`park`](Self::park) with what was
    /// written, each page once after it was given back.
    pub(crate) fn check(&self, n: usize, watch: &Watch<'_>) -> Result<(), Damaged> {
        for (positions, page) in by_page(0..n).zip(&self.pages) {
            let Page::Mapped(mapped) = page else { continue };
            let Some(seal) = &mapped.seal else { continue };
            if seal.sound.load(Relaxed) {
                continue;
            }
            let mut crc = crc32fast::Hasher::new();
            // Asked before it is touched: bytes past the end of a file cannot be read.
            if mapped.map.check().is_ok() {
                for rows in self.layout.first_rows(mapped.bytes(), seal.n_rows) {
                    watch.check().map_err(Damaged::Stopped)?;
                    crc.update(rows);
                }
                if crc.finalize() == seal.crc {
                    seal.sound.store(true, Relaxed);
                    continue;
                }
            }
            return Err(Damaged::Rows(positions));
        }
        Ok(())
    }
}
