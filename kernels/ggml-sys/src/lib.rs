//! ggml beside us: bindings made at build time from ggml's own headers, and a safe layer over what the
//! tests, comparisons, and the optional backend of `puna-core` need of it. Nothing that a phone runs has
//! this crate in it.
//!
//! - feature `vendored`: builds ggml's CPU backend, tuned for this machine, from the source that the
//!   crate `llama-cpp-sys-2` carries; needs cmake, a C++ compiler (best clang) and libclang;
//! - feature `system`: links the ggml of `GGML_DIR` (with `include/` and `lib/`), or else the one that
//!   pkg-config finds; needs libclang. It wins over `vendored`.
//!
//! **With neither feature, as in the default build, this crate is empty.**

#[cfg(any(feature = "vendored", feature = "system"))]
pub mod about;
#[cfg(any(feature = "vendored", feature = "system"))]
mod engine;
#[cfg(any(feature = "vendored", feature = "system"))]
mod tiles;
#[cfg(any(feature = "vendored", feature = "system"))]
mod types;
#[cfg(any(feature = "vendored", feature = "system"))]
mod weights;

/// ggml's C interface as bindgen reads it: `ggml.h`, `ggml-cpu.h`, `ggml-backend.h`, `ggml-alloc.h`, `gguf.h`. The
/// comments are ggml's.
#[cfg(any(feature = "vendored", feature = "system"))]
#[allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unused_qualifications,
    rustdoc::all,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::missing_safety_doc,
    reason = "generated from C"
)]
pub mod raw {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

#[cfg(any(feature = "vendored", feature = "system"))]
pub use engine::{Engine, Graph};
#[cfg(any(feature = "vendored", feature = "system"))]
pub use types::Type;
#[cfg(any(feature = "vendored", feature = "system"))]
pub use weights::Weights;
