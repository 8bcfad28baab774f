//! Tokens that are computed before anybody asks for them.
//!
//! One pass over several tokens reads the weights once, so guesses at what comes next are cheap beside the
//! token that is asked for. A guess that turns out right costs nothing more; one that does not leaves no
//! trace, as its place in the cache lies behind the tokens that the session holds.

use super::{Session, SessionError, append::finite};
use crate::{cancel::Cancel, tokenizer::TokenId};

/// Guesses that [`Session::decode_ahead`] computes at most. With the token itself these are fewer than the
/// 32 from which one tier of kernels has other bits.
pub const MAX_GUESSES: usize = 15;

/// Guesses, and the logits after each.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    tokens: Vec<TokenId>,
    /// How many of them the session has taken.
    taken: usize,
    /// `(1 + tokens, n_vocab)`: the first row is that of the token before them.
    logits: Vec<f32>,
}

impl Ahead {
    /// Forgets the guesses.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.taken = 0;
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        4 * self.logits.len()
    }

    fn rest(&self) -> &[TokenId] {
        &self.tokens[self.taken..]
    }
}

impl Session {
    /// Guesses of the last [`decode_ahead`](Self::decode_ahead) that may still turn out right: the first of
    /// them costs nothing to decode.
    #[must_use]
    pub fn ahead(&self) -> &[TokenId] {
        self.ahead.rest()
    }

    /// As [`decode`](Self::decode), and computes `guesses` at the tokens after it in the same pass, as many
    /// as there is room for and at most [`MAX_GUESSES`]. They are not the session's until they are decoded,
    /// one by one, which then takes no computation. Everything else forgets them.
    ///
    /// With our own kernels, the logits are the same bits with and without guesses.
    ///
    /// # Errors
    /// As [`prefill`](Self::prefill).
    pub fn decode_ahead(
        &mut self,
        token: TokenId,
        guesses: &[TokenId],
        cancel: &Cancel,
    ) -> Result<&[f32], SessionError> {
        if self.ahead.rest().first() == Some(&token) {
            return self.take_guess(cancel);
        }
        let room = self.n_ctx().saturating_sub(self.tokens.len() + 1);
        let n = guesses.len().min(MAX_GUESSES).min(room);
        let guesses = &guesses[..n.min(self.sizes.n_batch - 1)];
        if guesses.is_empty() {
            self.prefill(&[token], cancel)?;
            return Ok(&self.logits);
        }
        let tokens: Vec<_> = [token].iter().chain(guesses).copied().collect();
        let n_vocab = self.model.config().n_vocab;
        let mut rows = std::mem::take(&mut self.ahead.logits);
        rows.resize(tokens.len() * n_vocab, 0.0);
        let computed = self.compute(&tokens, cancel, |pass| pass.any_logits(0, &mut rows));
        self.ahead.logits = rows;
        computed?;
        // Those of a wrong guess may be anything.
        let first = &self.ahead.logits[..n_vocab];
        finite(first, n_vocab)?;
        self.logits.copy_from_slice(first);
        self.tokens.push(token);
        self.ahead.tokens.extend_from_slice(guesses);
        Ok(&self.logits)
    }

    /// Makes the next guess the session's.
    fn take_guess(&mut self, cancel: &Cancel) -> Result<&[f32], SessionError> {
        cancel.check()?;
        let (ahead, n_vocab) = (&mut self.ahead, self.model.config().n_vocab);
        let row = &ahead.logits[(ahead.taken + 1) * n_vocab..][..n_vocab];
        finite(row, n_vocab)?;
        self.logits.copy_from_slice(row);
        self.tokens.push(ahead.tokens[ahead.taken]);
        ahead.taken += 1;
        Ok(&self.logits)
    }
}
