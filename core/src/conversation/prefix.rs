//! The beginning that conversations with one system message have in common.

use std::path::Path;

use super::{Conversation, ConversationError, room::opening};
use crate::{
    cancel::Cancel,
    chat::{ChatTemplate, Message},
    model::Model,
    saved::StateError,
    session::{Session, SessionOptions, Trim},
};

/// A system message's keys and values, computed once: for any number of conversations, and kept on disk for
/// the next start, so that a first answer pays only for the user's words.
#[derive(Debug)]
pub struct Prefix {
    session: Session,
    template: ChatTemplate,
    system: Option<String>,
}

impl Prefix {
    /// Computes what every conversation begins with that speaks `template` and is opened by `system`.
    ///
    /// # Errors
    /// As [`Conversation::send`].
    pub fn build(
        model: &Model,
        template: ChatTemplate,
        system: Option<&str>,
        options: &SessionOptions,
        cancel: &Cancel,
    ) -> Result<Self, ConversationError> {
        let mut session = Session::new(model, options)?;
        let opening = opening(&template, system, model.tokenizer())?;
        if !opening.is_empty() {
            session.prefill(&opening, cancel)?;
        }
        Ok(Self {
            session,
            template,
            system: system.map(str::to_owned),
        })
    }

    /// The prefix that `dir` keeps for this model, system message and options, or a new one, which it keeps
    /// from then on. A kept one that cannot be read is built anew. Whether it was there is the second value.
    ///
    /// # Errors
    /// As [`build`](Self::build), and [`ConversationError::State`] when the folder cannot be written.
    pub fn kept_in(
        dir: &Path,
        model: &Model,
        template: ChatTemplate,
        system: Option<&str>,
        options: &SessionOptions,
        cancel: &Cancel,
    ) -> Result<(Self, bool), ConversationError> {
        let built = || Self::build(model, template.clone(), system, options, cancel);
        let path = dir.join(Self::file_name(model, &template, system, options)?);
        if path.exists() {
            match Session::restore(model, &path, options) {
                Ok(session) => {
                    let system = system.map(str::to_owned);
                    let kept = Self {
                        session,
                        template,
                        system,
                    };
                    return Ok((kept, true));
                }
                Err(error) => log::warn!("built anew, since what was kept is of no use: {error}"),
            }
        }
        let built = built()?;
        std::fs::create_dir_all(dir).map_err(|source| StateError::Io {
            doing: "make",
            path: dir.to_path_buf(),
            source,
        })?;
        built.session.save(&path)?;
        Ok((built, false))
    }

    /// A name for what a prefix depends on.
    fn file_name(
        model: &Model,
        template: &ChatTemplate,
        system: Option<&str>,
        options: &SessionOptions,
    ) -> Result<String, ConversationError> {
        use sha2::{Digest, Sha256};
        let messages: Vec<_> = system.map(Message::system).into_iter().collect();
        let messages = [&messages[..], &[Message::user("a")]].concat();
        let rendered = template.render(&messages, true)?;
        let mut hash = Sha256::new();
        hash.update(model.fingerprint().as_bytes());
        hash.update(options.kv.name());
        hash.update([0, u8::from(options.exact)]);
        hash.update(rendered.text());
        let name: String = hash.finalize()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(name + ".puna")
    }

    /// The session: its tokens are the prefix.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Gives memory back, as far as `level` says; what conversations share with it goes when they have trimmed as well.
    ///
    /// # Errors
    /// As [`Session::trim`].
    pub fn trim(&mut self, level: Trim) -> Result<(), ConversationError> {
        Ok(self.session.trim(level)?)
    }

    /// An empty conversation that begins with the prefix. Conversations of one prefix share its pages of the
    /// cache, and its threads; see [`Session::fork`].
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        let (session, template) = (self.session.fork(), self.template.clone());
        Conversation::on(session, template, self.system.as_deref())
    }
}
