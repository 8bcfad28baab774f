//! An answer in the making.

use std::ops::DerefMut;

use super::{Conversation, ConversationError, Held, Turn, room::Known};
use crate::{
    cancel::Cancel,
    chat::Message,
    generate::{Generator, StopReason, Timings, all_visible},
    tokenizer::TokenId,
};

/// An answer in the making. Dropped before its end without [`keep`](Self::keep), it takes the whole turn
/// back; a turn that it was to replace is then still there.
#[derive(Debug)]
pub struct Reply<C: DerefMut<Target = Conversation>> {
    conversation: C,
    turn: Turn,
    /// The messages of the turn that this one replaces.
    replaced: Vec<Message>,
    generator: Generator,
    /// The text that was prefilled, and its tokens.
    prompt: String,
    n_prompt: usize,
    /// The answer so far.
    text: String,
    cancel: Cancel,
    whole: bool,
}

impl<C: DerefMut<Target = Conversation>> Reply<C> {
    pub(super) fn new(
        conversation: C,
        turn: Turn,
        replaced: Vec<Message>,
        generator: Generator,
        prompt: String,
        cancel: Cancel,
    ) -> Self {
        Self {
            n_prompt: conversation.session.tokens().len(),
            conversation,
            turn,
            replaced,
            generator,
            prompt,
            text: String::new(),
            cancel,
            whole: false,
        }
    }

    /// The next piece of the answer, which may be empty; `None` after the last, when the turn has become
    /// part of the conversation, and of its journal if it has one.
    ///
    /// # Errors
    /// [`ConversationError::Session`] with [`Cancelled`](crate::session::SessionError::Cancelled) when it was
    /// cancelled, and other errors; the turn is then taken back when the reply is dropped.
    pub fn next_piece(&mut self) -> Result<Option<String>, ConversationError> {
        if self.generator.is_stuck(&self.conversation.session) {
            self.make_room()?;
        }
        let shifts = self.generator.n_shifts();
        let piece = self
            .generator
            .step(&mut self.conversation.session, &self.cancel);
        if self.generator.n_shifts() > shifts {
            // Words of this turn are no longer in the session.
            self.turn.held = Held::default();
            if let Some(last) = &mut self.conversation.last {
                last.held = Held::default();
            }
        }
        let piece = piece?;
        match &piece {
            Some(piece) => self.text.push_str(piece),
            None if !self.whole => self.commit(true)?,
            None => {}
        }
        Ok(piece)
    }

    /// Lets the oldest turns leave a full context. Where there are none, the generator drops words of this one.
    fn make_room(&mut self) -> Result<(), ConversationError> {
        let conversation = &mut *self.conversation;
        let n_ctx = conversation.session.n_ctx();
        let Some(free) = self.generator.on_full().free(n_ctx) else {
            return Ok(());
        };
        if self.generator.n_shifts() == 0 {
            let known = Known {
                n_tokens: self.n_prompt,
                text: &self.prompt,
            };
            let n = conversation.session.tokens().len();
            let texts = (Some(known), self.prompt.as_str());
            if let Some(leaving) = conversation.leaving(&self.turn, texts, (n, free), false)? {
                conversation.leave(&mut self.turn, &leaving, &self.prompt)?;
                if let Some(tokens) = leaving.tokens() {
                    self.generator.dropped(tokens)?;
                }
                self.n_prompt -= n - conversation.session.tokens().len();
                leaving.rendered.text().clone_into(&mut self.prompt);
                return Ok(());
            }
        }
        let keep = conversation.n_opening()?;
        self.generator.set_keep(keep);
        Ok(())
    }

    /// Ends the answer here: the turn becomes part of the conversation as far as it has come.
    ///
    /// # Errors
    /// [`ConversationError::State`] when the journal cannot be written; the turn is then taken back.
    pub fn keep(mut self) -> Result<(), ConversationError> {
        if self.whole {
            return Ok(());
        }
        // Text may be held back that the tokens already spell.
        self.commit(false)
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

    /// Makes the turn part of the conversation. `all_shown`: the answer's text is all that its tokens
    /// spell.
    fn commit(&mut self, all_shown: bool) -> Result<(), ConversationError> {
        let conversation = &mut *self.conversation;
        let session = &conversation.session;
        let certain = all_shown
            && self.generator.n_shifts() == 0
            && self.generator.stop_reason() != Some(StopReason::StopString)
            && all_visible(session.model().tokenizer(), self.generator.tokens());
        let held = Held {
            n_tokens: session.tokens().len(),
            text: certain.then(|| self.prompt.clone() + &self.text),
            pending: self.generator.pending(),
        };
        let answer = Message::assistant(self.text.as_str());
        // A call that failed may have left one.
        conversation.messages.truncate(self.turn.n_messages + 1);
        conversation.messages.push(answer);
        conversation.write_turn(&held, &self.turn)?;
        conversation.held = held;
        conversation.last = Some(self.turn.clone());
        self.whole = true;
        Ok(())
    }
}

impl<C: DerefMut<Target = Conversation>> Drop for Reply<C> {
    fn drop(&mut self) {
        if !self.whole {
            let replaced = std::mem::take(&mut self.replaced);
            self.conversation.take_back(&self.turn, replaced);
        }
    }
}
