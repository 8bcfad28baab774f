//! A conversation with a model.

use std::sync::Arc;

use puna_core::{
    chat::{ChatTemplate, Message, Role},
    conversation::Conversation,
    generate::GenerateOptions,
    model::Model,
    session::SessionOptions,
};

use crate::{
    error::{PunaError, guarded},
    home::Home,
    options::{AnswerOptions, ChatOptions},
    stream::{AnswerStats, TokenStream},
};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum MessageRole {
    /// Standing instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// What a tool gave back.
    Tool,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ChatMessage {
    /// Who says it.
    pub role: MessageRole,
    /// What is said: plain text, whatever it looks like.
    pub content: String,
}

/// A conversation with one model. Only new tokens are computed in each turn.
#[derive(Debug, uniffi::Object)]
pub struct Chat {
    home: Arc<Home>,
    answer: AnswerOptions,
}

impl Chat {
    pub(crate) fn new(model: &Model, options: ChatOptions) -> Result<Self, PunaError> {
        let template = ChatTemplate::from_gguf(model.gguf(), model.tokenizer())?;
        let session = SessionOptions::from(&options);
        let system = options.system.as_deref();
        Ok(Self {
            home: Home::new(Conversation::new(model, template, system, &session)?),
            answer: options.answer,
        })
    }

    pub(crate) const fn home(&self) -> &Arc<Home> {
        &self.home
    }
}

#[uniffi::export]
impl Chat {
    /// Asks; the answer is computed as it is pulled. `options`: none takes the chat's.
    ///
    /// # Errors
    /// [`PunaError::Busy`] while another stream of this chat lives, [`PunaError::Closed`].
    #[uniffi::method(default(options = None))]
    pub fn send(
        &self,
        text: String,
        options: Option<AnswerOptions>,
    ) -> Result<Arc<TokenStream>, PunaError> {
        let options = GenerateOptions::from(options.as_ref().unwrap_or(&self.answer));
        TokenStream::new(&self.home, text, options)
    }

    /// Ends the answer in the making where it is, as [`TokenStream::stop`]; nothing where there is none.
    pub fn stop(&self) {
        if let Some(control) = self.home.answering() {
            control.stop();
        }
    }

    /// The messages of all whole turns, the system's first.
    ///
    /// # Errors
    /// [`PunaError::Busy`] or [`PunaError::Closed`].
    pub fn messages(&self) -> Result<Vec<ChatMessage>, PunaError> {
        self.home
            .with(|chat| Ok(chat.messages().iter().map(ChatMessage::from).collect()))
    }

    /// Forgets every turn; the system message stays.
    ///
    /// # Errors
    /// [`PunaError::Busy`] or [`PunaError::Closed`].
    pub fn reset(&self) -> Result<(), PunaError> {
        self.home.with(|chat| Ok(chat.reset()?))
    }

    /// Tokens that the conversation can hold.
    ///
    /// # Errors
    /// [`PunaError::Busy`] or [`PunaError::Closed`].
    pub fn n_ctx(&self) -> Result<u64, PunaError> {
        self.home.with(|chat| Ok(chat.session().n_ctx() as u64))
    }

    /// How long the newest answer took so far.
    pub fn stats(&self) -> AnswerStats {
        self.home.stats()
    }

    /// Frees the conversation; an answer in the making is cancelled. Every later call fails with
    /// [`PunaError::Closed`]. Calling it twice is harmless.
    pub fn release(&self) {
        // What a fault below leaves behind is not this caller's concern.
        let _ = guarded(|| {
            self.home.close();
            Ok(())
        });
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        self.release();
    }
}

impl From<&Message> for ChatMessage {
    fn from(message: &Message) -> Self {
        Self {
            role: match message.role {
                Role::System => MessageRole::System,
                Role::User => MessageRole::User,
                Role::Assistant => MessageRole::Assistant,
                Role::Tool => MessageRole::Tool,
            },
            content: message.content.clone(),
        }
    }
}
