//! A model's bytes from the app, where the system has no descriptor for them.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Gives a model's bytes, on the thread that opens it.
#[uniffi::export(foreign)]
pub trait ByteSource: Send + Sync {
    /// How many there are.
    fn length(&self) -> u64;

    /// At most `length` bytes from `offset` on, and at least one.
    ///
    /// # Errors
    /// [`SourceError`]: the model is then not opened.
    fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, SourceError>;
}

/// Hears how far something is, on the thread that does it. What it throws is dropped.
#[uniffi::export(foreign)]
pub trait ProgressListener: Send + Sync {
    /// `done` of `total` bytes; at the end they are equal.
    fn progress(&self, done: u64, total: u64);
}

pub(crate) fn tell(listener: Option<&dyn ProgressListener>, done: u64, total: u64) {
    if let Some(listener) = listener {
        let _ = catch_unwind(AssertUnwindSafe(|| listener.progress(done, total)));
    }
}

/// Why a source has no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum SourceError {
    /// It cannot read them.
    #[error("{reason}")]
    Failed {
        /// Why.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for SourceError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed {
            reason: error.reason,
        }
    }
}

impl From<SourceError> for io::Error {
    fn from(error: SourceError) -> Self {
        Self::other(error)
    }
}
