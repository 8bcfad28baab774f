//! Writes GGUF files, for tests and tools.

use std::borrow::Cow;
use std::io::{self, Write};

use byteorder::{LittleEndian, WriteBytesExt};

use super::shard::DEFAULT_ALIGNMENT;
use super::tensor_type::GgmlType;
use super::value::{Value, ValueType};

/// A metadata value to write.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum OwnedValue {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Str(String),
    /// The type of the elements, which an empty array has too, and the elements.
    Array(ValueType, Vec<OwnedValue>),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl OwnedValue {
    /// The type.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        match self {
            Self::U8(_) => ValueType::U8,
            Self::I8(_) => ValueType::I8,
            Self::U16(_) => ValueType::U16,
            Self::I16(_) => ValueType::I16,
            Self::U32(_) => ValueType::U32,
            Self::I32(_) => ValueType::I32,
            Self::F32(_) => ValueType::F32,
            Self::Bool(_) => ValueType::Bool,
            Self::Str(_) => ValueType::Str,
            Self::Array(..) => ValueType::Array,
            Self::U64(_) => ValueType::U64,
            Self::I64(_) => ValueType::I64,
            Self::F64(_) => ValueType::F64,
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::U8(v) => out.write_u8(*v),
            Self::I8(v) => out.write_i8(*v),
            Self::U16(v) => out.write_u16::<LittleEndian>(*v),
            Self::I16(v) => out.write_i16::<LittleEndian>(*v),
            Self::U32(v) => out.write_u32::<LittleEndian>(*v),
            Self::I32(v) => out.write_i32::<LittleEndian>(*v),
            Self::F32(v) => out.write_f32::<LittleEndian>(*v),
            Self::Bool(v) => out.write_u8((*v).into()),
            Self::Str(v) => write_str(out, v),
            Self::U64(v) => out.write_u64::<LittleEndian>(*v),
            Self::I64(v) => out.write_i64::<LittleEndian>(*v),
            Self::F64(v) => out.write_f64::<LittleEndian>(*v),
            Self::Array(of, items) => {
                out.write_u32::<LittleEndian>(*of as u32)?;
                out.write_u64::<LittleEndian>(items.len() as u64)?;
                items.iter().try_for_each(|item| item.write(out))
            }
        }
    }
}

macro_rules! from {
    ($($from:ty => $variant:ident),*) => {
        $(
            impl From<$from> for OwnedValue {
                fn from(v: $from) -> Self {
                    Self::$variant(v.into())
                }
            }

            impl From<Vec<$from>> for OwnedValue {
                fn from(items: Vec<$from>) -> Self {
                    Self::Array(ValueType::$variant, items.into_iter().map(Self::from).collect())
                }
            }

            impl From<&[$from]> for OwnedValue {
                fn from(items: &[$from]) -> Self {
                    Self::from(items.to_vec())
                }
            }
        )*
    };
}
from!(
    u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, u64 => U64, i64 => I64,
    f32 => F32, f64 => F64, bool => Bool, &str => Str, String => Str
);

impl From<Value<'_>> for OwnedValue {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::U8(v) => Self::U8(v),
            Value::I8(v) => Self::I8(v),
            Value::U16(v) => Self::U16(v),
            Value::I16(v) => Self::I16(v),
            Value::U32(v) => Self::U32(v),
            Value::I32(v) => Self::I32(v),
            Value::F32(v) => Self::F32(v),
            Value::Bool(v) => Self::Bool(v),
            Value::Str(v) => Self::Str(v.to_owned()),
            Value::U64(v) => Self::U64(v),
            Value::I64(v) => Self::I64(v),
            Value::F64(v) => Self::F64(v),
            Value::Array(array) => {
                Self::Array(array.element_type(), array.iter().map(Self::from).collect())
            }
        }
    }
}

/// Collects metadata and tensors and writes them as a GGUF file, version 3, little-endian.
///
/// It writes what it is given: names and keys are not checked, so that a test can ask for a file
/// that a reader must refuse.
///
/// ```
/// use puna_core::gguf::{GgmlType, Gguf, Writer};
///
/// let mut file = Writer::new();
/// file.kv("general.architecture", "llama");
/// let weights = [0.5f32, 1.0].map(f32::to_le_bytes).concat();
/// file.tensor("output_norm.weight", GgmlType::F32, &[2], weights);
/// let model = Gguf::from_bytes(file.to_bytes())?;
/// assert_eq!(model.require_str("general.architecture")?, "llama");
/// # Ok::<(), puna_core::gguf::GgufError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Writer {
    version: u32,
    alignment: u32,
    pairs: Vec<(String, OwnedValue)>,
    tensors: Vec<Tensor>,
}

#[derive(Clone, Debug)]
struct Tensor {
    name: String,
    ty: GgmlType,
    dims: Vec<u64>,
    len: u64,
    /// `None`: [`Writer::write_with`] asks for the bytes.
    data: Option<Vec<u8>>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An empty file.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            version: 3,
            alignment: DEFAULT_ALIGNMENT,
            pairs: Vec::new(),
            tensors: Vec::new(),
        }
    }

    /// Sets the version that the header says. Versions 2 and 3 differ in nothing else.
    pub const fn version(&mut self, version: u32) -> &mut Self {
        self.version = version;
        self
    }

    /// Sets the alignment of the tensors, a power of two, and adds `general.alignment`.
    ///
    /// # Panics
    /// If it is 0.
    pub fn alignment(&mut self, alignment: u32) -> &mut Self {
        assert!(alignment > 0, "an alignment of 0 aligns nothing");
        self.alignment = alignment;
        self.kv("general.alignment", alignment)
    }

    /// Adds a key.
    pub fn kv(&mut self, key: impl Into<String>, value: impl Into<OwnedValue>) -> &mut Self {
        self.pairs.push((key.into(), value.into()));
        self
    }

    /// Adds a tensor: its dimensions, the row's first, and its bytes.
    ///
    /// # Panics
    /// If the dimensions want another number of bytes.
    pub fn tensor(
        &mut self,
        name: impl Into<String>,
        ty: GgmlType,
        dims: &[u64],
        data: Vec<u8>,
    ) -> &mut Self {
        self.tensor_later(name, ty, dims);
        if let Some(tensor) = self.tensors.last_mut() {
            let (name, len) = (&tensor.name, data.len() as u64);
            assert_eq!(tensor.len, len, "bytes of {name}, {dims:?} {ty}");
            tensor.data = Some(data);
        }
        self
    }

    /// Adds a tensor whose bytes [`Writer::write_with`] asks for: its dimensions, the row's first.
    ///
    /// # Panics
    /// If no tensor of the type has such dimensions.
    pub fn tensor_later(
        &mut self,
        name: impl Into<String>,
        ty: GgmlType,
        dims: &[u64],
    ) -> &mut Self {
        let name = name.into();
        let len = ty.bytes_of(dims.iter().product());
        let len = len.unwrap_or_else(|| panic!("bytes of {name}, {dims:?} {ty}"));
        self.tensors.push(Tensor {
            name,
            ty,
            dims: dims.to_vec(),
            len,
            data: None,
        });
        self
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Those of `out`, and a tensor whose bytes were left for later.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.write_with(out, |name| {
            Err(io::Error::other(format!("{name} has no bytes yet")))
        })
    }

    /// Writes the file, and asks for the bytes of tensors that have none yet, one at a time, so that a file
    /// may be larger than memory.
    ///
    /// # Errors
    /// Those of `out` and `bytes_of`, and bytes of another length than the tensor's.
    pub fn write_with(
        &self,
        out: &mut impl Write,
        mut bytes_of: impl FnMut(&str) -> io::Result<Vec<u8>>,
    ) -> io::Result<()> {
        let header = self.header()?;
        out.write_all(&header)?;
        if !self.tensors.is_empty() {
            self.pad(out, header.len())?;
        }
        for tensor in &self.tensors {
            let data = match &tensor.data {
                Some(data) => Cow::Borrowed(data),
                None => Cow::Owned(bytes_of(&tensor.name)?),
            };
            if data.len() as u64 != tensor.len {
                let (name, got, wanted) = (&tensor.name, data.len(), tensor.len);
                let why = format!("{name} has {got} bytes, its header says {wanted}");
                return Err(io::Error::other(why));
            }
            out.write_all(&data)?;
            self.pad(out, data.len())?;
        }
        Ok(())
    }

    /// The file's bytes.
    ///
    /// # Panics
    /// If the bytes of a tensor were left for later.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes)
            .expect("every tensor has its bytes, and memory takes them");
        bytes
    }

    fn header(&self) -> io::Result<Vec<u8>> {
        let mut out = b"GGUF".to_vec();
        out.write_u32::<LittleEndian>(self.version)?;
        out.write_u64::<LittleEndian>(self.tensors.len() as u64)?;
        out.write_u64::<LittleEndian>(self.pairs.len() as u64)?;
        for (key, value) in &self.pairs {
            write_str(&mut out, key)?;
            out.write_u32::<LittleEndian>(value.value_type() as u32)?;
            value.write(&mut out)?;
        }
        let mut offset = 0;
        for tensor in &self.tensors {
            write_str(&mut out, &tensor.name)?;
            out.write_u32::<LittleEndian>(tensor.dims.len() as u32)?;
            for &ne in &tensor.dims {
                out.write_u64::<LittleEndian>(ne)?;
            }
            out.write_u32::<LittleEndian>(tensor.ty.number())?;
            out.write_u64::<LittleEndian>(offset)?;
            offset = (offset + tensor.len).next_multiple_of(self.alignment.into());
        }
        Ok(out)
    }

    /// Fills up to the alignment after `len` bytes that began aligned.
    fn pad(&self, out: &mut impl Write, len: usize) -> io::Result<()> {
        let missing = len.next_multiple_of(self.alignment as usize) - len;
        out.write_all(&vec![0; missing])
    }
}

fn write_str(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_u64::<LittleEndian>(text.len() as u64)?;
    out.write_all(text.as_bytes())
}
