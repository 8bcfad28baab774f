//! Helpers of the tests.

pub mod vocab;
