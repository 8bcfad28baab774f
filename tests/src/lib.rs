//! Helpers of the tests.

pub mod hostile;
pub mod vocab;
