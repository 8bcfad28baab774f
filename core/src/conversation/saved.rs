//! A conversation on disk, and back: as a file, and as a journal that every turn is added to.

use std::path::Path;

use super::{
    Conversation, Held, Turn,
    journal::Journal,
    record::{Chat, OwnedChat},
};
use crate::{
    cancel::Cancel,
    chat::ChatTemplate,
    model::Model,
    saved::{
        StateError,
        fields::{Reader, Writer},
    },
    session::{Extras, Session, SessionOptions},
};

impl Conversation {
    /// Saves the session, the messages, and what the next turn needs to go on from here, to a file that
    /// replaces `path` whole, or not at all. Every reply has a sampler of its own, so there is none to be saved.
    ///
    /// # Errors
    /// As [`Session::save`].
    pub fn save(&self, path: &Path) -> Result<(), StateError> {
        let mut out = Writer::default();
        self.chat().write(&mut out);
        let chat = Some(out.0);
        let extras = Extras {
            chat,
            ..Extras::default()
        };
        self.session.save_with(path, &extras)
    }

    /// The conversation that [`save`](Self::save) wrote; nothing is computed.
    /// See [`Session::restore`] for what is read and checked.
    ///
    /// # Errors
    /// [`StateError`], among others [`StateError::Missing`] for the state of a session without a
    /// conversation.
    pub fn restore(
        model: &Model,
        template: ChatTemplate,
        path: &Path,
        options: &SessionOptions,
    ) -> Result<Self, StateError> {
        let (session, extras) = Session::restore_with(model, path, options)?;
        let part = "conversation";
        let chat = extras.chat.ok_or(StateError::Missing { part })?;
        let (n_tokens, n_vocab) = (session.tokens().len(), model.config().n_vocab);
        let chat = OwnedChat::read(Reader(&chat), n_tokens, n_vocab)?;
        let mut restored = Self::on(session, template, None);
        restored.resume(chat);
        Ok(restored)
    }

    /// Keeps a journal in the folder `dir` from now on: every turn is on disk before its reply has ended,
    /// and whatever happens to the process, the next call with this folder goes on after the last whole
    /// turn.
    ///
    /// If the folder has a journal already, the conversation becomes the one in it, its system message
    /// included, and nothing is computed; the session's logits are zeros until the next turn. Else what the
    /// conversation has so far is the journal's beginning.
    ///
    /// A journal takes at most some kilobytes more than twice what the conversation does. Texts of turns that
    /// were edited stay in it until it is written anew, as that bound asks; [`reset`](Self::reset) leaves
    /// none.
    ///
    /// # Errors
    /// [`StateError`]: among others [`StateError::InUse`] while another conversation has this journal. The
    /// conversation is then as it was.
    pub fn journal(&mut self, dir: &Path) -> Result<(), StateError> {
        let (model, n_ctx) = (self.session.model().clone(), self.session.n_ctx());
        let (mut journal, found) = Journal::open(dir, &model, self.session.cache())?;
        let Some(found) = found else {
            self.session.check_rows(&Cancel::new())?;
            let turn = self.chat();
            journal.append(self.session.cache(), self.session.tokens(), &turn)?;
            self.session.cache_mut().set_clean();
            self.journal = Some(journal);
            return Ok(());
        };
        let tokens = found.tokens.len();
        if tokens > n_ctx {
            return Err(StateError::TooLong { tokens, n_ctx });
        }
        self.session.adopt(&[]);
        let filled = found.fill(self.session.cache_mut());
        if let Err(error) = filled {
            self.held = Held::default();
            self.last = None;
            return Err(error);
        }
        self.session.adopt(&found.tokens);
        self.resume(found.chat);
        self.session.cache_mut().set_clean();
        self.journal = Some(journal);
        Ok(())
    }

    /// The folder of the journal, if there is one.
    #[must_use]
    pub fn journal_dir(&self) -> Option<&Path> {
        self.journal.as_ref().map(Journal::dir)
    }

    /// Writes a turn to the journal, if there is one.
    pub(super) fn write_turn(&mut self, held: &Held, turn: &Turn) -> Result<(), StateError> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        let chat = Chat {
            messages: &self.messages,
            held,
            last: Some(turn),
        };
        journal.append(self.session.cache(), self.session.tokens(), &chat)?;
        self.session.cache_mut().set_clean();
        Ok(())
    }

    fn chat(&self) -> Chat<'_> {
        Chat {
            messages: &self.messages,
            held: &self.held,
            last: self.last.as_ref(),
        }
    }

    fn resume(&mut self, chat: OwnedChat) {
        self.messages = chat.messages;
        self.held = chat.held;
        self.last = chat.last;
    }
}
