//! Room in a full context, without computing anything again.

use super::{Session, SessionError};
use crate::{cancel::Cancel, kv_cache::NoRoom, model::rope};

impl Session {
    /// Forgets the `drop` tokens after the first `keep`, and moves those behind them to the positions that
    /// become free. The logits stay.
    ///
    /// Nothing is computed again: each key that moves is rotated back by the angle of `drop` positions, where it
    /// lies, and rounded to the cache's type once more; values stay as they are. What later tokens had taken
    /// from the dropped ones stays in them, so the numbers are not those of a session that never held the
    /// dropped tokens.
    ///
    /// # Errors
    /// [`SessionError::Shift`] if the session holds fewer tokens, [`SessionError::NoMemory`] when pages that
    /// another session holds too cannot be copied, and [`SessionError::Damaged`]; the session is then as it was.
    pub fn shift(&mut self, keep: usize, drop: usize) -> Result<(), SessionError> {
        let used = self.tokens.len();
        let after = keep.checked_add(drop).filter(|&after| after <= used);
        let after = after.ok_or(SessionError::Shift { keep, drop, used })?;
        if drop == 0 {
            return Ok(());
        }
        self.check_rows(&Cancel::new())?;
        let (c, kernels) = (self.model.config(), self.model.kernels());
        let mut cos = vec![0.0; c.rope_dim / 2];
        let mut sin = cos.clone();
        let freqs = self.model.weights().rope_freqs.as_deref();
        rope::angles(c, freqs, drop, &mut cos, &mut sin);
        sin.iter_mut().for_each(|sin| *sin = -*sin);
        let (_visit, mixed) = (self.pool.visit(), self.kv.ty().is_mixed());
        self.kv
            .shift(after..used, drop, c.head_dim, &self.pool, |key| {
                // Keys that are mixed are mixed after they are rotated; a Hadamard matrix is its own inverse.
                if mixed {
                    kernels.hadamard(key);
                }
                kernels.rope(key, &cos, &sin);
                if mixed {
                    kernels.hadamard(key);
                }
            })
            .map_err(|NoRoom { bytes }| SessionError::NoMemory { bytes })?;
        self.ahead.clear();
        self.tokens.drain(keep..after);
        Ok(())
    }

    /// How many tokens are to be dropped after the first `keep` so that `free` are free, or more where the
    /// context is fuller than that; at least one of those after `keep` stays. `None` if none can be dropped.
    pub(crate) fn n_to_drop(&self, keep: usize, free: usize) -> Option<usize> {
        let free_now = self.n_ctx() - self.tokens.len();
        let most = self.tokens.len().checked_sub(keep + 1)?;
        let drop = free.saturating_sub(free_now).max(1).min(most);
        (drop > 0).then_some(drop)
    }
}
