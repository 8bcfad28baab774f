//! Keys and values of the tokens seen, one room a layer and head.

use std::ops::Range;

use puna_kernels::{WeightType, quantize_row};

use crate::model::Config;

/// How the cache stores its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KvType {
    /// Half precision: 2 bytes.
    #[default]
    F16,
    /// 8 bits and a scale per 32: 1.0625 bytes.
    Q8_0,
    /// Single precision: 4 bytes.
    F32,
}

impl KvType {
    /// The block type of its rows.
    #[must_use]
    pub const fn weight_type(self) -> WeightType {
        match self {
            Self::F16 => WeightType::F16,
            Self::Q8_0 => WeightType::Q8_0,
            Self::F32 => WeightType::F32,
        }
    }

    /// `"f16"`, `"q8_0"` or `"f32"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
            Self::F32 => "f32",
        }
    }

    /// Bytes of the whole cache for `n_ctx` tokens, or `None` where a head does not hold whole blocks
    /// of this type, or the size is beyond the address space.
    #[must_use]
    pub fn bytes(self, config: &Config, n_ctx: usize) -> Option<usize> {
        let ty = self.weight_type();
        if !config.head_dim.is_multiple_of(ty.block_len()) {
            return None;
        }
        ty.row_bytes(config.head_dim)
            .checked_mul(n_ctx)?
            .checked_mul(config.n_head_kv)?
            .checked_mul(config.n_layer)?
            .checked_mul(2)
    }
}

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

/// One head's room of a layer, from some position on.
#[derive(Debug)]
pub struct HeadMut<'a> {
    ty: WeightType,
    row: usize,
    keys: &'a mut [u8],
    values: &'a mut [u8],
}

impl HeadMut<'_> {
    /// Stores the key and the value, `head_dim` numbers each, of the `t`-th position of the room.
    ///
    /// # Panics
    /// If the room has fewer positions.
    pub fn store(&mut self, t: usize, k: &[f32], v: &[f32]) {
        let row = t * self.row..(t + 1) * self.row;
        let stored = quantize_row(self.ty, k, &mut self.keys[row.clone()])
            && quantize_row(self.ty, v, &mut self.values[row]);
        debug_assert!(stored, "every cache type has a quantizer");
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
