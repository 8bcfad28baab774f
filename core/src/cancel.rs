//! A flag that stops work from any thread.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// Stops the prefill or the answer that was given it; clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to stop; returns at once. Calling it twice is harmless.
    pub fn cancel(&self) {
        self.0.store(true, Relaxed);
    }

    /// Makes the flag usable again.
    pub fn reset(&self) {
        self.0.store(false, Relaxed);
    }

    /// Whether it was asked.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Relaxed)
    }
}
