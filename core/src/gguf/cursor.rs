//! A position in untrusted bytes: nothing is read that is not there.

use byteorder::{ByteOrder, LittleEndian};

use super::error::{Field, GgufError};

/// A position in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Byte offset of the next read.
    pub(super) const fn at(&self) -> u64 {
        self.at as u64
    }

    /// Bytes left.
    pub(super) const fn left(&self) -> u64 {
        (self.bytes.len() - self.at) as u64
    }

    /// The bytes from offset `from` up to here.
    pub(super) fn since(&self, from: u64) -> &'a [u8] {
        &self.bytes[from as usize..self.at]
    }

    /// Takes `n` bytes of `field`.
    ///
    /// # Errors
    /// [`GgufError::Truncated`] when fewer are left.
    pub(super) fn take(&mut self, n: u64, field: Field<'_>) -> Result<&'a [u8], GgufError> {
        let left = &self.bytes[self.at..];
        let taken = usize::try_from(n)
            .ok()
            .and_then(|n| left.get(..n))
            .ok_or_else(|| GgufError::Truncated {
                field: field.to_string(),
                at: self.at(),
                wanted: n,
                had: self.left(),
            })?;
        self.at += taken.len();
        Ok(taken)
    }

    /// A byte.
    pub(super) fn u8(&mut self, field: Field<'_>) -> Result<u8, GgufError> {
        Ok(self.take(1, field)?[0])
    }

    /// Two bytes, little-endian.
    pub(super) fn u16(&mut self, field: Field<'_>) -> Result<u16, GgufError> {
        Ok(LittleEndian::read_u16(self.take(2, field)?))
    }

    /// Four bytes, little-endian.
    pub(super) fn u32(&mut self, field: Field<'_>) -> Result<u32, GgufError> {
        Ok(LittleEndian::read_u32(self.take(4, field)?))
    }

    /// Eight bytes, little-endian.
    pub(super) fn u64(&mut self, field: Field<'_>) -> Result<u64, GgufError> {
        Ok(LittleEndian::read_u64(self.take(8, field)?))
    }

    /// A string: length as u64, then UTF-8.
    ///
    /// # Errors
    /// [`GgufError::Truncated`] or [`GgufError::Utf8`].
    pub(super) fn string(&mut self, field: Field<'_>) -> Result<&'a str, GgufError> {
        let len = self.u64(field)?;
        let at = self.at();
        let text = self.take(len, field)?;
        std::str::from_utf8(text).map_err(|e| GgufError::Utf8 {
            field: field.to_string(),
            at: at + e.valid_up_to() as u64,
        })
    }

    /// A name: a string that is not empty, has no NUL, and is at most `most` bytes long.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub(super) fn name(&mut self, most: u64, field: Field<'_>) -> Result<&'a str, GgufError> {
        let at = self.at();
        let mut ahead = *self;
        let len = ahead.u64(field.part("name length"))?;
        if len == 0 {
            return Err(GgufError::Empty {
                field: field.to_string(),
                at,
            });
        }
        if len > most {
            let field = field.part("name length").to_string();
            return Err(GgufError::TooMany {
                field,
                at,
                had: len,
                max: most,
            });
        }
        let name = self.string(field)?;
        match name.find('\0') {
            Some(nul) => Err(GgufError::Nul {
                field: field.to_string(),
                at: at + 8 + nul as u64,
            }),
            None => Ok(name),
        }
    }
}
