//! One file: header, metadata, tensor descriptions, data.

use super::cursor::Cursor;
use super::error::{Field, GgufError};
use super::map::Map;
use super::metadata::{LEAST_PAIR, MAX_KEYS, Metadata};
use super::tensor_info::{self, LEAST_INFO, MAX_TENSORS, TensorInfo};
use super::value::{Kind, Value, ValueType};

const ALIGNMENT_KEY: &str = "general.alignment";
/// What a file without `general.alignment` uses.
pub(super) const DEFAULT_ALIGNMENT: u32 = 32;
const MIN_ALIGNMENT: u32 = 8;
const MAX_ALIGNMENT: u32 = 1 << 20;

/// A file that has been read and checked.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) map: Map,
    pub(super) version: u32,
    pub(super) metadata: Metadata,
    /// Byte offset of the data section.
    pub(super) data_start: u64,
}

impl Shard {
    /// Reads shard `no`, from 0.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn read(map: Map, no: u16) -> Result<(Self, Vec<TensorInfo>), GgufError> {
        let mut cursor = Cursor::new(&map);
        let version = read_version(&mut cursor)?;
        let n_tensors = read_count(&mut cursor, "n_tensors", MAX_TENSORS, LEAST_INFO)?;
        let n_kv = read_count(&mut cursor, "n_kv", MAX_KEYS, LEAST_PAIR)?;
        let metadata = Metadata::read(&mut cursor, n_kv)?;
        let alignment = alignment(&metadata, &map)?;
        let tensors = tensor_info::read_all(&mut cursor, n_tensors, no, alignment)?;

        // A file without tensors may end right behind the header, without the padding.
        let data_start = cursor.at().next_multiple_of(alignment);
        let data_len = (map.len() as u64).saturating_sub(data_start);
        tensor_info::check_data(&tensors, data_len)?;
        Ok((
            Self {
                map,
                version,
                metadata,
                data_start,
            },
            tensors,
        ))
    }

    /// The bytes of a tensor of this file; `None` if it is of another file.
    pub(super) fn bytes(&self, tensor: &TensorInfo) -> Option<&[u8]> {
        let start = self.data_start.checked_add(tensor.offset())?;
        let end = start.checked_add(tensor.byte_len())?;
        self.map
            .get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }
}

fn read_version(cursor: &mut Cursor<'_>) -> Result<u32, GgufError> {
    let magic = cursor.take(4, Field::header("magic"))?;
    if magic != b"GGUF" {
        let had = [magic[0], magic[1], magic[2], magic[3]];
        return Err(GgufError::Magic { had });
    }
    match cursor.u32(Field::header("version"))? {
        version @ (2 | 3) => Ok(version),
        had if (1..=0xff).contains(&had.swap_bytes()) => Err(GgufError::BigEndian {
            version: had.swap_bytes(),
        }),
        had => Err(GgufError::Version { had }),
    }
}

/// Reads a count of things of which each takes `least` bytes or more.
fn read_count(
    cursor: &mut Cursor<'_>,
    what: &'static str,
    most: u64,
    least: u64,
) -> Result<u64, GgufError> {
    let field = Field::header(what);
    let at = cursor.at();
    let had = cursor.u64(field)?;
    let max = most.min(cursor.left() / least);
    if had > max {
        return Err(GgufError::TooMany {
            field: field.to_string(),
            at,
            had,
            max,
        });
    }
    Ok(had)
}

fn alignment(metadata: &Metadata, file: &[u8]) -> Result<u64, GgufError> {
    let Some(pair) = metadata.pair(ALIGNMENT_KEY) else {
        return Ok(DEFAULT_ALIGNMENT.into());
    };
    let at = pair.at as u64;
    let value = pair.value(file);
    let Some(Value::U32(had)) = value else {
        return Err(GgufError::WrongType {
            key: ALIGNMENT_KEY.to_owned(),
            at,
            wanted: "u32",
            had: value.map_or(Kind::One(ValueType::U32), |v| v.kind()),
        });
    };
    if !had.is_power_of_two() || !(MIN_ALIGNMENT..=MAX_ALIGNMENT).contains(&had) {
        return Err(GgufError::Alignment { at, had });
    }
    Ok(had.into())
}
