//! Models in several files: `name-00001-of-00003.gguf`.
//!
//! Each shard is a GGUF file whose `split.no` (from 0) and `split.count` say its place; the first
//! one has the model's metadata, and `split.tensors.count` is the number of tensors of all.

use std::path::{Path, PathBuf};

use super::error::GgufError;
use super::getters::integer;
use super::shard::Shard;

/// A shard's place, from its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its number, from 0.
    pub(super) no: u16,
    /// Shards of the model.
    pub(super) count: u16,
    /// Tensors of all shards, if it says so.
    pub(super) tensors: Option<u64>,
}

impl Place {
    /// The place of a shard; `None` if the file is a whole model.
    ///
    /// # Errors
    /// A `split.*` key that is no number, or a `split.no` that is not below `split.count`.
    pub(super) fn of(shard: &Shard) -> Result<Option<Self>, GgufError> {
        let (metadata, map) = (&shard.metadata, &shard.map);
        let Some(count @ 2..) = integer(metadata, map, "split.count", "u16")? else {
            return Ok(None);
        };
        let no = integer(metadata, map, "split.no", "u16")?;
        let no = no.ok_or_else(|| GgufError::Missing {
            key: "split.no".to_owned(),
        })?;
        let tensors = integer(metadata, map, "split.tensors.count", "u64")?;
        Ok(Some(Self { no, count, tensors }))
    }

    /// Checks that this is the place of the shard `no` (from 0) of the model of `first`.
    ///
    /// # Errors
    /// [`GgufError::Split`].
    pub(super) fn check(self, no: u16, first: Self) -> Result<(), GgufError> {
        let keys = [
            ("split.count", first.count, self.count),
            ("split.no", no, self.no),
        ];
        for (key, wanted, had) in keys {
            if had != wanted {
                let (wanted, had) = (wanted.into(), had.into());
                return Err(GgufError::Split {
                    key,
                    no: no + 1,
                    wanted,
                    had,
                });
            }
        }
        Ok(())
    }
}

/// The path of shard `no` (from 0), given the path of the first of `count`.
///
/// # Errors
/// [`GgufError::ShardName`] if the first one's name does not follow the pattern,
/// [`GgufError::ShardMissing`] if there is no such file.
pub(super) fn sibling(first: &Path, no: u16, count: u16) -> Result<PathBuf, GgufError> {
    let ending = |no: u16| format!("-{:05}-of-{count:05}.gguf", no + 1);
    let name = first.file_name().and_then(|name| name.to_str());
    let Some(prefix) = name.and_then(|name| name.strip_suffix(&ending(0))) else {
        return Err(GgufError::ShardName {
            path: first.to_path_buf(),
            no: 1,
            count,
            wanted: ending(0),
        });
    };
    let path = first.with_file_name(format!("{prefix}{}", ending(no)));
    if path.exists() {
        Ok(path)
    } else {
        Err(GgufError::ShardMissing {
            path,
            no: no + 1,
            count,
        })
    }
}
