//! Helpers of the tests.

pub mod compare;
pub mod fuzz;
#[cfg(feature = "ggml")]
pub mod ggml;
pub mod golden;
pub mod hostile;
pub mod judge;
pub mod model;
pub mod paper;
pub mod process;
pub mod script;
pub mod server;
pub mod soak;
pub mod synth;
pub mod tiny;
pub mod vocab;
