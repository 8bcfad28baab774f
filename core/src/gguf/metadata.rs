//! The key-value part of the header.

use super::cursor::Cursor;
use super::error::{Field, GgufError, shown};
use super::value::{Value, ValueType, read_type};

/// Most keys of a file; real ones have fewer than a hundred.
pub(super) const MAX_KEYS: u64 = 65_536;
/// Longest key in bytes, by the format.
const MAX_KEY: u64 = 65_535;
/// Fewest bytes of a pair: length, one character, type, one byte.
pub(super) const LEAST_PAIR: u64 = 8 + 1 + 4 + 1;

/// Where the pairs of a file are.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    pairs: Vec<Pair>,
    /// Indices of `pairs`, sorted by key.
    by_key: Vec<u32>,
}

/// Where a value is. Its bytes stay in the file.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) key: Box<str>,
    pub(super) ty: ValueType,
    /// Byte offset of the value.
    pub(super) at: usize,
    /// Byte offset of its end.
    end: usize,
}

impl Pair {
    /// The value; `file` is the file that was read. `None` if it has changed since.
    pub(super) fn value<'a>(&self, file: &'a [u8]) -> Option<Value<'a>> {
        Value::view(file.get(self.at..self.end)?, self.ty)
    }
}

impl Metadata {
    /// Reads `n` pairs and checks each to its last byte.
    ///
    /// # Errors
    /// What is wrong with which key.
    pub(super) fn read(cursor: &mut Cursor<'_>, n: u64) -> Result<Self, GgufError> {
        let mut pairs = Vec::with_capacity(n as usize);
        let mut name_at = Vec::with_capacity(n as usize);
        for i in 0..n {
            name_at.push(cursor.at());
            let key = cursor.name(MAX_KEY, Field::nth_key(i))?;
            let ty = read_type(cursor, Field::key(key, "value type"))?;
            let at = cursor.at() as usize;
            Value::read(cursor, ty, 0, Field::key(key, "value"))?;
            pairs.push(Pair {
                key: key.into(),
                ty,
                at,
                end: cursor.at() as usize,
            });
        }
        // Of two equal keys the later comes second.
        let mut by_key: Vec<u32> = (0..pairs.len() as u32).collect();
        by_key.sort_unstable_by_key(|&i| (&pairs[i as usize].key, i));
        for two in by_key.windows(2) {
            let [first, second] = [two[0] as usize, two[1] as usize];
            if pairs[first].key == pairs[second].key {
                return Err(GgufError::Duplicate {
                    field: format!("key `{}`", shown(&pairs[second].key)),
                    at: name_at[second],
                });
            }
        }
        Ok(Self { pairs, by_key })
    }

    /// The pairs in the file's order.
    pub(super) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// The pair of a key.
    pub(super) fn pair(&self, key: &str) -> Option<&Pair> {
        let key_of = |&i: &u32| &*self.pairs[i as usize].key;
        let found = self.by_key.binary_search_by(|i| key_of(i).cmp(key)).ok()?;
        self.pairs.get(self.by_key[found] as usize)
    }
}
