//! Why a file was refused.

use std::fmt;
use std::path::PathBuf;

use super::tensor_type::GgmlType;
use super::value::{Kind, ValueType};

/// Why a GGUF file was refused. Each variant says where, what was wanted and what was there.
///
/// Names that come from the file are escaped and shortened, so every message is one line.
/// Offsets (`at`) are bytes from the start of the file, or of the mapped window of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The operating system refused to open or map the file.
    #[error("gguf: cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried: "open", "map", …
        doing: &'static str,
        /// The file; empty when only a descriptor is known.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The window of a descriptor does not lie inside its file.
    #[error("gguf: window of {wanted} bytes at byte {offset} does not fit a file of {had} bytes")]
    Window {
        /// First byte of the window.
        offset: u64,
        /// Bytes of the window.
        wanted: u64,
        /// Bytes of the file.
        had: u64,
    },
    /// The file became shorter after it was mapped.
    #[error("gguf: file was {wanted} bytes when it was opened and is {had} now")]
    Shrunk {
        /// Bytes that were mapped, with the offset of the window.
        wanted: u64,
        /// Bytes now.
        had: u64,
    },
    /// The first four bytes are not `GGUF`.
    #[error("gguf: magic at byte 0 is \"{}\", wanted \"GGUF\"", had.escape_ascii())]
    Magic {
        /// The first four bytes.
        had: [u8; 4],
    },
    /// A big-endian file.
    #[error(
        "gguf: version at byte 4 is {version} in big-endian order, wanted a little-endian file"
    )]
    BigEndian {
        /// The version, read in the file's own order.
        version: u32,
    },
    /// A version that this reader does not know.
    #[error("gguf: version at byte 4 is {had}, wanted 2 or 3")]
    Version {
        /// The version in the file.
        had: u32,
    },
    /// The file ends inside a field.
    #[error("gguf: {field} at byte {at} needs {wanted} bytes, {had} left")]
    Truncated {
        /// The field.
        field: String,
        /// Where it starts.
        at: u64,
        /// Bytes it needs; 2⁶⁴−1 also stands for more than can be counted.
        wanted: u64,
        /// Bytes left.
        had: u64,
    },
    /// A count or length above what the rest of the file or the format allows.
    #[error("gguf: {field} at byte {at} is {had}, at most {max} allowed here")]
    TooMany {
        /// The field.
        field: String,
        /// Where it is.
        at: u64,
        /// What it says.
        had: u64,
        /// The most it may say.
        max: u64,
    },
    /// An empty key or tensor name.
    #[error("gguf: {field} at byte {at} is empty")]
    Empty {
        /// The field.
        field: String,
        /// Where it is.
        at: u64,
    },
    /// Text that is not UTF-8.
    #[error("gguf: {field} at byte {at} is not UTF-8")]
    Utf8 {
        /// The field.
        field: String,
        /// The first byte that does not fit.
        at: u64,
    },
    /// A NUL character in a key or tensor name.
    #[error("gguf: {field} has a NUL at byte {at}")]
    Nul {
        /// The field.
        field: String,
        /// Where the NUL is.
        at: u64,
    },
    /// A key or tensor name that occurs twice.
    #[error("gguf: {field} at byte {at} occurs a second time")]
    Duplicate {
        /// The key or tensor.
        field: String,
        /// Where its second occurrence is.
        at: u64,
    },
    /// A tensor name that occurs in two shards.
    #[error("gguf: tensor `{tensor}` of a later shard occurs a second time")]
    InTwoShards {
        /// The tensor.
        tensor: String,
    },
    /// A metadata value type that the format does not define.
    #[error("gguf: {field} at byte {at} is {had}, wanted 0 to 12")]
    ValueType {
        /// The field.
        field: String,
        /// Where it is.
        at: u64,
        /// What it says.
        had: u32,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("gguf: {field} at byte {at} is {had}, wanted a bool, 0 or 1")]
    Bool {
        /// The field.
        field: String,
        /// Where it is.
        at: u64,
        /// What it says.
        had: u8,
    },
    /// Arrays in arrays, deeper than any use of them.
    #[error("gguf: {field} at byte {at} nests arrays deeper than {max}")]
    Depth {
        /// The field.
        field: String,
        /// Where the array too many starts.
        at: u64,
        /// The deepest nesting allowed.
        max: usize,
    },
    /// `general.alignment` out of range.
    #[error(
        "gguf: `general.alignment` at byte {at} is {had}, wanted a power of two from 8 to 1048576"
    )]
    Alignment {
        /// Where the value is.
        at: u64,
        /// What it says.
        had: u32,
    },
    /// A key that must be there is not.
    #[error("gguf: `{key}` is missing")]
    Missing {
        /// The key.
        key: String,
    },
    /// A key holds a value of another type.
    #[error("gguf: `{key}` at byte {at} is {had}, wanted {wanted}")]
    WrongType {
        /// The key.
        key: String,
        /// Where its value is.
        at: u64,
        /// The type that was asked for.
        wanted: &'static str,
        /// The type that is there.
        had: Kind,
    },
    /// An integer does not fit the type it is wanted in.
    #[error("gguf: `{key}` at byte {at} is {had}, wanted {wanted}")]
    Range {
        /// The key, with an index if it is an array.
        key: String,
        /// Where its value starts.
        at: u64,
        /// What it must fit.
        wanted: &'static str,
        /// What it says.
        had: i128,
    },
    /// A tensor type that ggml removed or never had.
    #[error(
        "gguf: tensor `{tensor}`: type at byte {at} is {had}{}, wanted a known type",
        GgmlType::removed(*had).map(|name| format!(" (removed {name})")).unwrap_or_default()
    )]
    TensorType {
        /// The tensor.
        tensor: String,
        /// Where the type is.
        at: u64,
        /// Its number.
        had: u32,
    },
    /// A number of dimensions other than 1 to 4.
    #[error("gguf: tensor `{tensor}`: n_dims at byte {at} is {had}, wanted 1 to 4")]
    Dims {
        /// The tensor.
        tensor: String,
        /// Where the number is.
        at: u64,
        /// What it says.
        had: u32,
    },
    /// A dimension of 0, or one that is negative as a signed number.
    #[error("gguf: tensor `{tensor}`: dimension {dim} at byte {at} is {had}, wanted 1 or more")]
    Dim {
        /// The tensor.
        tensor: String,
        /// Which dimension, 0 to 3.
        dim: usize,
        /// Where it is.
        at: u64,
        /// What it says.
        had: i64,
    },
    /// Rows that are not whole blocks.
    #[error(
        "gguf: tensor `{tensor}`: dimension 0 at byte {at} is {had}, wanted a multiple of {ty}'s block of {}",
        ty.block_len()
    )]
    Row {
        /// The tensor.
        tensor: String,
        /// Where the dimension is.
        at: u64,
        /// The tensor's type.
        ty: GgmlType,
        /// Elements of a row.
        had: u64,
    },
    /// The size of a tensor wraps.
    #[error("gguf: tensor `{tensor}`: size of {dims:?} {ty} at byte {at} exceeds 2^63 bytes")]
    Size {
        /// The tensor.
        tensor: String,
        /// Where its dimensions are.
        at: u64,
        /// Its dimensions.
        dims: [u64; 4],
        /// Its type.
        ty: GgmlType,
    },
    /// A tensor's offset is not a multiple of the alignment.
    #[error(
        "gguf: tensor `{tensor}`: offset at byte {at} is {had}, wanted a multiple of {alignment}"
    )]
    Unaligned {
        /// The tensor.
        tensor: String,
        /// Where the offset is.
        at: u64,
        /// The offset.
        had: u64,
        /// The file's alignment.
        alignment: u64,
    },
    /// A tensor's data do not lie in the file.
    #[error(
        "gguf: tensor `{tensor}`: {wanted} bytes at offset {offset} of the data, which has {had}"
    )]
    Data {
        /// The tensor.
        tensor: String,
        /// Its offset in the data section.
        offset: u64,
        /// Its bytes.
        wanted: u64,
        /// Bytes of the data section.
        had: u64,
    },
    /// Two tensors share bytes.
    #[error(
        "gguf: tensor `{tensor}`: offset {offset} lies inside tensor `{other}`, which ends at {end}"
    )]
    Overlap {
        /// The tensor that starts inside another.
        tensor: String,
        /// Its offset in the data section.
        offset: u64,
        /// The other one.
        other: String,
        /// The other one's end in the data section.
        end: u64,
    },
    /// A split model was opened by a shard that is not its first.
    #[error("gguf: `split.no` is {had}: open the first shard of {count}, whose number is 0")]
    NotFirstShard {
        /// The shard's number, from 0.
        had: u16,
        /// Shards of the model.
        count: u16,
    },
    /// A shard's file name does not follow `…-00001-of-00003.gguf`.
    #[error("gguf: {} is shard {no} of {count}, wanted a name that ends in {wanted}", path.display())]
    ShardName {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        no: u16,
        /// Shards of the model.
        count: u16,
        /// The ending of its name.
        wanted: String,
    },
    /// A shard is not there.
    #[error("gguf: shard {no} of {count} is missing: {}", path.display())]
    ShardMissing {
        /// The file that was looked for.
        path: PathBuf,
        /// Its number, from 1.
        no: u16,
        /// Shards of the model.
        count: u16,
    },
    /// The number of shards is not what the first one says.
    #[error("gguf: `split.count` is {wanted}, {had} shards given")]
    ShardCount {
        /// What the first shard says.
        wanted: u16,
        /// Shards at hand.
        had: u16,
    },
    /// A `split.*` key of a shard does not agree with the model.
    #[error("gguf: `{key}` of shard {no} is {had}, wanted {wanted}")]
    Split {
        /// The key.
        key: &'static str,
        /// The shard's number, from 1.
        no: u16,
        /// What it must be.
        wanted: u64,
        /// What it is.
        had: u64,
    },
    /// An error in one shard of several.
    #[error("shard {no}: {source}")]
    Shard {
        /// The shard's number, from 1.
        no: u16,
        /// What is wrong with it.
        #[source]
        source: Box<GgufError>,
    },
}

/// The part of the file that is being read; text is made of it only when an error needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    owner: Owner<'a>,
    part: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Owner<'a> {
    Header,
    NthKey(u64),
    Key(&'a str),
    NthTensor(u64),
    Tensor(&'a str),
}

impl<'a> Field<'a> {
    /// A field of the file's header.
    pub(super) const fn header(part: &'static str) -> Self {
        Self {
            owner: Owner::Header,
            part,
        }
    }

    /// The key of the `n`-th metadata pair, from 0.
    pub(super) const fn nth_key(n: u64) -> Self {
        Self {
            owner: Owner::NthKey(n),
            part: "name",
        }
    }

    /// A part of the value of `key`.
    pub(super) const fn key(key: &'a str, part: &'static str) -> Self {
        Self {
            owner: Owner::Key(key),
            part,
        }
    }

    /// The name of the `n`-th tensor, from 0.
    pub(super) const fn nth_tensor(n: u64) -> Self {
        Self {
            owner: Owner::NthTensor(n),
            part: "name",
        }
    }

    /// A part of the description of the tensor `name`.
    pub(super) const fn tensor(name: &'a str, part: &'static str) -> Self {
        Self {
            owner: Owner::Tensor(name),
            part,
        }
    }

    /// The same owner, another part.
    pub(super) const fn part(self, part: &'static str) -> Self {
        Self {
            owner: self.owner,
            part,
        }
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.owner {
            Owner::Header => f.write_str(self.part),
            Owner::NthKey(n) => write!(f, "metadata key {n}: {}", self.part),
            Owner::Key(key) => write!(f, "`{}`: {}", shown(key), self.part),
            Owner::NthTensor(n) => write!(f, "tensor {n}: {}", self.part),
            Owner::Tensor(name) => write!(f, "tensor `{}`: {}", shown(name), self.part),
        }
    }
}

/// A name from the file as it may appear in a message: escaped, at most 80 characters.
pub(crate) fn shown(name: &str) -> String {
    const MOST: usize = 80;
    let mut text: String = name
        .chars()
        .take(MOST)
        .flat_map(char::escape_debug)
        .collect();
    if name.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(ty) => ty.fmt(f),
            Self::ArrayOf(ty) => write!(f, "array of {ty}"),
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
