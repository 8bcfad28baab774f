//! x86-64 tiers.
mod ahead;
pub(crate) mod amx;
pub(crate) mod amx_bf16;
pub(crate) mod avx2;
pub(crate) mod avx512vnni;
pub(crate) mod avxvnni;
mod view;
