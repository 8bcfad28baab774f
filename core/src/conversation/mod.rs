//! A chat: messages in, streamed answers out, and only new tokens computed.

mod error;
mod journal;
mod prefix;
mod record;
mod reply;
mod room;
mod saved;

use std::{ops::DerefMut, time::Instant};

pub use error::ConversationError;
pub use prefix::Prefix;
pub use reply::Reply;

use self::{journal::Journal, room::Known};
use crate::{
    cancel::Cancel,
    chat::{ChatTemplate, Message, Rendered, Role},
    generate::{GenerateOptions, Generator},
    model::Model,
    session::{Session, SessionError, SessionOptions, Trim},
    tokenizer::TokenId,
};

/// A conversation with one model.
#[derive(Debug)]
pub struct Conversation {
    session: Session,
    template: ChatTemplate,
    messages: Vec<Message>,
    held: Held,
    /// What was before the last turn; `None` before the first.
    last: Option<Turn>,
    journal: Option<Journal>,
}

/// What the first tokens of the session are, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    /// Tokens of the session.
    n_tokens: usize,
    /// The text that these tokens and `pending` spell; `None` when that is not certain.
    text: Option<String>,
    /// A token that belongs after these, not computed yet.
    pending: Option<TokenId>,
}

impl Held {
    /// Nothing yet.
    fn nothing() -> Self {
        Self {
            text: Some(String::new()),
            ..Self::default()
        }
    }
}

/// What a conversation is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask<'t> {
    /// These words.
    Send(&'t str),
    /// These words, in place of the last turn's.
    EditLast(&'t str),
    /// The last turn's words again.
    Regenerate,
}

/// Where a turn begins.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Turn {
    /// Messages before it.
    n_messages: usize,
    /// What the session held before it.
    held: Held,
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
        let session = Session::new(model, options)?;
        Ok(Self::on(session, template, system))
    }

    /// An empty conversation on a session that may hold tokens already.
    fn on(session: Session, template: ChatTemplate, system: Option<&str>) -> Self {
        Self {
            session,
            template,
            messages: system.map(Message::system).into_iter().collect(),
            held: Held::nothing(),
            last: None,
            journal: None,
        }
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

    /// Gives memory back, as far as `level` says; the next turn is the same without it. Keys and values that are then
    /// found to be damaged on disk are computed again.
    ///
    /// # Errors
    /// As [`Session::trim`].
    pub fn trim(&mut self, level: Trim) -> Result<(), ConversationError> {
        Ok(self.session.trim(level)?)
    }

    /// Another conversation that begins as this one; see [`Session::fork`]. It has no journal.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            session: self.session.fork(),
            template: self.template.clone(),
            messages: self.messages.clone(),
            held: self.held.clone(),
            last: self.last.clone(),
            journal: None,
        }
    }

    /// Forgets every turn; a system message stays. What is common with the next prompt is not computed
    /// again. A journal then holds no word of the turns.
    ///
    /// # Errors
    /// [`ConversationError::State`] when the journal cannot be written; the turns are then still there.
    pub fn reset(&mut self) -> Result<(), ConversationError> {
        let system = self.messages.first();
        let system: Vec<_> = system
            .filter(|message| message.role == Role::System)
            .cloned()
            .into_iter()
            .collect();
        if let Some(journal) = &mut self.journal {
            journal.restart(&record::Chat {
                messages: &system,
                held: &Held::nothing(),
                last: None,
            })?;
        }
        self.messages = system;
        self.held = Held::nothing();
        self.last = None;
        Ok(())
    }

    /// Says `text` and begins the answer. Only tokens that the session does not hold yet are computed;
    /// this call takes as long as that does.
    ///
    /// # Errors
    /// [`ConversationError`]: among others [`SessionError::ContextFull`](crate::session::SessionError::ContextFull)
    /// when the conversation no longer fits, and [`SessionError::Cancelled`](crate::session::SessionError::Cancelled).
    pub fn send(
        &mut self,
        text: &str,
        options: &GenerateOptions,
        cancel: &Cancel,
    ) -> Result<Reply<&mut Self>, ConversationError> {
        Self::answer(self, Ask::Send(text), options, cancel)
    }

    /// Says `text` in place of the last turn's words, and begins another answer. Tokens are computed from the
    /// first that differs.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`ConversationError::NoTurn`].
    pub fn edit_last(
        &mut self,
        text: &str,
        options: &GenerateOptions,
        cancel: &Cancel,
    ) -> Result<Reply<&mut Self>, ConversationError> {
        Self::answer(self, Ask::EditLast(text), options, cancel)
    }

    /// Begins another answer to the last turn's words: only one token is computed, for its logits.
    /// With the same seed, or temperature 0, it is the same answer.
    ///
    /// # Errors
    /// As [`edit_last`](Self::edit_last).
    pub fn regenerate(
        &mut self,
        options: &GenerateOptions,
        cancel: &Cancel,
    ) -> Result<Reply<&mut Self>, ConversationError> {
        Self::answer(self, Ask::Regenerate, options, cancel)
    }

    /// Asks, where the reply holds the conversation by a handle of the caller's making: one that owns it, or one that
    /// hands it back when it is dropped.
    ///
    /// # Errors
    /// As [`send`](Self::send), [`edit_last`](Self::edit_last) and [`regenerate`](Self::regenerate).
    pub fn answer<C: DerefMut<Target = Self>>(
        conversation: C,
        ask: Ask<'_>,
        options: &GenerateOptions,
        cancel: &Cancel,
    ) -> Result<Reply<C>, ConversationError> {
        let last = || conversation.last.clone().ok_or(ConversationError::NoTurn);
        let (turn, text) = match ask {
            Ask::Send(text) => {
                let turn = Turn {
                    n_messages: conversation.messages.len(),
                    held: conversation.held.clone(),
                };
                (turn, text.to_owned())
            }
            Ask::EditLast(text) => (last()?, text.to_owned()),
            Ask::Regenerate => {
                let turn = last()?;
                let text = conversation.messages[turn.n_messages].content.clone();
                (turn, text)
            }
        };
        Self::begin(conversation, turn, text, options, cancel)
    }

    /// Takes the conversation back to where `turn` begins and says `text`.
    fn begin<C: DerefMut<Target = Self>>(
        mut conversation: C,
        mut turn: Turn,
        text: String,
        options: &GenerateOptions,
        cancel: &Cancel,
    ) -> Result<Reply<C>, ConversationError> {
        let replaced = conversation.messages.split_off(turn.n_messages);
        conversation.messages.push(Message::user(text));
        match conversation.prefill(&mut turn, options, cancel) {
            Ok((generator, prompt)) => Ok(Reply::new(
                conversation,
                turn,
                replaced,
                generator,
                prompt,
                cancel.clone(),
            )),
            Err(error) => {
                conversation.take_back(&turn, replaced);
                Err(error)
            }
        }
    }

    /// Undoes [`begin`](Self::begin) of a turn that replaced `replaced`.
    fn take_back(&mut self, turn: &Turn, replaced: Vec<Message>) {
        self.messages.truncate(turn.n_messages);
        // The session's tokens stay: the next prompt keeps what it has in common with them.
        self.held = if replaced.is_empty() {
            turn.held.clone()
        } else {
            Held::default()
        };
        self.messages.extend(replaced);
    }

    fn prefill(
        &mut self,
        turn: &mut Turn,
        options: &GenerateOptions,
        cancel: &Cancel,
    ) -> Result<(Generator, String), ConversationError> {
        let start = Instant::now();
        let mended = self.mend(turn, cancel)?;
        let mut rendered = self.template.render(&self.messages, true)?;
        let mut tokens = self.encode(&rendered, &turn.held);
        let n_ctx = self.session.n_ctx();
        if let Some(free) = options.on_full.free(n_ctx)
            && tokens.len() >= n_ctx
        {
            let known = turn.held.text.as_deref().map(|text| Known {
                n_tokens: turn.held.n_tokens,
                text,
            });
            let texts = (known, rendered.text());
            if let Some(leaving) = self.leaving(turn, texts, (tokens.len(), free), true)? {
                self.leave(turn, &leaving, rendered.text())?;
                rendered = leaving.rendered;
                tokens = self.encode(&rendered, &turn.held);
            }
        }
        let kept = self.session.n_in_common(&tokens);
        self.forget_behind(turn, kept);
        let computed = self.session.prefill_to(&tokens, cancel)?;
        let mut generator = Generator::new(&self.session, options, true)?;
        generator.note_prefill(mended + computed, start.elapsed());
        Ok((generator, rendered.text().to_owned()))
    }

    /// Computes tokens again whose keys and values are damaged on disk, where a trim had put them, and all behind them;
    /// returns how many.
    fn mend(&mut self, turn: &mut Turn, cancel: &Cancel) -> Result<usize, ConversationError> {
        let from = match self.session.check_rows(cancel) {
            Err(SessionError::Damaged { from, .. }) => from,
            checked => return Ok(checked.map(|()| 0)?),
        };
        let lost = self.session.tokens()[from..].to_vec();
        log::warn!("{} tokens are computed again: damaged on disk", lost.len());
        self.session.truncate(from);
        let computed = self.session.prefill(&lost, cancel);
        self.forget_behind(turn, self.session.tokens().len());
        Ok(computed.map(|()| lost.len())?)
    }

    /// Forgets what tokens spell of which the session keeps only the first `n`.
    fn forget_behind(&mut self, turn: &mut Turn, n: usize) {
        let last = self.last.as_mut().map(|turn| &mut turn.held);
        for held in [Some(&mut turn.held), last].into_iter().flatten() {
            if held.n_tokens > n {
                *held = Held::default();
            }
        }
    }

    /// The tokens of `rendered`, the first of them as the session holds them.
    fn encode(&self, rendered: &Rendered, held: &Held) -> Vec<TokenId> {
        let tokenizer = self.session.model().tokenizer();
        let rest = held
            .text
            .as_deref()
            .and_then(|text| rendered.encode_after(tokenizer, text));
        match rest {
            Some(rest) => {
                let before = &self.session.tokens()[..held.n_tokens];
                let before = before.iter().copied();
                before.chain(held.pending).chain(rest).collect()
            }
            None => rendered.encode(tokenizer),
        }
    }
}
