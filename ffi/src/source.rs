//! A model's bytes from the app, where the system has no descriptor for them.

use std::io;

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
