//! Guesses from a smaller model of the same vocabulary.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    cancel::Cancel,
    model::Model,
    session::{Session, SessionError, SessionOptions},
    tokenizer::{TokenId, Tokenizer},
};

/// Why a model cannot guess for another.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// It has other tokens.
    #[error("draft: a vocabulary of {had} tokens, wanted the model's {wanted}")]
    VocabularySize {
        /// Tokens of the model.
        wanted: usize,
        /// Tokens of the draft model.
        had: usize,
    },
    /// A token means something else.
    #[error("draft: token {token} is another than the model's")]
    Token {
        /// The first such token.
        token: u32,
    },
    /// A special token is another.
    #[error("draft: the {what} token is {had:?}, wanted the model's {wanted:?}")]
    SpecialToken {
        /// Which: `"BOS"`, `"EOS"`, `"EOT"` or `"unknown"`.
        what: &'static str,
        /// The model's.
        wanted: Option<u32>,
        /// The draft model's.
        had: Option<u32>,
    },
    /// Its session cannot be opened.
    #[error("draft: {0}")]
    Session(#[from] SessionError),
}

/// A smaller model that guesses what a larger one will say.
///
/// Clones share one session, which keeps what its text has in common with the next: use the same for all
/// turns of a conversation. Texts that are made at the same time should have one each, or they wait for each
/// other and compute everything again.
#[derive(Clone, Debug)]
pub struct DraftModel(Arc<Mutex<Session>>);

impl DraftModel {
    /// A session of `draft`, to guess for `model`. Where its context is full, it guesses no more.
    ///
    /// # Errors
    /// [`DraftError`]: the vocabularies differ, or [`Session::new`] fails.
    pub fn new(model: &Model, draft: &Model, options: &SessionOptions) -> Result<Self, DraftError> {
        same_vocabulary(model.tokenizer(), draft.tokenizer())?;
        let session = Session::new(draft, options)?;
        Ok(Self(Arc::new(Mutex::new(session))))
    }

    /// Makes the session hold `text`.
    pub(super) fn read(&self, text: &[TokenId], cancel: &Cancel) -> Result<(), SessionError> {
        let mut session = self.lock();
        if !text.is_empty() && text.len() <= session.n_ctx() {
            session.prefill_to(text, cancel)?;
        }
        Ok(())
    }

    /// The `n` tokens that seem most likely after `text`, fewer where the context ends.
    pub(super) fn follow(
        &self,
        text: &[TokenId],
        n: usize,
        cancel: &Cancel,
        guesses: &mut Vec<TokenId>,
    ) -> Result<(), SessionError> {
        let mut session = self.lock();
        // The last guess need not be computed.
        let n = n.min((session.n_ctx() + 1).saturating_sub(text.len()));
        if n == 0 {
            return Ok(());
        }
        session.prefill_to(text, cancel)?;
        loop {
            let guess = most_likely(session.logits());
            guesses.push(guess);
            if guesses.len() >= n {
                return Ok(());
            }
            session.decode(guess, cancel)?;
        }
    }

    /// Has the session drop the tokens of these positions, as far as it holds them.
    pub(super) fn drop_tokens(&self, positions: Range<usize>) -> Result<(), SessionError> {
        let mut session = self.lock();
        if positions.end > session.tokens().len() {
            session.truncate(positions.start);
            return Ok(());
        }
        session.shift(positions.start, positions.len())
    }

    /// The tokens that fit its context.
    pub(super) fn n_ctx(&self) -> usize {
        self.lock().n_ctx()
    }

    fn lock(&self) -> MutexGuard<'_, Session> {
        // A session is whole after any error, a panic's too: its tokens are those that were computed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token of the highest logit, the lowest id of equals.
fn most_likely(logits: &[f32]) -> TokenId {
    let higher = |best: usize, i: usize| if logits[i] > logits[best] { i } else { best };
    TokenId((0..logits.len()).reduce(higher).unwrap_or(0) as u32)
}

fn same_vocabulary(model: &Tokenizer, draft: &Tokenizer) -> Result<(), DraftError> {
    let (wanted, had) = (model.n_vocab(), draft.n_vocab());
    if wanted != had {
        return Err(DraftError::VocabularySize { wanted, had });
    }
    let special = [
        ("BOS", model.bos(), draft.bos()),
        ("EOS", model.eos(), draft.eos()),
        ("EOT", model.eot(), draft.eot()),
        ("unknown", model.unk(), draft.unk()),
    ];
    for (what, wanted, had) in special {
        if wanted != had {
            let [wanted, had] = [wanted, had].map(|token| token.map(|token| token.0));
            return Err(DraftError::SpecialToken { what, wanted, had });
        }
    }
    let same = |id: TokenId| {
        model.token_text(id) == draft.token_text(id)
            && model.is_control(id) == draft.is_control(id)
            && model.is_eog(id) == draft.is_eog(id)
    };
    match (0..wanted as u32).find(|&id| !same(TokenId(id))) {
        Some(token) => Err(DraftError::Token { token }),
        None => Ok(()),
    }
}
