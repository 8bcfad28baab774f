//! Quantized blocks and the loops over them.
//!
//! This crate knows no models, files or threads. It holds
//!
//! - [`block`]: the layouts, byte for byte as GGUF stores them;
//! - [`Activations`]: the vectors that meet them, quantized once and shared;
//! - `scalar`: the definition of every operation, in plain loops;
//! - one folder a tier (`x86_64/avx2`, `aarch64/neon`, …): twins of those files, the same names;
//! - [`Kernels`]: the table of operations, chosen once for the CPU at hand.
//!
//! **One order of operations.** Every tier gives the bits that `scalar` gives. Integer sums are exact,
//! so their order is free; each `f32` result has one accumulator a row and column, which takes the
//! blocks in order by fused multiply-add; plain `f32` sums run over 16 strided lanes and one fixed
//! tree ([`scalar::reduce`]). The tests compare with `==`, not with a tolerance.

#[cfg(target_arch = "aarch64")]
mod aarch64;
pub mod activations;
pub mod block;
pub mod convert;
pub mod dispatch;
pub mod isa;
pub mod race;
pub mod scalar;
pub mod tile;
pub mod weight_type;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use activations::{ActRow, ActRows, ActType, Activations};
pub use convert::{dequantize, quantize_row};
pub use dispatch::Kernels;
pub use isa::{Isa, UnavailableIsa};
pub use tile::{SharedMut, TileMut, tiles};
pub use weight_type::WeightType;
