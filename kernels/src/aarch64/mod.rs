//! 64-bit Arm tiers.
//!
//! Rows lie in lanes: four rows of weights meet a vector together, so that each `f32` step of the
//! definition (one row, one block) is one lane of a `q` register. Integer sums are exact, so their
//! order is free; see the crate's front page.

pub(crate) mod dotprod;
pub(crate) mod i8mm;
mod ints;
mod lanes;
mod load;
mod mat;
pub(crate) mod neon;
mod panel;
mod passes;
mod rows;
mod slab;
mod super_rows;
mod unpack;
