//! A conversation with a model.

use std::{path::Path, sync::Arc};

use puna_core::{
    chat::{ChatTemplate, Message, Role},
    conversation::{Ask, Conversation},
    generate::GenerateOptions,
    model::Model,
    replay::{Replay, Script},
    session::SessionOptions,
};

use crate::{
    cancel::{self, CancelFlag},
    error::{PunaError, guarded},
    home::{Control, Guest, Guests, Home, Lent, Speaker, either},
    options::{AnswerOptions, ChatOptions, TrimLevel},
    stream::{AnswerStats, Question, TokenStream},
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
    guests: Arc<Guests>,
    answer: AnswerOptions,
}

impl Chat {
    /// A new conversation; or that of the file `saved`.
    pub(crate) fn new(
        model: &Model,
        guests: &Arc<Guests>,
        options: &ChatOptions,
        saved: Option<&Path>,
    ) -> Result<Arc<Self>, PunaError> {
        let template = ChatTemplate::from_gguf(model.gguf(), model.tokenizer())?;
        let session = SessionOptions::from(options);
        let conversation = match saved {
            Some(path) => Conversation::restore(model, template, path, &session)?,
            None => Conversation::new(model, template, options.system.as_deref(), &session)?,
        };
        Self::on(Box::new(conversation).into(), guests, options)
    }

    /// As [`new`](Self::new), of a replay.
    pub(crate) fn replay(
        replay: &Replay,
        guests: &Arc<Guests>,
        options: &ChatOptions,
        saved: Option<&Path>,
    ) -> Result<Arc<Self>, PunaError> {
        let mut chat = replay.chat(options.system.as_deref());
        if let Some(path) = saved {
            chat.restore(path)?;
        }
        Self::on(Box::new(chat).into(), guests, options)
    }

    /// A chat that goes on where `speaker` is, and keeps the journal that the options name.
    pub(crate) fn on(
        mut speaker: Speaker,
        guests: &Arc<Guests>,
        options: &ChatOptions,
    ) -> Result<Arc<Self>, PunaError> {
        if let Some(folder) = &options.journal {
            either!(Speaker, &mut speaker, chat => chat.journal(Path::new(folder)))?;
        }
        let home = Home::new(speaker, options.record);
        Self::with(home, guests, options.answer.clone())
    }

    fn with(
        home: Arc<Home>,
        guests: &Arc<Guests>,
        answer: AnswerOptions,
    ) -> Result<Arc<Self>, PunaError> {
        guests.add(&home)?;
        let guests = Arc::clone(guests);
        Ok(Arc::new(Self {
            home,
            guests,
            answer,
        }))
    }

    fn ask(
        &self,
        question: Question,
        options: Option<AnswerOptions>,
    ) -> Result<Arc<TokenStream>, PunaError> {
        TokenStream::new(
            &self.home,
            question,
            options.as_ref().unwrap_or(&self.answer),
        )
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
        self.ask(Question::Send(text), options)
    }

    /// Asks in place of the last turn's words, and computes from the first token that differs. Until the new answer
    /// is whole the old turn is not gone: it comes back where the new one is cancelled or fails.
    ///
    /// # Errors
    /// As [`send`](Self::send); the stream fails with [`PunaError::NoTurn`] where there is none.
    #[uniffi::method(default(options = None))]
    pub fn edit_last(
        &self,
        text: String,
        options: Option<AnswerOptions>,
    ) -> Result<Arc<TokenStream>, PunaError> {
        self.ask(Question::EditLast(text), options)
    }

    /// Answers the last turn's words again, in place of the answer that there is. With the same seed, or temperature
    /// 0, it is the same answer.
    ///
    /// # Errors
    /// As [`edit_last`](Self::edit_last).
    #[uniffi::method(default(options = None))]
    pub fn regenerate(
        &self,
        options: Option<AnswerOptions>,
    ) -> Result<Arc<TokenStream>, PunaError> {
        self.ask(Question::Regenerate, options)
    }

    /// Computes what the next question begins with: the system message, and `text` where its first words are known.
    /// The conversation stays as it is. A replay has nothing to compute.
    ///
    /// # Errors
    /// [`PunaError::Busy`], [`PunaError::Closed`], [`PunaError::Cancelled`], [`PunaError::ContextFull`] and others.
    #[uniffi::method(default(cancel = None))]
    pub fn prewarm(&self, text: String, cancel: Option<Arc<CancelFlag>>) -> Result<(), PunaError> {
        let control = Arc::new(Control {
            cancel: cancel::of(cancel),
            ..Control::default()
        });
        let warmed = guarded(|| {
            if let Lent::Model(lease) = self.home.lend(&control)? {
                let options = GenerateOptions::default();
                // The reply is dropped: that takes the turn back, and leaves what was computed.
                Conversation::answer(lease, Ask::Send(&text), &options, &control.cancel)?;
            }
            Ok(())
        });
        match warmed {
            Err(PunaError::Cancelled) if self.home.is_closed() => Err(PunaError::Closed),
            warmed => warmed,
        }
    }

    /// Another chat that begins as this one, and shares its memory until the two differ. It has no journal.
    ///
    /// # Errors
    /// [`PunaError::Busy`] or [`PunaError::Closed`].
    pub fn fork(&self) -> Result<Arc<Self>, PunaError> {
        guarded(|| {
            let fork: Speaker = self.home.with(|speaker| {
                Ok(match speaker {
                    Speaker::Model(chat) => Box::new(chat.fork()).into(),
                    Speaker::Replay(chat) => Box::new(chat.fork()).into(),
                })
            })?;
            let home = Home::new(fork, self.home.tape().is_some());
            Self::with(home, &self.guests, self.answer.clone())
        })
    }

    /// Saves the conversation, and all that was computed for it, to a file that replaces `path` whole, or not at all:
    /// [`Model::restore_chat`](crate::Model::restore_chat) goes on from there.
    ///
    /// # Errors
    /// [`PunaError::Unwritable`], [`PunaError::Busy`] or [`PunaError::Closed`].
    pub fn save(&self, path: String) -> Result<(), PunaError> {
        let path = Path::new(&path);
        let save = |speaker: &mut Speaker| Ok(either!(Speaker, speaker, chat => chat.save(path))?);
        guarded(|| self.home.with(save))
    }

    /// The turns of a chat whose options say that it is recorded, as the script of a
    /// [replay](crate::Model::open_replay). It has every word of them.
    ///
    /// # Errors
    /// [`PunaError::InvalidOption`] if it is not recorded, [`PunaError::Busy`] or [`PunaError::Closed`].
    pub fn script(&self) -> Result<String, PunaError> {
        let Some(tape) = self.home.tape() else {
            let what = "this chat is not recorded: see ChatOptions".to_owned();
            return Err(PunaError::InvalidOption { what });
        };
        self.home.with(|speaker| {
            let (name, n_ctx) = match speaker {
                Speaker::Model(chat) => {
                    let gguf = chat.session().model().gguf();
                    let name = gguf.str("general.name").ok().flatten();
                    (name.unwrap_or_default().to_owned(), chat.session().n_ctx())
                }
                Speaker::Replay(chat) => (chat.name().to_owned(), chat.n_ctx()),
            };
            let turns = tape.turns();
            Ok(Script { name, n_ctx, turns }.to_json())
        })
    }

    /// Gives memory back; the next turn is the same without it. A chat that answers gives back nothing. From
    /// [`TrimLevel::Cache`] on it takes as long as writing the cache to the disk does.
    ///
    /// # Errors
    /// [`PunaError::Unwritable`]: the cache is then still in memory, and all else is given back.
    pub fn trim(&self, level: TrimLevel) -> Result<(), PunaError> {
        guarded(|| self.home.trim(level.into()))
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
        self.home.with(|speaker| {
            let messages = either!(Speaker, speaker, chat => chat.messages());
            Ok(messages.iter().map(ChatMessage::from).collect())
        })
    }

    /// Forgets every turn; the system message stays.
    ///
    /// # Errors
    /// [`PunaError::Busy`] or [`PunaError::Closed`].
    pub fn reset(&self) -> Result<(), PunaError> {
        self.home
            .with(|speaker| Ok(either!(Speaker, speaker, chat => chat.reset())?))
    }

    /// Tokens that the conversation can hold.
    ///
    /// # Errors
    /// [`PunaError::Busy`] or [`PunaError::Closed`].
    pub fn n_ctx(&self) -> Result<u64, PunaError> {
        self.home.with(|speaker| {
            Ok(match speaker {
                Speaker::Model(chat) => chat.session().n_ctx(),
                Speaker::Replay(chat) => chat.n_ctx(),
            } as u64)
        })
    }

    /// Tokens that it holds.
    ///
    /// # Errors
    /// [`PunaError::Busy`] or [`PunaError::Closed`].
    pub fn n_tokens(&self) -> Result<u64, PunaError> {
        self.home.with(|speaker| {
            Ok(match speaker {
                Speaker::Model(chat) => chat.session().tokens().len(),
                Speaker::Replay(chat) => chat.n_tokens(),
            } as u64)
        })
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
