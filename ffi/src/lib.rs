//! The runtime for other languages: converts types and errors, owns no logic of its own.
//!
//! An app opens a [`Model`], begins a [`Chat`] on it and pulls an answer out of a [`TokenStream`], piece by
//! piece: each [`next`](TokenStream::next) computes on the thread that calls it, so an app that reads slowly
//! slows the computation, and nothing piles up.
//!
//! Every handle may be used from any thread. A chat has one stream at a time ([`PunaError::Busy`]); what was
//! released answers [`PunaError::Closed`]; a panic below becomes [`PunaError::Internal`].
#![deny(unsafe_code)]

#[cfg(any(target_os = "android", feature = "jvm"))]
mod android;
mod c_api;
mod cancel;
mod chat;
mod embedder;
mod error;
mod home;
mod licence;
mod logging;
mod model;
mod options;
mod prefix;
mod record;
mod source;
mod store;
mod stream;

pub use cancel::CancelFlag;
pub use chat::{Chat, ChatMessage, MessageRole};
pub use embedder::{Embedder, EmbedderOptions, VectorPooling};
pub use error::PunaError;
pub use licence::{Licence, accept_licence, known_licence};
pub use logging::{LogLevel, LogSink, set_log_sink};
pub use model::{Model, ModelInfo, Plan};
pub use options::{AnswerOptions, ChatOptions, KvStorage, SamplerSettings, TrimLevel, WhenFull};
pub use prefix::Prefix;
pub use source::{ByteSource, ProgressListener, SourceError};
pub use store::{
    FetchListener, FetchOptions, FetchPhase, FetchProgress, HttpConnection, HttpError, HttpHead,
    HttpHeader, ModelStore, StoredModel,
};
pub use stream::{AnswerEnd, AnswerStats, TokenStream};

uniffi::setup_scaffolding!();

/// This library's version.
#[uniffi::export]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
