//! Helpers of the tests.

pub mod compare;
#[cfg(feature = "ggml")]
pub mod ggml;
pub mod hostile;
pub mod model;
pub mod paper;
pub mod tiny;
pub mod vocab;
