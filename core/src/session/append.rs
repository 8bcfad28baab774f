//! Tokens go through the model, batch by batch.

use super::{Session, SessionError, no_buffers};
use crate::{
    cancel::{Cancel, Watch},
    kv_cache::NoRoom,
    model::{forward::Forward, scratch::Scratch},
    tokenizer::TokenId,
};

impl Session {
    /// Appends `tokens`, computing them in batches; the logits are then those after the last.
    ///
    /// # Errors
    /// [`SessionError::ContextFull`], [`SessionError::UnknownToken`], [`SessionError::Empty`],
    /// [`SessionError::NotFinite`], [`SessionError::File`], [`SessionError::Cancelled`] or
    /// [`SessionError::DeadlineExceeded`]; the session then holds the tokens that it held before.
    pub fn prefill(&mut self, tokens: &[TokenId], cancel: &Cancel) -> Result<(), SessionError> {
        self.append(tokens, cancel, |_| Ok(()))
    }

    /// Appends one token; the logits are then those after it.
    ///
    /// # Errors
    /// As [`prefill`](Self::prefill).
    pub fn decode(&mut self, token: TokenId, cancel: &Cancel) -> Result<&[f32], SessionError> {
        self.decode_ahead(token, &[], cancel)
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
        self.append(tokens, cancel, |pass| {
            let skipped = first.saturating_sub(done);
            pass.each_logits(skipped, |i, row| each(done + i, row))?;
            done += pass.n;
            Ok(())
        })
    }

    /// Appends `tokens`; `outputs` is called after each batch.
    fn append(
        &mut self,
        tokens: &[TokenId],
        cancel: &Cancel,
        mut outputs: impl FnMut(&mut Batch<'_>) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let mut logits = std::mem::take(&mut self.next_logits);
        logits.resize(self.model.config().n_vocab, 0.0);
        let computed = self.compute(tokens, cancel, |pass| {
            outputs(pass)?;
            if pass.last {
                pass.logits(pass.n - 1, &mut logits)?;
            }
            Ok(())
        });
        self.next_logits = logits;
        computed?;
        std::mem::swap(&mut self.logits, &mut self.next_logits);
        self.tokens.extend_from_slice(tokens);
        Ok(())
    }

    /// Computes `tokens` in batches behind those that the session holds, which do not change; `outputs`
    /// is called after each batch.
    pub(super) fn compute(
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
        let watch = Watch::new(cancel);
        self.kv.check(used, &watch)?;
        // Whole pages of a saved session are read where they lie.
        self.kv.check_files(used).map_err(SessionError::File)?;
        // Their places in the cache are about to be written.
        self.ahead.clear();
        self.kv
            .make_room(used..used + tokens.len())
            .map_err(|NoRoom { bytes }| SessionError::NoMemory { bytes })?;
        let n_batch = self.sizes.n_batch;
        let _visit = self.pool.visit();
        // One token after the other is alike; prompts are not.
        let _step = (tokens.len() == 1).then(|| self.pool.step());
        let (c, sizes) = (self.model.config(), &self.sizes);
        let scratch = match &mut self.scratch {
            Some(scratch) => scratch,
            none => none.insert(Scratch::new(c, sizes).ok_or_else(|| no_buffers(c, sizes))?),
        };
        let mut pos = used;
        for batch in tokens.chunks(n_batch) {
            // Whoever reads a page behind the new end of a file that was cut is ended by the system.
            self.model.gguf().check().map_err(SessionError::File)?;
            let mut pass = Batch {
                forward: Forward {
                    gguf: self.model.gguf(),
                    config: self.model.config(),
                    weights: self.model.weights(),
                    read_ahead: self.model.read_ahead(),
                    kernels: self.model.kernels(),
                    pool: &self.pool,
                    kv: &mut self.kv,
                    scratch: &mut *scratch,
                    watch: &watch,
                    engine: self.engine.as_ref(),
                    exact: self.exact,
                },
                n: batch.len(),
                last: pos + batch.len() == used + tokens.len(),
            };
            pass.forward.layers(batch, pos)?;
            pos += batch.len();
            outputs(&mut pass)?;
        }
        Ok(())
    }
}

/// Tokens whose logits are computed together where all are wanted.
const LOGIT_ROWS: usize = 16;

/// One batch that has gone through the layers.
pub(super) struct Batch<'a> {
    forward: Forward<'a>,
    /// Its tokens.
    pub n: usize,
    /// No other follows.
    pub last: bool,
}

impl Batch<'_> {
    /// The logits after the tokens `first ..`, as many as fit `out`.
    pub fn logits(&mut self, first: usize, out: &mut [f32]) -> Result<(), SessionError> {
        self.any_logits(first, out)?;
        finite(out, self.forward.config.n_vocab)
    }

    /// Calls `each(i, logits)` with the logits after the `i`-th token of the batch, for every `i` from `first`
    /// on.
    pub fn each_logits(
        &mut self,
        first: usize,
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        let (mut rows, n_vocab) = (Vec::new(), self.forward.config.n_vocab);
        for start in (first..self.n).step_by(LOGIT_ROWS) {
            rows.resize(LOGIT_ROWS.min(self.n - start) * n_vocab, 0.0);
            self.logits(start, &mut rows)?;
            let rows = rows.chunks_exact(n_vocab).enumerate();
            rows.for_each(|(i, row)| each(start + i, row));
        }
        Ok(())
    }

    /// The hidden states of its tokens, `(n, n_embd)`: what logits are computed from.
    pub fn hidden(&mut self) -> &[f32] {
        self.forward.hidden(0, self.n)
    }

    /// As [`logits`](Self::logits), finite or not.
    pub fn any_logits(&mut self, first: usize, out: &mut [f32]) -> Result<(), SessionError> {
        Ok(self.forward.logits(first, out)?)
    }
}

/// Refuses rows of `n_vocab` logits of which one is not finite.
pub(super) fn finite(rows: &[f32], n_vocab: usize) -> Result<(), SessionError> {
    match rows.iter().position(|l| !l.is_finite()) {
        Some(i) => Err(SessionError::NotFinite { index: i % n_vocab }),
        None => Ok(()),
    }
}
