//! A conversation that is told from a script.

use std::{
    ops::DerefMut,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{
    Replay,
    script::{Fault, Kept, ScriptTurn},
};
use crate::{
    cancel::Cancel,
    chat::{Message, Role},
    conversation::{Ask, ConversationError},
    generate::{GenerateOptions, StopReason, Timings},
    saved::{StateError, replace},
    session::SessionError,
    stop::StopStrings,
};

/// The file of a journal, in its folder.
const JOURNAL: &str = "replay.json";
/// How long a wait goes on before it looks at the flag again.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes of text that are taken for a token, where somebody wants to know how many there are.
const TOKEN_BYTES: usize = 4;

/// A conversation that answers from a script.
#[derive(Clone, Debug)]
pub struct ReplayChat {
    replay: Replay,
    messages: Vec<Message>,
    journal: Option<PathBuf>,
}

impl ReplayChat {
    pub(super) fn new(replay: Replay, system: Option<Message>) -> Self {
        Self {
            replay,
            messages: system.into_iter().collect(),
            journal: None,
        }
    }

    /// The messages of all whole turns, the system's first.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// What the model is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.replay.script.name
    }

    /// Tokens that it can hold.
    #[must_use]
    pub fn n_ctx(&self) -> usize {
        self.replay.script.n_ctx
    }

    /// About as many tokens as a model's would be.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        let bytes = self.messages.iter().map(|message| message.content.len());
        bytes.map(|n| n.div_ceil(TOKEN_BYTES)).sum()
    }

    /// Another chat that begins as this one. It has no journal.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            journal: None,
            ..self.clone()
        }
    }

    /// Forgets every turn; a system message stays.
    ///
    /// # Errors
    /// [`ConversationError::State`] when the journal cannot be written.
    pub fn reset(&mut self) -> Result<(), ConversationError> {
        let is_system = |message: &Message| message.role == Role::System;
        let n = self.messages.iter().take_while(|m| is_system(m)).count();
        self.messages.truncate(n);
        Ok(self.write_journal()?)
    }

    /// Saves the messages to a file that replaces `path` whole, or not at all.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), StateError> {
        let pair = |message: &Message| (message.role.as_str().to_owned(), message.content.clone());
        let kept = Kept {
            kind: Kept::KIND.to_owned(),
            messages: self.messages.iter().map(pair).collect(),
        };
        replace(path, |out| Ok(serde_json::to_writer(out, &kept)?))?;
        Ok(())
    }

    /// Takes the messages of a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`StateError::Io`], [`StateError::NotAState`].
    pub fn restore(&mut self, path: &Path) -> Result<(), StateError> {
        let json = std::fs::read_to_string(path).map_err(|source| StateError::Io {
            doing: "read",
            path: path.to_path_buf(),
            source,
        })?;
        let wanted = "a replayed conversation";
        let kept: Kept =
            serde_json::from_str(&json).map_err(|_| StateError::NotAState { wanted })?;
        let messages = kept.messages.into_iter();
        let messages = messages.map(|(role, text)| Some(Message::new(Kept::role(&role)?, text)));
        let messages: Option<Vec<_>> = messages.collect();
        let is_ours = kept.kind == Kept::KIND;
        self.messages = messages
            .filter(|_| is_ours)
            .ok_or(StateError::NotAState { wanted })?;
        Ok(())
    }

    /// Keeps the messages in the folder `dir` from now on; if it has some already, goes on with those.
    ///
    /// # Errors
    /// As [`save`](Self::save) and [`restore`](Self::restore).
    pub fn journal(&mut self, dir: &Path) -> Result<(), StateError> {
        std::fs::create_dir_all(dir).map_err(|source| StateError::Io {
            doing: "make",
            path: dir.to_path_buf(),
            source,
        })?;
        let file = dir.join(JOURNAL);
        if file.exists() {
            self.restore(&file)?;
        }
        self.journal = Some(file);
        self.write_journal()
    }

    fn write_journal(&self) -> Result<(), StateError> {
        match &self.journal {
            Some(file) => self.save(file),
            None => Ok(()),
        }
    }

    /// Asks, as [`Conversation::answer`](crate::conversation::Conversation::answer) does: this call takes as long as
    /// the first piece did.
    ///
    /// # Errors
    /// [`ConversationError::NoTurn`], [`ConversationError::NotInScript`], or that it was stopped.
    pub fn answer<C: DerefMut<Target = Self>>(
        mut chat: C,
        ask: Ask<'_>,
        options: &GenerateOptions,
        cancel: &Cancel,
    ) -> Result<ReplayReply<C>, ConversationError> {
        let last = chat.messages.iter().rposition(|m| m.role == Role::User);
        let (begin, text) = match ask {
            Ask::Send(text) => (chat.messages.len(), text.to_owned()),
            Ask::EditLast(text) => (last.ok_or(ConversationError::NoTurn)?, text.to_owned()),
            Ask::Regenerate => {
                let begin = last.ok_or(ConversationError::NoTurn)?;
                (begin, chat.messages[begin].content.clone())
            }
        };
        let asked = |message: &&Message| message.role == Role::User;
        let before = || chat.messages[..begin].iter().filter(asked);
        let times = before().filter(|message| message.content == text).count();
        let number = before().count();
        let script = &chat.replay.script;
        let turn = script.turn(&text, times, number).cloned();
        let turn = turn.ok_or(ConversationError::NotInScript { number })?;
        let replaced = chat.messages.split_off(begin);
        chat.messages.push(Message::user(text));
        let mut reply = ReplayReply {
            chat,
            begin,
            replaced,
            turn,
            next: 0,
            max_tokens: options.max_tokens.unwrap_or(usize::MAX),
            stops: StopStrings::new(options.stops.iter().cloned()),
            text: String::new(),
            end: None,
            timings: Timings::default(),
            cancel: cancel.clone(),
            whole: false,
        };
        let start = Instant::now();
        if let Some(first) = reply.turn.pieces.first() {
            reply.wait(first.after())?;
        }
        reply.timings.prefill_tokens = reply.turn.prompt_tokens;
        reply.timings.prefill = start.elapsed();
        reply.timings.first_token = start.elapsed();
        Ok(reply)
    }
}

/// An answer that is being told. Dropped before its end without [`keep`](Self::keep), it takes the whole turn back.
#[derive(Debug)]
pub struct ReplayReply<C: DerefMut<Target = ReplayChat>> {
    chat: C,
    /// Messages before the turn, and those that it replaces.
    begin: usize,
    replaced: Vec<Message>,
    turn: ScriptTurn,
    /// The next piece.
    next: usize,
    max_tokens: usize,
    stops: StopStrings,
    text: String,
    end: Option<StopReason>,
    timings: Timings,
    cancel: Cancel,
    whole: bool,
}

impl<C: DerefMut<Target = ReplayChat>> ReplayReply<C> {
    /// The next piece, when its time has come; it may be empty. `None` after the last, when the turn has become part of
    /// the conversation.
    ///
    /// # Errors
    /// [`ConversationError::Session`]: that it was stopped, or the fault that the script has.
    pub fn next_piece(&mut self) -> Result<Option<String>, ConversationError> {
        if self.end.is_some() {
            if !self.whole {
                self.commit()?;
            }
            return Ok(None);
        }
        if self.next >= self.max_tokens {
            return Ok(Some(self.finish(StopReason::Length)));
        }
        let Some(piece) = self.turn.pieces.get(self.next).cloned() else {
            return match self.turn.fault {
                Some(fault) => Err(self.fault(fault).into()),
                None => Ok(Some(self.finish(self.turn.end.into()))),
            };
        };
        // The first one was waited for with the question.
        if self.next == 0 {
            self.cancel.check().map_err(SessionError::from)?;
        } else {
            let start = Instant::now();
            self.wait(piece.after())?;
            self.timings.decode_tokens += 1;
            self.timings.decode += start.elapsed();
        }
        self.next += 1;
        let passed = self.stops.push(&piece.text);
        let text = passed.text.to_owned();
        if passed.stop.is_some() {
            self.end = Some(StopReason::StopString);
        }
        self.text.push_str(&text);
        Ok(Some(text))
    }

    /// Waits as long as `recorded` takes at this speed, unless it is told to stop.
    fn wait(&self, recorded: Duration) -> Result<(), SessionError> {
        let time = self.chat.replay.time(recorded);
        let start = Instant::now();
        loop {
            self.cancel.check()?;
            match time.checked_sub(start.elapsed()) {
                Some(left) if !left.is_zero() => thread::sleep(left.min(LOOK)),
                _ => return Ok(()),
            }
        }
    }

    fn fault(&self, fault: Fault) -> SessionError {
        let (used, n_ctx) = (self.chat.n_tokens(), self.chat.n_ctx());
        match fault {
            Fault::ContextFull => SessionError::ContextFull {
                wanted: n_ctx,
                used: used.min(n_ctx),
                n_ctx,
            },
            Fault::DeadlineExceeded => SessionError::DeadlineExceeded,
            Fault::NotFinite => SessionError::NotFinite { index: 0 },
        }
    }

    /// Ends the text: hands out what was held back.
    fn finish(&mut self, reason: StopReason) -> String {
        self.end = Some(reason);
        let rest = self.stops.finish();
        self.text.push_str(&rest);
        rest
    }

    /// Ends the answer here: the turn becomes part of the conversation as far as it has come.
    ///
    /// # Errors
    /// [`ConversationError::State`] when the journal cannot be written; the turn is then taken back.
    pub fn keep(mut self) -> Result<(), ConversationError> {
        if self.whole {
            return Ok(());
        }
        self.commit()
    }

    fn commit(&mut self) -> Result<(), ConversationError> {
        // A call that failed may have left one.
        self.chat.messages.truncate(self.begin + 1);
        let answer = Message::assistant(self.text.as_str());
        self.chat.messages.push(answer);
        self.chat.write_journal()?;
        self.whole = true;
        Ok(())
    }

    /// Why it ended, once it has.
    #[must_use]
    pub const fn stop_reason(&self) -> Option<StopReason> {
        self.end
    }

    /// Pieces so far, which stand for its tokens.
    #[must_use]
    pub const fn n_tokens(&self) -> usize {
        self.next
    }

    /// How long it took so far.
    #[must_use]
    pub const fn timings(&self) -> Timings {
        self.timings
    }
}

impl<C: DerefMut<Target = ReplayChat>> Drop for ReplayReply<C> {
    fn drop(&mut self) {
        if !self.whole {
            self.chat.messages.truncate(self.begin);
            let replaced = std::mem::take(&mut self.replaced);
            self.chat.messages.extend(replaced);
        }
    }
}
