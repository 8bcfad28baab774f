//! Where in the file an error is.

use super::GgufError;

impl GgufError {
    /// The byte of the file, or of the mapped window of it, where the error is; `None` where it is not at one
    /// place. In a split model it is the byte of the shard.
    #[must_use]
    pub fn at(&self) -> Option<u64> {
        match *self {
            Self::Magic { .. } => Some(0),
            Self::BigEndian { .. } | Self::Version { .. } => Some(4),
            Self::Truncated { at, .. }
            | Self::TooMany { at, .. }
            | Self::Empty { at, .. }
            | Self::Utf8 { at, .. }
            | Self::Nul { at, .. }
            | Self::Duplicate { at, .. }
            | Self::ValueType { at, .. }
            | Self::Bool { at, .. }
            | Self::Depth { at, .. }
            | Self::Alignment { at, .. }
            | Self::WrongType { at, .. }
            | Self::Range { at, .. }
            | Self::TensorType { at, .. }
            | Self::Dims { at, .. }
            | Self::Dim { at, .. }
            | Self::Row { at, .. }
            | Self::Size { at, .. }
            | Self::Unaligned { at, .. } => Some(at),
            Self::Shard { ref source, .. } => source.at(),
            _ => None,
        }
    }
}
