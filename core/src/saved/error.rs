//! What can be wrong with a file that should hold a session or a conversation.

use std::path::PathBuf;

use crate::{gguf::GgufError, session::SessionError};

/// Why a state cannot be saved, or a file is no state for this model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The system.
    #[error("state: cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file cannot be mapped.
    #[error("state: {0}")]
    Map(GgufError),
    /// The file is something else.
    #[error("state: not a file of {wanted}")]
    NotAState {
        /// What was wanted.
        wanted: &'static str,
    },
    /// The file is of another version of Puna.
    #[error("state: format version {had}, wanted {wanted}")]
    Version {
        /// The file's.
        had: u32,
        /// What this version reads and writes.
        wanted: u32,
    },
    /// The file ends too early.
    #[error("state: {had} bytes of {wanted}: the file is cut off")]
    Truncated {
        /// Bytes that it should have at least.
        wanted: u64,
        /// Bytes that it has.
        had: u64,
    },
    /// Bytes have changed since they were written.
    #[error("state: the checksum of the {part} is wrong")]
    Checksum {
        /// Which bytes.
        part: &'static str,
    },
    /// The bytes are as they were written, and still cannot be.
    #[error("state: {what}")]
    Corrupt {
        /// What is wrong.
        what: &'static str,
    },
    /// The state is of another model.
    #[error("state: made with another model")]
    OtherModel,
    /// The cache was stored in another type than the session is to have.
    #[error("state: a {had} cache, wanted {wanted}")]
    KvType {
        /// The file's.
        had: &'static str,
        /// What the options say.
        wanted: &'static str,
    },
    /// The state has more tokens than the session is to hold.
    #[error("state: {tokens} tokens, more than a context of {n_ctx}")]
    TooLong {
        /// The file's tokens.
        tokens: usize,
        /// Tokens that fit.
        n_ctx: usize,
    },
    /// The state has no such part.
    #[error("state: no {part} in it")]
    Missing {
        /// What is not there.
        part: &'static str,
    },
    /// Another process, or another conversation of this one, writes to the journal.
    #[error("state: the journal {} is in use", dir.display())]
    InUse {
        /// The journal's folder.
        dir: PathBuf,
    },
    /// No session can be made.
    #[error(transparent)]
    Session(#[from] SessionError),
}
