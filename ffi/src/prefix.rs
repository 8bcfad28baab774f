//! The beginning that chats have in common.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use puna_core::{
    chat::ChatTemplate,
    conversation::Prefix as Core,
    model::Model,
    replay::{Replay, ReplayChat},
    session::{SessionOptions, Trim},
};

use crate::{
    cancel::{self, CancelFlag},
    chat::Chat,
    error::{PunaError, guarded},
    home::{Guest, Guests, lock},
    options::ChatOptions,
};

/// A system message that is computed: chats that begin with it answer sooner, and share its memory.
#[derive(Debug, uniffi::Object)]
pub struct Prefix {
    kept: Arc<Kept>,
    guests: Arc<Guests>,
    options: ChatOptions,
}

/// What the model knows of it.
#[derive(Debug)]
struct Kept(Mutex<Option<Beginning>>);

#[derive(Debug)]
enum Beginning {
    Model(Box<Core>),
    Replay(ReplayChat),
}

impl Prefix {
    pub(crate) fn new(
        model: &Model,
        guests: &Arc<Guests>,
        options: ChatOptions,
        folder: Option<String>,
        cancel: Option<Arc<CancelFlag>>,
    ) -> Result<Arc<Self>, PunaError> {
        let template = ChatTemplate::from_gguf(model.gguf(), model.tokenizer())?;
        let (session, cancel) = (SessionOptions::from(&options), cancel::of(cancel));
        let system = options.system.as_deref();
        let prefix = match folder {
            Some(folder) => {
                let folder = Path::new(&folder);
                Core::kept_in(folder, model, template, system, &session, &cancel)?.0
            }
            None => Core::build(model, template, system, &session, &cancel)?,
        };
        Self::on(Beginning::Model(Box::new(prefix)), guests, options)
    }

    /// As [`new`](Self::new), of a replay; nothing is computed.
    pub(crate) fn replay(
        replay: &Replay,
        guests: &Arc<Guests>,
        options: ChatOptions,
    ) -> Result<Arc<Self>, PunaError> {
        let chat = replay.chat(options.system.as_deref());
        Self::on(Beginning::Replay(chat), guests, options)
    }

    fn on(
        beginning: Beginning,
        guests: &Arc<Guests>,
        options: ChatOptions,
    ) -> Result<Arc<Self>, PunaError> {
        let kept = Arc::new(Kept(Mutex::new(Some(beginning))));
        guests.add(&kept)?;
        let guests = Arc::clone(guests);
        Ok(Arc::new(Self {
            kept,
            guests,
            options,
        }))
    }
}

#[uniffi::export]
impl Prefix {
    /// Begins a conversation with it, with the options that it was made with.
    ///
    /// # Errors
    /// As [`Model::chat`](crate::Model::chat).
    pub fn chat(&self) -> Result<Arc<Chat>, PunaError> {
        guarded(|| {
            let kept = lock(&self.kept.0);
            let speaker = match kept.as_ref().ok_or(PunaError::Closed)? {
                Beginning::Model(prefix) => Box::new(prefix.conversation()).into(),
                Beginning::Replay(chat) => Box::new(chat.fork()).into(),
            };
            Chat::on(speaker, &self.guests, &self.options)
        })
    }

    /// Frees it; its chats stay. Calling it twice is harmless.
    pub fn release(&self) {
        self.kept.close();
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        self.release();
    }
}

impl Guest for Kept {
    fn close(&self) {
        drop(lock(&self.0).take());
    }

    fn trim(&self, level: Trim) -> Result<(), PunaError> {
        match &mut *lock(&self.0) {
            Some(Beginning::Model(prefix)) => Ok(prefix.trim(level)?),
            _ => Ok(()),
        }
    }
}
