//! x86-64 tiers.
pub(crate) mod amx;
pub(crate) mod amx_bf16;
pub(crate) mod avx2;
pub(crate) mod avx512vnni;
mod view;
