//! What would come of tokens, without holding them.

use super::{Session, SessionError};
use crate::{cancel::Cancel, tokenizer::TokenId};

impl Session {
    /// Calls `each(i, logits)` with the logits that would follow `tokens[i]`, for every `i`, if the session
    /// held them. It does not change: neither its tokens nor its logits.
    ///
    /// # Errors
    /// As [`prefill`](Self::prefill).
    pub fn peek(
        &mut self,
        tokens: &[TokenId],
        cancel: &Cancel,
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        let mut done = 0;
        self.compute(tokens, cancel, |pass| {
            pass.each_logits(0, |i, row| each(done + i, row))?;
            done += pass.n;
            Ok(())
        })
    }

    /// Calls `each(i, state)` with the hidden state of `tokens[i]`, for every `i`, if the session held them:
    /// `n_embd` numbers, those after the last norm, from which logits are computed. It does not change.
    ///
    /// # Errors
    /// As [`prefill`](Self::prefill), but for [`SessionError::NotFinite`].
    pub fn peek_hidden(
        &mut self,
        tokens: &[TokenId],
        cancel: &Cancel,
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        let mut done = 0;
        let n_embd = self.model.config().n_embd;
        self.compute(tokens, cancel, |pass| {
            let rows = pass.hidden().chunks_exact(n_embd);
            rows.enumerate().for_each(|(i, row)| each(done + i, row));
            done += pass.n;
            Ok(())
        })
    }
}
