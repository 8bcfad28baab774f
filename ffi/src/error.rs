//! What can go wrong, in the few kinds that an app can act on.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use puna_core::{
    cancel::Stopped, chat::ChatError, conversation::ConversationError, embed::EmbedError,
    generate::GenerateError, gguf::GgufError, model::ModelError, replay::ScriptError,
    sampler::SamplerError, saved::StateError, session::SessionError, store::StoreError,
    tokenizer::TokenizerError,
};

/// What an app can react to. No variant carries text of a prompt or an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum PunaError {
    /// The file cannot be opened, read or mapped.
    #[error("{reason}")]
    Unreadable {
        /// What the system said, of what.
        reason: String,
    },
    /// The file is no whole, valid model: downloading it again may help.
    #[error("{what}")]
    InvalidModel {
        /// What is wrong.
        what: String,
        /// The byte of the file where it is, if it is at one.
        offset: Option<u64>,
    },
    /// The file is valid, and of a kind that this version does not run.
    #[error("{what}")]
    UnsupportedModel {
        /// What is not supported.
        what: String,
    },
    /// The model's terms ask for acceptance, and nobody has accepted them: [`accept_licence`](crate::accept_licence).
    #[error("the licence {id} is not accepted: {summary}")]
    LicenceNotAccepted {
        /// What the licence goes by.
        id: String,
        /// What it is, and where to read it.
        summary: String,
    },
    /// The memory is not there. Nothing was allocated.
    #[error("needs {needs} bytes, and {has} are to be had")]
    DoesNotFit {
        /// Bytes that are needed.
        needs: u64,
        /// Bytes that are to be had; 0 where the system does not say.
        has: u64,
        /// The longest context that would fit, where that is the question and there is one.
        largest_n_ctx: Option<u64>,
    },
    /// The conversation has no room for this.
    #[error("{wanted} more tokens do not fit: {used} of a context of {n_ctx} are used")]
    ContextFull {
        /// Tokens to be added.
        wanted: u64,
        /// Tokens held.
        used: u64,
        /// Tokens that fit.
        n_ctx: u64,
    },
    /// A setting is out of its range.
    #[error("{what}")]
    InvalidOption {
        /// Which, and what it may be.
        what: String,
    },
    /// The model's template refuses the conversation, for example its system message.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// A saved conversation or a journal cannot be written, for example since the storage is full.
    #[error("{reason}")]
    Unwritable {
        /// What the system said, of what.
        reason: String,
    },
    /// The disk is too full for a download. What has arrived is kept.
    #[error("{free} bytes are free, wanted {wanted}")]
    NoSpace {
        /// Bytes that are still to come.
        wanted: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The server or the way to it. What has arrived is kept: the same call goes on with it.
    #[error("{reason}")]
    DownloadFailed {
        /// What happened, with the address but without its query, which may hold a key.
        reason: String,
        /// HTTP's number, where the server answered with another one than was hoped for: 404 for a file that is not there.
        status: Option<u16>,
    },
    /// What was saved is damaged, or of another model or version: the conversation is lost, begin a new one.
    #[error("{what}")]
    InvalidState {
        /// What is wrong.
        what: String,
    },
    /// Another chat or process has this journal.
    #[error("the journal {folder} is in use")]
    InUse {
        /// The journal's folder.
        folder: String,
    },
    /// There is no turn to be edited, or answered again.
    #[error("no turn yet")]
    NoTurn,
    /// It was cancelled. The conversation is as it was before the turn.
    #[error("cancelled")]
    Cancelled,
    /// The time that the answer was given has passed. The conversation is as it was before the turn.
    #[error("the deadline has passed")]
    DeadlineExceeded,
    /// The chat is answering already; a chat has one stream at a time.
    #[error("the chat is answering already")]
    Busy,
    /// The model, the chat or the stream was closed.
    #[error("closed")]
    Closed,
    /// A fault of this library, or of the system below it.
    #[error("{reason}")]
    Internal {
        /// What happened.
        reason: String,
    },
}

/// Runs `work`; a panic becomes an error, which says where the fault is but shows nothing of its data.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, PunaError>) -> Result<T, PunaError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(PunaError::Internal {
            reason: "a panic in the runtime; please report it".to_owned(),
        })
    })
}

impl From<GgufError> for PunaError {
    fn from(error: GgufError) -> Self {
        let offset = error.at();
        match error {
            GgufError::Io { .. } => Self::Unreadable {
                reason: with_cause(&error),
            },
            error => Self::InvalidModel {
                what: error.to_string(),
                offset,
            },
        }
    }
}

/// The system refused memory; it does not say how much it has.
const fn no_memory(needs: u64) -> PunaError {
    PunaError::DoesNotFit {
        needs,
        has: 0,
        largest_n_ctx: None,
    }
}

/// An error and what caused it, where its own text does not say so.
fn with_cause(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    match error.source().map(ToString::to_string) {
        Some(cause) if !text.contains(&cause) => format!("{text}: {cause}"),
        _ => text,
    }
}

impl From<TokenizerError> for PunaError {
    fn from(error: TokenizerError) -> Self {
        match error {
            TokenizerError::Gguf(error) => error.into(),
            TokenizerError::UnknownModel { .. } | TokenizerError::UnknownPre { .. } => {
                Self::UnsupportedModel {
                    what: error.to_string(),
                }
            }
            error => Self::InvalidModel {
                what: error.to_string(),
                offset: None,
            },
        }
    }
}

impl From<ModelError> for PunaError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Gguf(error) => error.into(),
            ModelError::Tokenizer(error) => error.into(),
            ModelError::NoMemory { bytes, .. } => no_memory(bytes),
            ModelError::LicenceNotAccepted { id, summary } => {
                Self::LicenceNotAccepted { id, summary }
            }
            ModelError::MissingTensor { .. }
            | ModelError::TensorShape { .. }
            | ModelError::NotFinite { .. } => Self::InvalidModel {
                what: error.to_string(),
                offset: None,
            },
            error => Self::UnsupportedModel {
                what: error.to_string(),
            },
        }
    }
}

impl From<ChatError> for PunaError {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::Gguf(error) => error.into(),
            ChatError::Refused { reason } => Self::Refused { reason },
            ChatError::Thread(error) => error.into(),
            error => Self::UnsupportedModel {
                what: error.to_string(),
            },
        }
    }
}

impl From<io::Error> for PunaError {
    fn from(error: io::Error) -> Self {
        Self::Internal {
            reason: error.to_string(),
        }
    }
}

impl From<SamplerError> for PunaError {
    fn from(error: SamplerError) -> Self {
        Self::InvalidOption {
            what: error.to_string(),
        }
    }
}

impl From<SessionError> for PunaError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::ContextFull {
                wanted,
                used,
                n_ctx,
            } => Self::ContextFull {
                wanted: wanted as u64,
                used: used as u64,
                n_ctx: n_ctx as u64,
            },
            SessionError::Context { .. } | SessionError::KvType { .. } => Self::InvalidOption {
                what: error.to_string(),
            },
            SessionError::DoesNotFit(error) => Self::DoesNotFit {
                needs: error.needs,
                has: error.has,
                largest_n_ctx: error.largest_n_ctx.map(|n| n as u64),
            },
            SessionError::NoMemory { bytes } => no_memory(bytes as u64),
            SessionError::NoBuffers { bytes } => no_memory(bytes),
            SessionError::Cancelled => Self::Cancelled,
            SessionError::DeadlineExceeded => Self::DeadlineExceeded,
            SessionError::Damaged { .. } => Self::InvalidState {
                what: error.to_string(),
            },
            SessionError::NotFinite { .. } => Self::InvalidModel {
                what: error.to_string(),
                offset: None,
            },
            error => Self::Internal {
                reason: error.to_string(),
            },
        }
    }
}

impl From<GenerateError> for PunaError {
    fn from(error: GenerateError) -> Self {
        match error {
            GenerateError::Session(error) => error.into(),
            GenerateError::Sampler(error) => error.into(),
            error => Self::Internal {
                reason: error.to_string(),
            },
        }
    }
}

impl From<ConversationError> for PunaError {
    fn from(error: ConversationError) -> Self {
        match error {
            ConversationError::Chat(error) => error.into(),
            ConversationError::Session(error) => error.into(),
            ConversationError::Generate(error) => error.into(),
            ConversationError::State(error) => error.into(),
            ConversationError::NoTurn => Self::NoTurn,
            ConversationError::NotInScript { .. } => Self::Refused {
                reason: error.to_string(),
            },
            error => Self::Internal {
                reason: error.to_string(),
            },
        }
    }
}

impl From<Stopped> for PunaError {
    fn from(stopped: Stopped) -> Self {
        SessionError::from(stopped).into()
    }
}

impl From<EmbedError> for PunaError {
    fn from(error: EmbedError) -> Self {
        match error {
            EmbedError::Session(SessionError::Empty) => Self::InvalidOption {
                what: "a text without a token has no vector".to_owned(),
            },
            EmbedError::Session(error) => error.into(),
            EmbedError::Gguf(error) => error.into(),
            EmbedError::Pooling { .. } => Self::UnsupportedModel {
                what: error.to_string(),
            },
            error => Self::InvalidModel {
                what: error.to_string(),
                offset: None,
            },
        }
    }
}

impl From<ScriptError> for PunaError {
    fn from(error: ScriptError) -> Self {
        Self::InvalidOption {
            what: error.to_string(),
        }
    }
}

impl From<StateError> for PunaError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Session(error) => error.into(),
            StateError::Io { .. } => Self::Unwritable {
                reason: with_cause(&error),
            },
            StateError::Map(_) => Self::Unreadable {
                reason: with_cause(&error),
            },
            StateError::InUse { dir } => Self::InUse {
                folder: dir.display().to_string(),
            },
            StateError::KvType { .. } | StateError::TooLong { .. } => Self::InvalidOption {
                what: error.to_string(),
            },
            error => Self::InvalidState {
                what: error.to_string(),
            },
        }
    }
}

impl From<StoreError> for PunaError {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::Url { .. }
            | StoreError::Insecure { .. }
            | StoreError::NoHash { .. }
            | StoreError::Name { .. } => Self::InvalidOption { what: text },
            StoreError::WrongHash { .. } => Self::InvalidModel {
                what: text,
                offset: None,
            },
            StoreError::NotAModel { source, .. } => Self::InvalidModel {
                what: text,
                offset: source.at(),
            },
            StoreError::NoSpace { wanted, free, .. } => Self::NoSpace { wanted, free },
            StoreError::Cancelled => Self::Cancelled,
            StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Self::Unreadable { reason: text }
            }
            StoreError::Io { .. } => Self::Unwritable { reason: text },
            StoreError::Status { status, .. } => Self::DownloadFailed {
                reason: text,
                status: Some(status),
            },
            _ => Self::DownloadFailed {
                reason: text,
                status: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_without_its_text() {
        let result = guarded::<()>(|| panic!("the prompt"));
        let Err(PunaError::Internal { reason }) = result else {
            panic!("{result:?}");
        };
        assert!(!reason.contains("prompt"), "{reason}");
    }

    #[test]
    fn an_error_in_a_file_says_where() {
        let error = GgufError::Shard {
            no: 2,
            source: Box::new(GgufError::Version { had: 99 }),
        };
        let PunaError::InvalidModel { offset, .. } = error.into() else {
            panic!("not an invalid model");
        };
        assert_eq!(offset, Some(4));
    }
}
