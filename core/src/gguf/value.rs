//! Metadata values: typed views of the file's bytes.

use byteorder::{ByteOrder, LittleEndian};

use super::cursor::Cursor;
use super::error::{Field, GgufError};

/// Arrays in arrays: the deepest nesting that is read. No known file nests them at all.
pub(super) const MAX_DEPTH: usize = 4;

/// The type of a metadata value; the numbers are the file's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
#[repr(u32)]
pub enum ValueType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    Str = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl ValueType {
    const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::Str,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    /// The type of a number in the file.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Its name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::Bool => "bool",
            Self::Str => "str",
            Self::Array => "array",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F64 => "f64",
        }
    }

    /// Whether it is one of the eight integer types.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        !matches!(
            self,
            Self::F32 | Self::F64 | Self::Bool | Self::Str | Self::Array
        )
    }

    /// Bytes of a value; `None` for strings and arrays, whose length varies.
    const fn fixed_bytes(self) -> Option<u64> {
        Some(match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
            Self::Str | Self::Array => return None,
        })
    }

    /// The fewest bytes that a value takes.
    const fn least_bytes(self) -> u64 {
        match self {
            Self::Array => 12,
            Self::Str => 8,
            _ => match self.fixed_bytes() {
                Some(bytes) => bytes,
                None => 1,
            },
        }
    }
}

/// The type of a value, with the type of the elements if it is an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not an array.
    One(ValueType),
    /// An array of these.
    ArrayOf(ValueType),
}

/// A metadata value. Strings and arrays borrow from the file.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Value<'a> {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Str(&'a str),
    Array(ArrayView<'a>),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl<'a> Value<'a> {
    /// The type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        Kind::One(match self {
            Self::U8(_) => ValueType::U8,
            Self::I8(_) => ValueType::I8,
            Self::U16(_) => ValueType::U16,
            Self::I16(_) => ValueType::I16,
            Self::U32(_) => ValueType::U32,
            Self::I32(_) => ValueType::I32,
            Self::F32(_) => ValueType::F32,
            Self::Bool(_) => ValueType::Bool,
            Self::Str(_) => ValueType::Str,
            Self::Array(array) => return Kind::ArrayOf(array.of),
            Self::U64(_) => ValueType::U64,
            Self::I64(_) => ValueType::I64,
            Self::F64(_) => ValueType::F64,
        })
    }

    /// The value of any integer type.
    #[must_use]
    pub fn integer(&self) -> Option<i128> {
        Some(match *self {
            Self::U8(v) => v.into(),
            Self::I8(v) => v.into(),
            Self::U16(v) => v.into(),
            Self::I16(v) => v.into(),
            Self::U32(v) => v.into(),
            Self::I32(v) => v.into(),
            Self::U64(v) => v.into(),
            Self::I64(v) => v.into(),
            _ => return None,
        })
    }

    /// The value of either float type; a double is rounded.
    #[must_use]
    pub const fn float(&self) -> Option<f32> {
        match *self {
            Self::F32(v) => Some(v),
            Self::F64(v) => Some(v as f32),
            _ => None,
        }
    }

    /// Reads and checks a value of type `ty`, to the last element of an array.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(
        cursor: &mut Cursor<'a>,
        ty: ValueType,
        depth: usize,
        field: Field<'_>,
    ) -> Result<Self, GgufError> {
        Ok(match ty {
            ValueType::U8 => Self::U8(cursor.u8(field)?),
            ValueType::I8 => Self::I8(cursor.u8(field)? as i8),
            ValueType::U16 => Self::U16(cursor.u16(field)?),
            ValueType::I16 => Self::I16(cursor.u16(field)? as i16),
            ValueType::U32 => Self::U32(cursor.u32(field)?),
            ValueType::I32 => Self::I32(cursor.u32(field)? as i32),
            ValueType::F32 => Self::F32(f32::from_bits(cursor.u32(field)?)),
            ValueType::U64 => Self::U64(cursor.u64(field)?),
            ValueType::I64 => Self::I64(cursor.u64(field)? as i64),
            ValueType::F64 => Self::F64(f64::from_bits(cursor.u64(field)?)),
            ValueType::Str => Self::Str(cursor.string(field)?),
            ValueType::Array => Self::Array(ArrayView::read(cursor, depth + 1, field)?),
            ValueType::Bool => {
                let at = cursor.at();
                match cursor.u8(field)? {
                    0 => Self::Bool(false),
                    1 => Self::Bool(true),
                    had => {
                        return Err(GgufError::Bool {
                            field: field.to_string(),
                            at,
                            had,
                        });
                    }
                }
            }
        })
    }

    /// A view of the bytes of a value that was checked when the file was opened; `None` if the
    /// file has changed since.
    pub(super) fn view(bytes: &'a [u8], ty: ValueType) -> Option<Self> {
        let field = Field::header("value");
        let mut cursor = Cursor::new(bytes);
        if ty != ValueType::Array {
            return Self::read(&mut cursor, ty, 0, field).ok();
        }
        let of = ValueType::from_number(cursor.u32(field).ok()?)?;
        let len = cursor.u64(field).ok()?;
        let fits = len <= cursor.left() / of.least_bytes();
        let (len, bytes) = (usize::try_from(len).ok()?, bytes.get(12..)?);
        fits.then_some(Self::Array(ArrayView { of, len, bytes }))
    }
}

/// An array in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArrayView<'a> {
    of: ValueType,
    len: usize,
    bytes: &'a [u8],
}

impl<'a> ArrayView<'a> {
    /// The type of the elements.
    #[must_use]
    pub const fn element_type(&self) -> ValueType {
        self.of
    }

    /// Number of elements.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements. Ends early only if the file changes while it is mapped.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let (of, mut cursor) = (self.of, Cursor::new(self.bytes));
        (0..self.len)
            .map_while(move |_| Value::read(&mut cursor, of, 0, Field::header("element")).ok())
    }

    /// The elements of an array of strings.
    #[must_use]
    pub fn strings(&self) -> Option<Strings<'a>> {
        (self.of == ValueType::Str).then_some(Strings {
            rest: self.bytes,
            left: self.len,
        })
    }

    fn read(cursor: &mut Cursor<'a>, depth: usize, field: Field<'_>) -> Result<Self, GgufError> {
        let at = cursor.at();
        if depth > MAX_DEPTH {
            return Err(GgufError::Depth {
                field: field.to_string(),
                at,
                max: MAX_DEPTH,
            });
        }
        let of = read_type(cursor, field.part("element type"))?;
        let at = cursor.at();
        let n = cursor.u64(field.part("array length"))?;
        let max = cursor.left() / of.least_bytes();
        if n > max {
            let field = field.part("array length").to_string();
            return Err(GgufError::TooMany {
                field,
                at,
                had: n,
                max,
            });
        }
        let start = cursor.at();
        match of.fixed_bytes() {
            Some(bytes) if of != ValueType::Bool => {
                // No overflow: n * bytes is at most what is left.
                cursor.take(n * bytes, field)?;
            }
            _ => {
                for _ in 0..n {
                    Value::read(cursor, of, depth, field.part("array element"))?;
                }
            }
        }
        // n is at most the bytes left, so it fits.
        Ok(Self {
            of,
            len: n as usize,
            bytes: cursor.since(start),
        })
    }
}

/// Reads the number of a value type.
///
/// # Errors
/// [`GgufError::ValueType`] if there is no such type.
pub(super) fn read_type(cursor: &mut Cursor<'_>, field: Field<'_>) -> Result<ValueType, GgufError> {
    let at = cursor.at();
    let had = cursor.u32(field)?;
    ValueType::from_number(had).ok_or_else(|| GgufError::ValueType {
        field: field.to_string(),
        at,
        had,
    })
}

/// The strings of an array, borrowed from the file.
///
/// They were checked when the file was opened. A string that a change to the mapped file has since
/// broken reads as empty.
#[derive(Clone, Debug)]
pub struct Strings<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.left = self.left.checked_sub(1)?;
        let text = self.rest.split_at_checked(8).and_then(|(len, rest)| {
            rest.split_at_checked(usize::try_from(LittleEndian::read_u64(len)).ok()?)
        });
        let (text, rest) = text.unwrap_or_default();
        self.rest = rest;
        Some(std::str::from_utf8(text).unwrap_or_default())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Strings<'_> {}
