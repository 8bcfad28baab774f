//! The tensor part of the header: what each tensor is and where its data lie.

use super::cursor::Cursor;
use super::error::{Field, GgufError, shown};
use super::tensor_type::GgmlType;

/// Most tensors of a file; a mixture of 256 experts in 61 layers, unmerged, has 47,000.
pub(super) const MAX_TENSORS: u64 = 65_536;
/// Longest name in bytes, by the format.
const MAX_NAME: u64 = 64;
/// Fewest bytes of a description: length, one character, n_dims, one dimension, type, offset.
pub(super) const LEAST_INFO: u64 = 8 + 1 + 4 + 8 + 4 + 8;

/// A tensor: name, type, shape, and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    name: Box<str>,
    ty: GgmlType,
    n_dims: u8,
    pub(super) shard: u16,
    /// Elements per dimension, the row's first; 1 beyond `n_dims`.
    dims: [u64; 4],
    /// From the start of the data section.
    offset: u64,
    byte_len: u64,
}

impl TensorInfo {
    /// Its name, at most 64 bytes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How its elements are stored.
    #[must_use]
    pub const fn ty(&self) -> GgmlType {
        self.ty
    }

    /// Number of dimensions in the file, 1 to 4.
    #[must_use]
    pub const fn n_dims(&self) -> usize {
        self.n_dims as usize
    }

    /// Elements of dimension `i`: 0 is the length of a row; 1 beyond [`n_dims`](Self::n_dims).
    #[must_use]
    pub fn ne(&self, i: usize) -> u64 {
        self.dims.get(i).copied().unwrap_or(1)
    }

    /// The dimensions, the row's first, padded with 1.
    #[must_use]
    pub const fn dims(&self) -> [u64; 4] {
        self.dims
    }

    /// Number of elements.
    #[must_use]
    pub const fn n_elements(&self) -> u64 {
        self.dims[0] * self.n_rows()
    }

    /// Number of rows: the product of all dimensions but the first.
    #[must_use]
    pub const fn n_rows(&self) -> u64 {
        self.dims[1] * self.dims[2] * self.dims[3]
    }

    /// Bytes of a row.
    #[must_use]
    pub const fn row_bytes(&self) -> u64 {
        self.dims[0] / self.ty.block_len() as u64 * self.ty.block_bytes() as u64
    }

    /// Bytes of the tensor.
    #[must_use]
    pub const fn byte_len(&self) -> u64 {
        self.byte_len
    }

    /// Byte offset from the start of its file's data section.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    const fn end(&self) -> u64 {
        self.offset + self.byte_len
    }

    /// Reads the description of the `n`-th tensor; `alignment` is the file's.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read(
        cursor: &mut Cursor<'_>,
        n: u64,
        shard: u16,
        alignment: u64,
    ) -> Result<Self, GgufError> {
        let name = cursor.name(MAX_NAME, Field::nth_tensor(n))?;
        let tensor = || shown(name);

        let at = cursor.at();
        let had = cursor.u32(Field::tensor(name, "n_dims"))?;
        if !(1..=4).contains(&had) {
            return Err(GgufError::Dims {
                tensor: tensor(),
                at,
                had,
            });
        }
        let n_dims = had as u8;

        let dims_at = cursor.at();
        let mut dims = [1; 4];
        for (dim, ne) in dims.iter_mut().enumerate().take(n_dims.into()) {
            let at = cursor.at();
            let had = cursor.u64(Field::tensor(name, "dimension"))? as i64;
            if had < 1 {
                return Err(GgufError::Dim {
                    tensor: tensor(),
                    dim,
                    at,
                    had,
                });
            }
            *ne = had as u64;
        }

        let at = cursor.at();
        let had = cursor.u32(Field::tensor(name, "type"))?;
        let ty = GgmlType::from_number(had).ok_or_else(|| GgufError::TensorType {
            tensor: tensor(),
            at,
            had,
        })?;

        if !dims[0].is_multiple_of(ty.block_len() as u64) {
            return Err(GgufError::Row {
                tensor: tensor(),
                at: dims_at,
                ty,
                had: dims[0],
            });
        }
        let byte_len = dims
            .iter()
            .try_fold(1u64, |n, &ne| n.checked_mul(ne))
            .filter(|&n| i64::try_from(n).is_ok())
            .and_then(|n| ty.bytes_of(n))
            .filter(|&n| i64::try_from(n).is_ok())
            .ok_or_else(|| GgufError::Size {
                tensor: tensor(),
                at: dims_at,
                dims,
                ty,
            })?;

        let at = cursor.at();
        let offset = cursor.u64(Field::tensor(name, "offset"))?;
        if !offset.is_multiple_of(alignment) {
            return Err(GgufError::Unaligned {
                tensor: tensor(),
                at,
                had: offset,
                alignment,
            });
        }
        Ok(Self {
            name: name.into(),
            ty,
            n_dims,
            shard,
            dims,
            offset,
            byte_len,
        })
    }
}

/// Reads `n` descriptions.
///
/// # Errors
/// What is wrong with which tensor.
pub(super) fn read_all(
    cursor: &mut Cursor<'_>,
    n: u64,
    shard: u16,
    alignment: u64,
) -> Result<Vec<TensorInfo>, GgufError> {
    let mut tensors = Vec::with_capacity(n as usize);
    let mut name_at = Vec::with_capacity(n as usize);
    for i in 0..n {
        name_at.push(cursor.at());
        tensors.push(TensorInfo::read(cursor, i, shard, alignment)?);
    }
    if let Some(second) = sorted_by_name(&tensors).1 {
        let field = format!("tensor `{}`", shown(&tensors[second].name));
        return Err(GgufError::Duplicate {
            field,
            at: name_at[second],
        });
    }
    Ok(tensors)
}

/// Indices of `tensors` sorted by name, and the index of the second of two with the same name.
pub(super) fn sorted_by_name(tensors: &[TensorInfo]) -> (Vec<u32>, Option<usize>) {
    let mut by_name: Vec<u32> = (0..tensors.len() as u32).collect();
    by_name.sort_unstable_by_key(|&i| (&tensors[i as usize].name, i));
    let name = |i: u32| &tensors[i as usize].name;
    let twice = by_name.windows(2).find(|two| name(two[0]) == name(two[1]));
    let second = twice.map(|two| two[1] as usize);
    (by_name, second)
}

/// Checks that the data section, of `data_len` bytes, holds every tensor and that none overlap.
///
/// # Errors
/// [`GgufError::Data`] or [`GgufError::Overlap`].
pub(super) fn check_data(tensors: &[TensorInfo], data_len: u64) -> Result<(), GgufError> {
    for t in tensors {
        if t.offset
            .checked_add(t.byte_len)
            .is_none_or(|end| end > data_len)
        {
            return Err(GgufError::Data {
                tensor: shown(&t.name),
                offset: t.offset,
                wanted: t.byte_len,
                had: data_len,
            });
        }
    }
    let mut by_offset: Vec<&TensorInfo> = tensors.iter().collect();
    by_offset.sort_unstable_by_key(|t| (t.offset, t.end()));
    for two in by_offset.windows(2) {
        if two[1].offset < two[0].end() {
            return Err(GgufError::Overlap {
                tensor: shown(&two[1].name),
                offset: two[1].offset,
                other: shown(&two[0].name),
                end: two[0].end(),
            });
        }
    }
    Ok(())
}
