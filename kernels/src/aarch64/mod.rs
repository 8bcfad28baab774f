//! 64-bit Arm tiers.
pub(crate) mod dotprod;
pub(crate) mod neon;
