//! What can go wrong.

use crate::{chat::ChatError, generate::GenerateError, saved::StateError, session::SessionError};

/// Why a turn failed. The conversation is as it was before the turn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConversationError {
    /// The template.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// The computation.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The making of the answer.
    #[error(transparent)]
    Generate(GenerateError),
    /// What is kept on disk.
    #[error(transparent)]
    State(StateError),
    /// There is no turn to be edited, or answered again.
    #[error("conversation: no turn yet")]
    NoTurn,
    /// A replay's script has no answer.
    #[error("replay: the script has no answer to question {number} of the chat, counted from 0")]
    NotInScript {
        /// Which question.
        number: usize,
    },
}

impl From<GenerateError> for ConversationError {
    fn from(error: GenerateError) -> Self {
        match error {
            GenerateError::Session(error) => Self::Session(error),
            other => Self::Generate(other),
        }
    }
}

impl From<StateError> for ConversationError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Session(error) => Self::Session(error),
            other => Self::State(other),
        }
    }
}
