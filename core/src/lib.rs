//! From GGUF bytes to text, on the device itself.
//!
//! Bottom to top: [`gguf`] reads the file, [`tokenizer`] turns text into ids and back, [`model`]
//! computes logits, [`sampler`] picks a token, [`chat`] speaks the model's own template.
//!
//! Nothing here logs a prompt or an answer.

pub mod cancel;
pub mod chat;
pub mod conversation;
pub mod device;
pub mod draft;
pub mod embed;
pub mod generate;
#[cfg_attr(
    not(any(feature = "ggml", feature = "ggml-system")),
    path = "no_ggml.rs"
)]
mod ggml;
pub mod gguf;
pub mod kv_cache;
pub mod licence;
pub mod model;
pub mod placement;
pub mod plan;
pub mod pool;
pub mod replay;
pub mod sampler;
pub mod saved;
pub mod score;
pub mod session;
pub mod stop;
#[cfg(feature = "store")]
pub mod store;
pub mod tensor;
pub mod tokenizer;
pub mod topology;
