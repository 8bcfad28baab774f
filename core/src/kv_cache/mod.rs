//! Keys and values of the tokens seen, one room a layer and head.

mod head;
mod kv_type;

use std::ops::Range;

pub use head::HeadMut;
pub use kv_type::KvType;

use crate::model::Config;

/// The cache of one session: keys and values of shape `(n_layer, n_head_kv, n_ctx, head_dim)`.
///
/// The positions of a head are contiguous, so a head's keys are the rows of one matrix.
#[derive(Debug)]
pub struct KvCache {
    ty: KvType,
    n_ctx: usize,
    n_head_kv: usize,
    head_dim: usize,
    keys: Vec<u8>,
    values: Vec<u8>,
}

impl KvCache {
    /// Room for `n_ctx` tokens. The pages are only taken from the system as they are written.
    ///
    /// `None` where [`KvType::bytes`] is, or when the system has no room.
    #[must_use]
    pub fn new(ty: KvType, config: &Config, n_ctx: usize) -> Option<Self> {
        let half = ty.bytes(config, n_ctx)? / 2;
        Some(Self {
            ty,
            n_ctx,
            n_head_kv: config.n_head_kv,
            head_dim: config.head_dim,
            keys: zeroed(half)?,
            values: zeroed(half)?,
        })
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

    /// Bytes of the whole cache.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.keys.len() + self.values.len()
    }

    /// The rooms of layer `layer`'s heads from position `pos` on, to be filled head by head.
    ///
    /// # Panics
    /// If `pos` is past the end.
    pub fn heads_mut(
        &mut self,
        layer: usize,
        pos: usize,
    ) -> impl Iterator<Item = HeadMut<'_>> + Send {
        assert!(
            pos <= self.n_ctx,
            "KV cache: position {pos} is past the end"
        );
        let ty = self.ty.weight_type();
        let row = ty.row_bytes(self.head_dim);
        let (room, heads) = (self.n_ctx * row, self.n_head_kv);
        let cut = layer * heads * room..(layer + 1) * heads * room;
        let keys = self.keys[cut.clone()].chunks_exact_mut(room);
        let values = self.values[cut].chunks_exact_mut(room);
        keys.zip(values).map(move |(k, v)| HeadMut {
            ty,
            row,
            keys: &mut k[pos * row..],
            values: &mut v[pos * row..],
        })
    }

    /// The keys of one head at positions `range`: `range.len()` rows of `head_dim`.
    #[must_use]
    pub fn keys(&self, layer: usize, head: usize, range: Range<usize>) -> &[u8] {
        &self.keys[self.range(layer, head, range)]
    }

    /// The values of one head at positions `range`: `range.len()` rows of `head_dim`.
    #[must_use]
    pub fn values(&self, layer: usize, head: usize, range: Range<usize>) -> &[u8] {
        &self.values[self.range(layer, head, range)]
    }

    fn range(&self, layer: usize, head: usize, pos: Range<usize>) -> Range<usize> {
        let row = self.ty.weight_type().row_bytes(self.head_dim);
        let first = (layer * self.n_head_kv + head) * self.n_ctx;
        (first + pos.start) * row..(first + pos.end) * row
    }
}

/// `n` zero bytes, or `None` when the system has no room. The allocator takes them from the system
/// already zeroed, so pages that are never written cost nothing.
fn zeroed(n: usize) -> Option<Vec<u8>> {
    // `try_reserve` probes for room without touching it; `vec!` then asks for zeroed pages.
    let mut probe = Vec::<u8>::new();
    probe.try_reserve_exact(n).ok()?;
    drop(probe);
    Some(vec![0; n])
}
