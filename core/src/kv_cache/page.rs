//! One page of the cache: where its rows lie, and who holds it.

use std::{ops::Range, sync::Arc};

use puna_kernels::WeightType;

use super::{KvType, NoRoom, PAGE};
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
    Memory(Arc<Vec<u8>>),
    /// In a file, from byte `start` on; never written there.
    Mapped {
        map: Arc<Map>,
        start: usize,
        len: usize,
    },
}

impl Page {
    /// A page of zeros. The allocator takes it from the system already zeroed, so what is never written
    /// costs nothing.
    pub fn zeroed(layout: Layout) -> Result<Self, NoRoom> {
        Ok(Self::Memory(Arc::new(zeroed(layout.page_bytes())?)))
    }

    /// A page in a file.
    pub fn mapped(map: &Arc<Map>, start: usize, layout: Layout) -> Self {
        let len = layout.page_bytes();
        assert!(map.len() - start >= len, "KV cache: a page past the file");
        Self::Mapped {
            map: Arc::clone(map),
            start,
            len,
        }
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::Mapped { map, start, len } => &map[*start..*start + *len],
        }
    }

    pub fn is_shared(&self) -> bool {
        match self {
            Self::Memory(bytes) => Arc::strong_count(bytes) > 1,
            Self::Mapped { .. } => true,
        }
    }

    /// Makes the page the cache's own, by a copy of the first `kept` rows of each room if it is not.
    pub fn make_own(&mut self, layout: Layout, kept: usize) -> Result<(), NoRoom> {
        if let Self::Memory(bytes) = self
            && Arc::get_mut(bytes).is_some()
        {
            return Ok(());
        }
        let mut copy = zeroed(layout.page_bytes())?;
        let rooms = self.bytes().chunks_exact(layout.room_bytes());
        for (from, to) in rooms.zip(copy.chunks_exact_mut(layout.room_bytes())) {
            let kept = kept * layout.row_bytes;
            to[..kept].copy_from_slice(&from[..kept]);
        }
        *self = Self::Memory(Arc::new(copy));
        Ok(())
    }

    /// The bytes of a page that [`make_own`](Self::make_own) was called for.
    pub fn own(&mut self) -> &mut [u8] {
        let own = match self {
            Self::Memory(bytes) => Arc::get_mut(bytes),
            Self::Mapped { .. } => None,
        };
        own.expect("the page was made the cache's own")
    }
}

/// `n` zero bytes.
fn zeroed(n: usize) -> Result<Vec<u8>, NoRoom> {
    // `try_reserve` probes for room without touching it; `vec!` then asks for zeroed memory.
    let mut probe = Vec::<u8>::new();
    probe
        .try_reserve_exact(n)
        .map_err(|_| NoRoom { bytes: n })?;
    drop(probe);
    Ok(vec![0; n])
}
