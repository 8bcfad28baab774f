//! Speculation: cheap guesses at the next tokens, which the model verifies several at a time.
//!
//! The guesses ([`Draft`]) never change what is said. Each token is picked by the sampler from the model's own
//! logits, in order, as it would be without guesses; a guess only decides whether those logits are already
//! computed ([`Session::decode_ahead`]). With our own kernels logits are the same bits in a batch, so the
//! tokens are the same, drawn ones too.
//!
//! [`pace`] decides how many guesses are worth their time.

mod lookup;
mod model;
mod pace;

use std::{ops::Range, time::Instant};

pub use model::{DraftError, DraftModel};

use self::{
    lookup::Lookup,
    pace::{Kind, Pace},
};
use crate::{
    cancel::Cancel,
    session::{Session, SessionError},
    tokenizer::TokenId,
};

/// Where guesses at the next tokens come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Draft {
    /// The text itself, prompt and answer: what followed the last time that its newest tokens stood there.
    /// Good where an answer repeats parts of the prompt: edits, code, quotes.
    Lookup,
    /// A smaller model.
    Model(DraftModel),
}

/// Guesses for one text, and what became of them.
#[derive(Debug)]
pub(crate) struct Drafter {
    source: Source,
    pace: Pace,
    /// The guesses that are being judged.
    run: Option<Run>,
    guesses: Vec<TokenId>,
    drafted: usize,
    accepted: usize,
}

#[derive(Debug)]
enum Source {
    Lookup(Lookup),
    Model {
        model: DraftModel,
        /// The text so far.
        text: Vec<TokenId>,
        /// Whether the model has read the prompt.
        ready: bool,
    },
}

/// Guesses of one pass.
#[derive(Clone, Copy, Debug)]
struct Run {
    kind: Kind,
    n: usize,
    right: usize,
}

impl Drafter {
    /// For a text that goes on where `session` ends.
    pub fn new(draft: &Draft, session: &Session) -> Self {
        let mut drafter = Self {
            source: match draft {
                Draft::Lookup => Source::Lookup(Lookup::default()),
                Draft::Model(model) => Source::Model {
                    model: model.clone(),
                    text: Vec::new(),
                    ready: false,
                },
            },
            pace: Pace::default(),
            run: None,
            guesses: Vec::new(),
            drafted: 0,
            accepted: 0,
        };
        session.tokens().iter().for_each(|&t| drafter.push(t));
        drafter
    }

    /// The text goes on with `token`, which the session may not have computed yet.
    pub fn push(&mut self, token: TokenId) {
        match &mut self.source {
            Source::Lookup(lookup) => lookup.push(token),
            Source::Model { text, .. } => text.push(token),
        }
    }

    /// The text went on without the tokens of these positions. What they said can still be looked up.
    pub fn dropped(&mut self, positions: Range<usize>) -> Result<(), SessionError> {
        if let Source::Model { model, text, .. } = &mut self.source {
            model.drop_tokens(positions.clone())?;
            text.drain(positions);
        }
        Ok(())
    }

    /// Decodes `token`, the last that was pushed, and guesses of which at most `most` can be of use.
    pub fn decode(
        &mut self,
        session: &mut Session,
        token: TokenId,
        most: usize,
        cancel: &Cancel,
    ) -> Result<(), SessionError> {
        if session.ahead().first() == Some(&token) {
            session.decode(token, cancel)?;
            self.accepted += 1;
            if let Some(run) = &mut self.run {
                run.right += 1;
            }
            return Ok(());
        }
        if let Some(run) = self.run.take() {
            self.pace.judged(run.kind, run.n, run.right);
        }
        self.prepare(cancel)?;
        let started = Instant::now();
        let room = session.n_ctx().saturating_sub(session.tokens().len() + 1);
        let kind = self.guess(most.min(room), cancel)?;
        session.decode_ahead(token, &self.guesses, cancel)?;
        let n = session.ahead().len();
        self.pace.passed(1 + n, started.elapsed());
        self.run = kind.filter(|_| n > 0).map(|kind| Run { kind, n, right: 0 });
        self.drafted += n;
        Ok(())
    }

    /// Has a draft model read the prompt.
    fn prepare(&mut self, cancel: &Cancel) -> Result<(), SessionError> {
        match &mut self.source {
            Source::Model { model, text, ready } if !*ready => {
                model.read(text, cancel)?;
                *ready = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Fills `guesses` with those that are worth their time, of `most`; says of what kind they are.
    fn guess(&mut self, most: usize, cancel: &Cancel) -> Result<Option<Kind>, SessionError> {
        self.guesses.clear();
        match &self.source {
            Source::Lookup(lookup) => Ok(lookup.find().map(|(len, place)| {
                let kind = Kind::of_match(len);
                let n = self.pace.guesses(kind, most);
                lookup.follow(place, n, &mut self.guesses);
                kind
            })),
            Source::Model { model, text, .. } => {
                let n = match text.len() <= model.n_ctx() {
                    true => self.pace.guesses(Kind::Model, most),
                    false => 0,
                };
                model.follow(text, n, cancel, &mut self.guesses)?;
                Ok(Some(Kind::Model))
            }
        }
    }

    /// Guesses that were computed.
    pub fn drafted(&self) -> usize {
        self.drafted
    }

    /// Guesses that became part of the text.
    pub fn accepted(&self) -> usize {
        self.accepted
    }
}
