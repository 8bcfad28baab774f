//! A flag that stops calls which stream nothing.

use std::sync::Arc;

use puna_core::cancel::Cancel;

/// Stops a call that was given it, from any thread: within some milliseconds it fails with
/// [`PunaError::Cancelled`](crate::PunaError::Cancelled). It stays set; make another one for the next call.
#[derive(Debug, Default, uniffi::Object)]
pub struct CancelFlag(Cancel);

#[uniffi::export]
impl CancelFlag {
    /// One that is not set.
    #[uniffi::constructor]
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Sets it; returns at once.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// The flag of a call that may have been given none.
pub(crate) fn of(flag: Option<Arc<CancelFlag>>) -> Cancel {
    flag.map(|flag| flag.0.clone()).unwrap_or_default()
}
