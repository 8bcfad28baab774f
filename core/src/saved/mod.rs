//! What outlives the process: saved states, and journals of conversations.
//!
//! All numbers are little-endian. Nothing that a file says is believed before its checksum is right, nothing
//! is allocated from a length that the file has not proved, and a file is put in place whole or not at
//! all.

mod container;
mod error;
pub(crate) mod fields;
mod parked;
pub(crate) mod rows;

pub use error::StateError;

pub(crate) use container::{Container, Kind, Sections, replace, sweep};
pub(crate) use parked::park;
