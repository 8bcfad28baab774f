//! Tokens go through the model, batch by batch.

use super::{Session, SessionError};
use crate::{cancel::Cancel, model::forward::Forward, tokenizer::TokenId};

impl Session {
    /// Appends `tokens`, computing them in batches; the logits are then those after the last.
    ///
    /// # Errors
    /// [`SessionError::ContextFull`], [`SessionError::UnknownToken`], [`SessionError::Empty`],
    /// [`SessionError::NotFinite`] or [`SessionError::Cancelled`]; the session then holds the tokens
    /// that it held before.
    pub fn prefill(&mut self, tokens: &[TokenId], cancel: &Cancel) -> Result<(), SessionError> {
        self.append(tokens, cancel, |_| Ok(()))
    }

    /// Appends one token; the logits are then those after it.
    ///
    /// # Errors
    /// As [`prefill`](Self::prefill).
    pub fn decode(&mut self, token: TokenId, cancel: &Cancel) -> Result<&[f32], SessionError> {
        self.prefill(&[token], cancel)?;
        Ok(&self.logits)
    }

    /// Appends `tokens` and calls `each(i, logits)` with the logits after `tokens[i]`, for every `i`
    /// from `first` on.
    ///
    /// # Errors
    /// As [`prefill`](Self::prefill).
    pub fn score(
        &mut self,
        tokens: &[TokenId],
        first: usize,
        cancel: &Cancel,
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        let mut done = 0;
        let mut rows = Vec::new();
        let n_vocab = self.model.config().n_vocab;
        self.append(tokens, cancel, |pass| {
            for start in (first.saturating_sub(done)..pass.n).step_by(SCORE_ROWS) {
                let n = SCORE_ROWS.min(pass.n - start);
                rows.resize(n * n_vocab, 0.0);
                pass.logits(start, &mut rows)?;
                for (i, row) in rows.chunks_exact(n_vocab).enumerate() {
                    each(done + start + i, row);
                }
            }
            done += pass.n;
            Ok(())
        })
    }

    /// Computes `tokens` in batches; `outputs` is called after each.
    fn append(
        &mut self,
        tokens: &[TokenId],
        cancel: &Cancel,
        mut outputs: impl FnMut(&mut Batch<'_>) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let (used, n_ctx) = (self.tokens.len(), self.kv.n_ctx());
        if tokens.is_empty() {
            return Err(SessionError::Empty);
        }
        if tokens.len() > n_ctx - used {
            return Err(SessionError::ContextFull {
                wanted: tokens.len(),
                used,
                n_ctx,
            });
        }
        let n_vocab = self.model.config().n_vocab;
        if let Some(token) = tokens.iter().find(|t| t.0 as usize >= n_vocab) {
            return Err(SessionError::UnknownToken {
                token: token.0,
                n_vocab,
            });
        }
        let n_batch = self.scratch.n_batch();
        let _visit = self.pool.visit();
        // One token after the other is alike; prompts are not.
        let _step = (tokens.len() == 1).then(|| self.pool.step());
        let mut pos = used;
        for batch in tokens.chunks(n_batch) {
            let mut pass = Batch {
                forward: Forward {
                    gguf: self.model.gguf(),
                    config: self.model.config(),
                    weights: self.model.weights(),
                    read_ahead: self.model.read_ahead(),
                    kernels: self.model.kernels(),
                    pool: &self.pool,
                    kv: &mut self.kv,
                    scratch: &mut self.scratch,
                    cancel,
                    engine: self.engine.as_ref(),
                    exact: self.exact,
                },
                n: batch.len(),
            };
            pass.forward.layers(batch, pos)?;
            pos += batch.len();
            outputs(&mut pass)?;
            if pos == used + tokens.len() {
                pass.logits(pass.n - 1, &mut self.next_logits)?;
            }
        }
        std::mem::swap(&mut self.logits, &mut self.next_logits);
        self.tokens.extend_from_slice(tokens);
        Ok(())
    }
}

/// Tokens whose logits [`Session::score`] computes together.
const SCORE_ROWS: usize = 16;

/// One batch that has gone through the layers.
struct Batch<'a> {
    forward: Forward<'a>,
    n: usize,
}

impl Batch<'_> {
    /// The logits after the tokens `first ..`, as many as fit `out`.
    fn logits(&mut self, first: usize, out: &mut [f32]) -> Result<(), SessionError> {
        self.forward.logits(first, out)?;
        match out.iter().position(|l| !l.is_finite()) {
            Some(i) => Err(SessionError::NotFinite {
                index: i % self.forward.config.n_vocab,
            }),
            None => Ok(()),
        }
    }
}
