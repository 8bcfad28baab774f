//! Keys and values of the tokens seen, in pages that sessions can share.
//!
//! A page has the rows of [`PAGE`] positions for every layer and head. It is taken from the system when the
//! first of its positions is written, and copied when it is written while another session holds it too or
//! while it lies in a mapped file.

mod head;
mod kv_type;
mod page;
mod parked;
mod shift;

use std::{ops::Range, sync::Arc};

pub use head::HeadMut;
pub use kv_type::KvType;
pub(crate) use page::Layout;
pub(crate) use parked::{Damaged, Seal};

use self::page::Page;
use crate::{
    gguf::{GgufError, Map},
    model::Config,
};

/// Positions of a page. Attention takes the cache in chunks of as many, at multiples of it.
pub const PAGE: usize = 256;

/// The cache of one session. A page has the shape `(n_layer, 2, n_head_kv, PAGE, head_dim)`, keys before values.
#[derive(Debug)]
pub struct KvCache {
    ty: KvType,
    layout: Layout,
    n_ctx: usize,
    pages: Vec<Page>,
    /// The first position that was written since [`set_clean`](Self::set_clean).
    dirty_from: usize,
}

/// The system has no room for the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom {
    /// What a page takes.
    pub bytes: usize,
}

impl KvCache {
    /// Room for `n_ctx` tokens, of which nothing is taken from the system yet.
    ///
    /// `None` where [`KvType::bytes`] is, or when the system has no room for the whole.
    #[must_use]
    pub fn new(ty: KvType, config: &Config, n_ctx: usize) -> Option<Self> {
        let bytes = ty.bytes(config, n_ctx)?;
        // Probes for room without touching it.
        Vec::<u8>::new().try_reserve_exact(bytes).ok()?;
        let mut pages = Vec::new();
        pages.try_reserve_exact(n_ctx.div_ceil(PAGE)).ok()?;
        Some(Self {
            ty,
            layout: Layout::new(ty, config),
            n_ctx,
            pages,
            dirty_from: 0,
        })
    }

    /// A cache that begins as this one and shares its pages until one of the two writes to them.
    pub(crate) fn share(&self) -> Self {
        let mut pages = Vec::with_capacity(self.n_ctx.div_ceil(PAGE));
        pages.extend(self.pages.iter().cloned());
        Self { pages, ..*self }
    }

    /// How the numbers are stored.
    #[must_use]
    pub const fn ty(&self) -> KvType {
        self.ty
    }

    /// Tokens that fit.
    #[must_use]
    pub const fn n_ctx(&self) -> usize {
        self.n_ctx
    }

    /// Bytes of the whole cache, when full.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.layout.token_bytes() * self.n_ctx
    }

    /// Pages that another cache holds too, or that lie in a mapped file.
    #[must_use]
    pub fn n_shared_pages(&self) -> usize {
        self.pages.iter().filter(|page| page.is_shared()).count()
    }

    /// Where rows lie in a page.
    pub(crate) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Asks whether the files that pages of the first `n` positions lie in are still as long as they were: of the
    /// others nothing is read.
    pub(crate) fn check_files(&self, n: usize) -> Result<(), GgufError> {
        let maps = by_page(0..n)
            .zip(&self.pages)
            .filter_map(|(_, page)| page.map());
        // All pages of a restored session lie in one file.
        let mut checked: Option<&Arc<Map>> = None;
        for map in maps {
            if !checked.is_some_and(|other| Arc::ptr_eq(other, map)) {
                map.check()?;
                checked = Some(map);
            }
        }
        Ok(())
    }

    /// The page of number `index`, if it was reached.
    pub(crate) fn page(&self, index: usize) -> Option<&[u8]> {
        self.pages.get(index).map(Page::bytes)
    }

    /// The first position that was written since [`set_clean`](Self::set_clean).
    pub(crate) const fn dirty_from(&self) -> usize {
        self.dirty_from
    }

    /// Notes that what was written so far is known elsewhere.
    pub(crate) const fn set_clean(&mut self) {
        self.dirty_from = self.n_ctx;
    }

    /// Makes the positions `range`, which is not empty and within the context, writable. Positions before
    /// it keep their rows; those after it may lose them.
    pub(crate) fn make_room(&mut self, range: Range<usize>) -> Result<(), NoRoom> {
        debug_assert!(range.end <= self.n_ctx && !range.is_empty());
        let layout = self.layout;
        for positions in by_page(range.clone()) {
            let kept = positions.start % PAGE;
            match self.pages.get_mut(positions.start / PAGE) {
                Some(page) => page.make_own(layout, kept)?,
                None => self.pages.push(Page::zeroed(layout)?),
            }
        }
        self.dirty_from = self.dirty_from.min(range.start);
        Ok(())
    }

    /// Appends a whole page that lies in a mapped file from byte `start` on.
    ///
    /// # Panics
    /// If it does not end within the map.
    pub(crate) fn push_mapped(&mut self, map: &Arc<Map>, start: usize) {
        let page = Page::mapped(map, start, self.layout);
        self.pages.push(page);
    }

    /// The page of number `index`, to be filled from elsewhere; [`make_room`](Self::make_room) has made it
    /// writable.
    pub(crate) fn page_mut(&mut self, index: usize) -> &mut [u8] {
        self.pages[index].own()
    }

    /// The rooms of layer `layer`'s heads at positions `range`, to be filled head by head.
    ///
    /// # Panics
    /// If `range` crosses the end of a page, or is not within pages that are the cache's own.
    pub fn heads_mut(
        &mut self,
        layer: usize,
        range: Range<usize>,
    ) -> impl Iterator<Item = HeadMut<'_>> + Send {
        let layout = self.layout;
        let rows = layout.rows(&range);
        let rooms = layout.layer_rooms(layer);
        let (keys, values) = self.pages[range.start / PAGE].own()[rooms]
            .split_at_mut(layout.n_head_kv * layout.room_bytes());
        let rooms = |half| <[u8]>::chunks_exact_mut(half, layout.room_bytes());
        rooms(keys).zip(rooms(values)).map(move |(k, v)| HeadMut {
            ty: layout.ty,
            row: layout.row_bytes,
            keys: &mut k[rows.clone()],
            values: &mut v[rows.clone()],
        })
    }

    /// The keys of one head at positions `range` of one page: `range.len()` rows of `head_dim`.
    ///
    /// # Panics
    /// If `range` crosses the end of a page, or was never written.
    #[must_use]
    pub fn keys(&self, layer: usize, head: usize, range: Range<usize>) -> &[u8] {
        self.rows(2 * layer, head, range)
    }

    /// The values of one head at positions `range` of one page: `range.len()` rows of `head_dim`.
    ///
    /// # Panics
    /// As [`keys`](Self::keys).
    #[must_use]
    pub fn values(&self, layer: usize, head: usize, range: Range<usize>) -> &[u8] {
        self.rows(2 * layer + 1, head, range)
    }

    fn rows(&self, half: usize, head: usize, range: Range<usize>) -> &[u8] {
        let layout = self.layout;
        let first = (half * layout.n_head_kv + head) * layout.room_bytes();
        let room = &self.pages[range.start / PAGE].bytes()[first..][..layout.room_bytes()];
        &room[layout.rows(&range)]
    }
}

/// The parts of `positions` that lie in one page each, in order.
pub(crate) fn by_page(positions: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let first = positions.start / PAGE * PAGE;
    let starts = (first..positions.end).step_by(PAGE);
    starts.map(move |start| start.max(positions.start)..(start + PAGE).min(positions.end))
}
