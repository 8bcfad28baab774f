//! GGUF files, version 2 and 3: untrusted bytes into typed views.
//!
//! [`Gguf::open`] maps a model (all shards of a split one), reads its header and checks
//! everything that later code relies on: afterwards every key is UTF-8 and unique, every value is
//! whole, and every tensor has a known type, whole blocks, and bytes of its own inside the file.
//! Nothing is copied but names; nothing is allocated from a length that the file has not proved.
//!
//! The format is the one of ggml's `docs/gguf.md`, little-endian. Offsets in errors count from the
//! start of the file.
#![deny(unsafe_code)]

mod cursor;
mod error;
mod error_at;
mod getters;
mod map;
mod metadata;
mod shard;
mod split;
mod spool;
mod tensor_info;
mod tensor_type;
#[cfg(test)]
mod tests;
mod value;
mod writer;

use std::fmt;
use std::path::Path;

pub use error::GgufError;
pub use map::Map;
pub use tensor_info::TensorInfo;
pub use tensor_type::GgmlType;
pub use value::{ArrayView, Kind, Strings, Value, ValueType};
pub use writer::{OwnedValue, Writer};

pub(crate) use error::shown;
use shard::Shard;
use split::Place;

/// A model's file, or all files of a split one: metadata, tensors, bytes.
pub struct Gguf {
    /// One, or all of a split model in their order. The first one has the metadata.
    shards: Vec<Shard>,
    /// In the order of the files.
    tensors: Vec<TensorInfo>,
    /// Indices of `tensors`, sorted by name.
    by_name: Vec<u32>,
}

impl Gguf {
    /// Opens a file, or all shards of a split model by the path of its first.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        Self::assemble(Map::open(path)?, |no, count| {
            Map::open(&split::sibling(path, no, count)?)
        })
    }

    /// Reads a file in memory.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, GgufError> {
        Self::from_map(Map::from_bytes(bytes))
    }

    /// Reads a mapped file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_map(map: Map) -> Result<Self, GgufError> {
        Self::assemble(map, |_, count| {
            Err(GgufError::ShardCount {
                wanted: count,
                had: 1,
            })
        })
    }

    /// Reads the mapped shards of a split model, the first one first.
    ///
    /// # Errors
    /// What is wrong with which shard; [`GgufError::ShardCount`] if some are missing.
    pub fn from_maps(maps: impl IntoIterator<Item = Map>) -> Result<Self, GgufError> {
        let mut maps = maps.into_iter();
        let first = maps
            .next()
            .ok_or(GgufError::ShardCount { wanted: 1, had: 0 })?;
        Self::assemble(first, |no, count| {
            maps.next().ok_or(GgufError::ShardCount {
                wanted: count,
                had: no,
            })
        })
    }

    /// Reads the first shard and asks `next` for the others by number (from 0) and count.
    fn assemble(
        first: Map,
        mut next: impl FnMut(u16, u16) -> Result<Map, GgufError>,
    ) -> Result<Self, GgufError> {
        let (first, mut tensors) = Shard::read(first, 0)?;
        let place = Place::of(&first)?;
        let mut shards = vec![first];
        if let Some(place) = place {
            if place.no != 0 {
                return Err(GgufError::NotFirstShard {
                    had: place.no,
                    count: place.count,
                });
            }
            for no in 1..place.count {
                let (shard, more) =
                    Self::shard(next(no, place.count)?, no, place).map_err(|source| {
                        GgufError::Shard {
                            no: no + 1,
                            source: Box::new(source),
                        }
                    })?;
                shards.push(shard);
                tensors.extend(more);
            }
            let wanted = tensors.len() as u64;
            if let Some(had) = place.tensors.filter(|&had| had != wanted) {
                return Err(GgufError::Split {
                    key: "split.tensors.count",
                    no: 1,
                    wanted,
                    had,
                });
            }
        }
        let (by_name, twice) = tensor_info::sorted_by_name(&tensors);
        if let Some(second) = twice {
            return Err(GgufError::InTwoShards {
                tensor: shown(tensors[second].name()),
            });
        }
        Ok(Self {
            shards,
            tensors,
            by_name,
        })
    }

    fn shard(map: Map, no: u16, first: Place) -> Result<(Shard, Vec<TensorInfo>), GgufError> {
        let (shard, tensors) = Shard::read(map, no)?;
        match Place::of(&shard)? {
            Some(place) => place.check(no, first)?,
            None => {
                return Err(GgufError::Missing {
                    key: "split.count".to_owned(),
                });
            }
        }
        Ok((shard, tensors))
    }

    fn first(&self) -> &Shard {
        &self.shards[0]
    }

    /// The format's version, 2 or 3.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.first().version
    }

    /// Number of files.
    #[must_use]
    pub fn n_shards(&self) -> usize {
        self.shards.len()
    }

    /// The metadata in the file's order.
    pub fn keys(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let first = self.first();
        let pairs = first.metadata.pairs().iter();
        pairs.filter_map(|pair| Some((&*pair.key, pair.value(&first.map)?)))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        let first = self.first();
        first.metadata.pair(key)?.value(&first.map)
    }

    /// The tensors in the files' order.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = &TensorInfo> {
        self.tensors.iter()
    }

    /// The tensor of a name.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        let name_of = |&i: &u32| self.tensors[i as usize].name();
        let found = self
            .by_name
            .binary_search_by(|i| name_of(i).cmp(name))
            .ok()?;
        self.tensors.get(self.by_name[found] as usize)
    }

    /// The bytes of a tensor, exactly [`TensorInfo::byte_len`] of them, not copied. They have no
    /// particular alignment in memory.
    ///
    /// # Panics
    /// If `tensor` belongs to another model and its place is not in this one.
    #[must_use]
    pub fn bytes(&self, tensor: &TensorInfo) -> &[u8] {
        let shard = self.shards.get(usize::from(tensor.shard));
        shard
            .and_then(|shard| shard.bytes(tensor))
            .expect("the tensor is one of this model")
    }

    /// Tells the system that a tensor's bytes are wanted soon.
    pub fn advise_willneed(&self, tensor: &TensorInfo) {
        if let Some(shard) = self.shards.get(usize::from(tensor.shard)) {
            let start = (shard.data_start + tensor.offset()) as usize;
            shard
                .map
                .advise_willneed(start..start + tensor.byte_len() as usize);
        }
    }

    /// The bytes before the tensors' of each file: metadata and descriptions, as they are in the file.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &[u8]> {
        let end = |shard: &Shard| shard.map.len().min(shard.data_start as usize);
        self.shards
            .iter()
            .map(move |shard| &shard.map[..end(shard)])
    }

    /// Gives the memory of all mapped pages back to the system; they are read again when they are next touched.
    pub fn release_pages(&self) {
        self.shards
            .iter()
            .for_each(|shard| shard.map.release_pages());
    }

    /// Bytes of all files.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.map.len() as u64).sum()
    }

    /// Bytes of all tensors.
    #[must_use]
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors.iter().map(TensorInfo::byte_len).sum()
    }

    /// Asks whether the files are still as long as they were when opened; see [`Map::check`].
    ///
    /// # Errors
    /// [`GgufError::Shrunk`] if one is shorter.
    pub fn check(&self) -> Result<(), GgufError> {
        self.shards.iter().try_for_each(|shard| shard.map.check())
    }
}

impl fmt::Debug for Gguf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gguf")
            .field("version", &self.version())
            .field("n_shards", &self.n_shards())
            .field("n_kv", &self.first().metadata.pairs().len())
            .field("n_tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}
