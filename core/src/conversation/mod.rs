//! A chat: messages in, streamed answers out, and only new tokens computed.

use std::time::Instant;

use crate::{
    cancel::Cancel,
    chat::{ChatError, ChatTemplate, Message},
    generate::{GenerateError, GenerateOptions, Generator, StopReason, Timings, all_visible},
    model::Model,
    session::{Session, SessionError, SessionOptions},
    tokenizer::TokenId,
};

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
}

impl From<GenerateError> for ConversationError {
    fn from(error: GenerateError) -> Self {
        match error {
            GenerateError::Session(error) => Self::Session(error),
            other => Self::Generate(other),
        }
    }
}

/// A conversation with one model.
#[derive(Debug)]
pub struct Conversation {
    session: Session,
    template: ChatTemplate,
    messages: Vec<Message>,
    held: Held,
}

/// What the session holds, as text.
#[derive(Clone, Debug, Default)]
struct Held {
    /// The text that the session's tokens and `pending` spell; `None` when that is not certain.
    text: Option<String>,
    /// A token that belongs after the session's, not computed yet.
    pending: Option<TokenId>,
}

impl Conversation {
    /// An empty conversation that speaks `template`, opened by `system` if given.
    ///
    /// # Errors
    /// [`ConversationError::Session`].
    pub fn new(
        model: &Model,
        template: ChatTemplate,
        system: Option<&str>,
        options: &SessionOptions,
    ) -> Result<Self, ConversationError> {
        Ok(Self {
            session: Session::new(model, options)?,
            template,
            messages: system.map(Message::system).into_iter().collect(),
            held: Held {
                text: Some(String::new()),
                pending: None,
            },
        })
    }

    /// The messages of all whole turns, the system's first.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The session below.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Forgets every turn; a system message stays. What is common with the next prompt is not computed
    /// again.
    pub fn reset(&mut self) {
        self.messages
            .retain(|message| message.role == crate::chat::Role::System);
        self.messages.truncate(1);
        self.held = Held::default();
    }

    /// Says `text` and begins the answer. Only tokens that the session does not hold yet are computed;
    /// this call takes as long as that does.
    ///
    /// # Errors
    /// [`ConversationError`]: among others [`SessionError::ContextFull`] when the conversation no longer
    /// fits, and [`SessionError::Cancelled`].
    pub fn send(
        &mut self,
        text: &str,
        options: &GenerateOptions,
        cancel: &Cancel,
    ) -> Result<Reply<'_>, ConversationError> {
        let n_messages = self.messages.len();
        self.messages.push(Message::user(text));
        match self.prefill(options, cancel) {
            Ok((generator, prompt)) => Ok(Reply {
                n_messages,
                generator,
                prompt,
                text: String::new(),
                cancel: cancel.clone(),
                whole: false,
                conversation: self,
            }),
            Err(error) => {
                self.messages.truncate(n_messages);
                Err(error)
            }
        }
    }

    fn prefill(
        &mut self,
        options: &GenerateOptions,
        cancel: &Cancel,
    ) -> Result<(Generator, String), ConversationError> {
        let start = Instant::now();
        let tokenizer = self.session.model().tokenizer();
        let rendered = self.template.render(&self.messages, true)?;
        let held = std::mem::take(&mut self.held);
        let rest = held
            .text
            .as_deref()
            .and_then(|text| rendered.encode_after(tokenizer, text));
        let computed = match rest {
            Some(rest) => {
                let before = self.session.tokens().len();
                let tokens: Vec<_> = held.pending.into_iter().chain(rest).collect();
                if let Err(error) = self.session.prefill(&tokens, cancel) {
                    self.held = held;
                    return Err(error.into());
                }
                self.session.tokens().len() - before
            }
            None => self
                .session
                .prefill_to(&rendered.encode(tokenizer), cancel)?,
        };
        let mut generator = Generator::new(&self.session, options, true)?;
        generator.note_prefill(computed, start.elapsed());
        Ok((generator, rendered.text().to_owned()))
    }
}

/// An answer in the making. Dropped before its end without [`keep`](Self::keep), it takes the whole turn
/// back.
#[derive(Debug)]
pub struct Reply<'c> {
    conversation: &'c mut Conversation,
    generator: Generator,
    /// The text that was prefilled.
    prompt: String,
    /// The answer so far.
    text: String,
    cancel: Cancel,
    n_messages: usize,
    whole: bool,
}

impl Reply<'_> {
    /// The next piece of the answer, which may be empty; `None` after the last, when the turn has become
    /// part of the conversation.
    ///
    /// # Errors
    /// [`ConversationError::Session`] with [`SessionError::Cancelled`] when it was cancelled, and other
    /// errors; the turn is then taken back when the reply is dropped.
    pub fn next_piece(&mut self) -> Result<Option<String>, ConversationError> {
        let piece = self
            .generator
            .step(&mut self.conversation.session, &self.cancel)?;
        match &piece {
            Some(piece) => self.text.push_str(piece),
            None if !self.whole => self.commit(),
            None => {}
        }
        Ok(piece)
    }

    /// Ends the answer here: the turn becomes part of the conversation as far as it has come.
    pub fn keep(mut self) {
        if !self.whole {
            self.commit();
            // Text may be held back that the tokens already spell.
            self.conversation.held = Held::default();
        }
    }

    /// The answer so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Why it ended, once it has.
    #[must_use]
    pub const fn stop_reason(&self) -> Option<StopReason> {
        self.generator.stop_reason()
    }

    /// The tokens of the answer so far.
    #[must_use]
    pub fn tokens(&self) -> &[TokenId] {
        self.generator.tokens()
    }

    /// How long it took so far.
    #[must_use]
    pub const fn timings(&self) -> Timings {
        self.generator.timings()
    }

    fn commit(&mut self) {
        self.whole = true;
        let tokenizer = self.conversation.session.model().tokenizer();
        let exact = self.generator.stop_reason() != Some(StopReason::StopString)
            && all_visible(tokenizer, self.generator.tokens());
        let text = exact.then(|| std::mem::take(&mut self.prompt) + &self.text);
        self.conversation.held = Held {
            text,
            pending: self.generator.pending(),
        };
        self.conversation
            .messages
            .push(Message::assistant(self.text.as_str()));
    }
}

impl Drop for Reply<'_> {
    fn drop(&mut self) {
        if !self.whole {
            // The tokens stay: the next prompt keeps what it has in common with them.
            self.conversation.messages.truncate(self.n_messages);
            self.conversation.held = Held::default();
        }
    }
}
