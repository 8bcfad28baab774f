//! Helpers of the tests.

pub mod compare;
pub mod hostile;
pub mod model;
pub mod paper;
pub mod tiny;
pub mod vocab;
