//! One page of the cache: where its rows lie, and who holds it.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use memmap2::MmapMut;
use puna_kernels::WeightType;

use super::{KvType, NoRoom, PAGE, parked::Seal};
use crate::{gguf::Map, model::Config};

/// Where rows lie in a page: *rooms* of [`PAGE`] rows, one for the keys and one for the values of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub ty: WeightType,
    pub n_layer: usize,
    pub n_head_kv: usize,
    pub row_bytes: usize,
}

impl Layout {
    /// The layout for heads of a model, which hold whole blocks of `ty`.
    pub fn new(ty: KvType, config: &Config) -> Self {
        let ty = ty.weight_type();
        Self {
            ty,
            n_layer: config.n_layer,
            n_head_kv: config.n_head_kv,
            row_bytes: ty.row_bytes(config.head_dim),
        }
    }

    /// Rooms of a page.
    pub const fn n_rooms(self) -> usize {
        self.n_layer * 2 * self.n_head_kv
    }

    /// Bytes of a room.
    pub const fn room_bytes(self) -> usize {
        PAGE * self.row_bytes
    }

    /// Bytes of a page.
    pub const fn page_bytes(self) -> usize {
        self.n_rooms() * self.room_bytes()
    }

    /// Bytes of all rows of one token.
    pub const fn token_bytes(self) -> usize {
        self.n_rooms() * self.row_bytes
    }

    /// The bytes in a page of the rooms of layer `layer`.
    pub const fn layer_rooms(self, layer: usize) -> Range<usize> {
        let bytes = 2 * self.n_head_kv * self.room_bytes();
        layer * bytes..(layer + 1) * bytes
    }

    /// The bytes in a room of the rows of `positions`, which lie in one page.
    pub const fn rows(self, positions: &Range<usize>) -> Range<usize> {
        let first = positions.start % PAGE;
        first * self.row_bytes..(first + positions.end - positions.start) * self.row_bytes
    }
}

/// The rows of [`PAGE`] positions.
#[derive(Clone, Debug)]
pub(super) enum Page {
    /// In memory; its own while nobody else holds it.
    Memory(Arc<Buffer>),
    /// In a file; never written there.
    Mapped(Arc<Mapped>),
}

/// A page in memory.
#[derive(Debug)]
pub(super) struct Buffer {
    /// Pages of the system, which has them back the moment the buffer goes: an allocator may keep them.
    bytes: MmapMut,
    /// Where the same rows lie in a file, if one of the holders has put them there. None of them can write as
    /// long as there are several, so the two stay equal.
    copy: Mutex<Weak<Mapped>>,
}

impl Buffer {
    fn zeroed(layout: Layout) -> Result<Self, NoRoom> {
        let bytes = layout.page_bytes();
        Ok(Self {
            bytes: MmapMut::map_anon(bytes).map_err(|_| NoRoom { bytes })?,
            copy: Mutex::default(),
        })
    }

    /// The copy in a file.
    pub fn copy(&self) -> MutexGuard<'_, Weak<Mapped>> {
        self.copy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page in a file.
#[derive(Debug)]
pub(super) struct Mapped {
    pub map: Arc<Map>,
    start: usize,
    len: usize,
    /// `None` where all of the file was checked before.
    pub seal: Option<Seal>,
}

impl Mapped {
    /// The page from byte `start` of `map` on.
    pub fn new(map: &Arc<Map>, start: usize, layout: Layout, seal: Option<Seal>) -> Self {
        let len = layout.page_bytes();
        assert!(map.len() - start >= len, "KV cache: a page past the file");
        Self {
            map: Arc::clone(map),
            start,
            len,
            seal,
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.map[self.start..self.start + self.len]
    }
}

impl Page {
    /// A page of zeros. The system hands it out already zeroed, so what is never written costs nothing.
    pub fn zeroed(layout: Layout) -> Result<Self, NoRoom> {
        Ok(Self::Memory(Arc::new(Buffer::zeroed(layout)?)))
    }

    /// A page in a file.
    pub fn mapped(map: &Arc<Map>, start: usize, layout: Layout) -> Self {
        Self::Mapped(Arc::new(Mapped::new(map, start, layout, None)))
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Memory(buffer) => &buffer.bytes,
            Self::Mapped(mapped) => mapped.bytes(),
        }
    }

    /// The file that it lies in.
    pub fn map(&self) -> Option<&Arc<Map>> {
        match self {
            Self::Memory(_) => None,
            Self::Mapped(mapped) => Some(&mapped.map),
        }
    }

    pub fn is_shared(&self) -> bool {
        match self {
            Self::Memory(buffer) => Arc::strong_count(buffer) > 1,
            Self::Mapped(_) => true,
        }
    }

    /// Makes the page the cache's own, by a copy of the first `kept` rows of each room if it is not.
    pub fn make_own(&mut self, layout: Layout, kept: usize) -> Result<(), NoRoom> {
        if let Self::Memory(buffer) = self
            && let Some(buffer) = Arc::get_mut(buffer)
        {
            // It is about to be written.
            let copy = buffer.copy.get_mut();
            *copy.unwrap_or_else(PoisonError::into_inner) = Weak::new();
            return Ok(());
        }
        let mut copy = Buffer::zeroed(layout)?;
        let rooms = self.bytes().chunks_exact(layout.room_bytes());
        for (from, to) in rooms.zip(copy.bytes.chunks_exact_mut(layout.room_bytes())) {
            let kept = kept * layout.row_bytes;
            to[..kept].copy_from_slice(&from[..kept]);
        }
        *self = Self::Memory(Arc::new(copy));
        Ok(())
    }

    /// The bytes of a page that [`make_own`](Self::make_own) was called for.
    pub fn own(&mut self) -> &mut [u8] {
        let own = match self {
            Self::Memory(buffer) => Arc::get_mut(buffer),
            Self::Mapped(_) => None,
        };
        &mut own.expect("the page was made the cache's own").bytes
    }
}
