//! From logits to the next token: the sampling chain, in llama.cpp's order and meaning.
//!
//! ```text
//! logits (n_vocab)
//!   → logit bias → penalties → DRY          penalties.rs, dry.rs    adjust logits, by id
//!   → top-k → typical → top-p → min-p → XTC top_k.rs, filters.rs    drop candidates
//!   → temperature → draw                    draw.rs                 pick one
//! ```
//!
//! [Mirostat 2](Mirostat2) replaces everything but logit bias and temperature.
//!
//! The same parameters, seed and logits give the same tokens on every platform and at every
//! thread count: probabilities are computed in f64 with one portable `exp`/`ln`/`pow`, the
//! generator is our own [PCG32](rng::Pcg32), ties go to the lowest id, and candidates are always in a
//! canonical order when a draw walks them.

mod candidates;
mod draw;
mod dry;
mod error;
mod filters;
mod params;
mod penalties;
pub mod rng;
mod state;
#[cfg(test)]
mod tests;
mod top_k;

pub use dry::dry_breakers;
pub use error::SamplerError;
pub use params::{Mirostat2, SamplerParams};
pub use state::SamplerState;

use crate::tokenizer::TokenId;
use candidates::Candidates;
use dry::Dry;
use rng::Pcg32;
use std::collections::VecDeque;

/// Picks tokens from logits. One per conversation: it remembers the tokens it was told to
/// [`accept`](Self::accept).
#[derive(Clone, Debug)]
pub struct Sampler {
    params: SamplerParams,
    n_vocab: usize,
    dry: Dry,
    rng: Pcg32,
    /// Mirostat's surprise limit, in bits.
    mu: f64,
    /// The newest `params.history_len()` accepted tokens, oldest first.
    history: VecDeque<TokenId>,
    /// Logits after the adjusting stages, `(n_vocab)`.
    adjusted: Vec<f32>,
    /// One zeroed counter per token, for stages that look tokens of the history up.
    counts: Vec<u32>,
    candidates: Candidates,
}

impl Sampler {
    /// A sampler for a vocabulary of `n_vocab` tokens.
    ///
    /// `dry_breakers`: token sequences that DRY does not look past; [`dry_breakers()`] makes them
    /// from strings.
    ///
    /// # Errors
    /// What [`SamplerParams::validate`] refuses.
    pub fn new(
        params: SamplerParams,
        n_vocab: usize,
        dry_breakers: &[Vec<TokenId>],
    ) -> Result<Self, SamplerError> {
        params.validate(n_vocab)?;
        let looks_up = params.penalties_active() || params.dry_active();
        Ok(Self {
            dry: Dry::new(dry_breakers),
            rng: Pcg32::new(params.seed),
            mu: params.initial_mu(),
            history: VecDeque::new(),
            adjusted: Vec::new(),
            counts: if looks_up {
                vec![0; n_vocab]
            } else {
                Vec::new()
            },
            candidates: Candidates::default(),
            n_vocab,
            params,
        })
    }

    /// The parameters it was made with.
    #[must_use]
    pub const fn params(&self) -> &SamplerParams {
        &self.params
    }

    /// Picks the next token from `logits`, `(n_vocab)`. It does not [`accept`](Self::accept) it.
    ///
    /// A logit of −∞ bans its token.
    ///
    /// # Errors
    /// [`SamplerError::LogitsLength`]; [`SamplerError::NotFinite`] for a NaN or +∞;
    /// [`SamplerError::AllBanned`] when every logit is −∞.
    pub fn sample(&mut self, logits: &[f32]) -> Result<TokenId, SamplerError> {
        if logits.len() != self.n_vocab {
            return Err(SamplerError::LogitsLength {
                wanted: self.n_vocab,
                had: logits.len(),
            });
        }
        if let Some(index) = logits
            .iter()
            .position(|l| l.is_nan() || *l == f32::INFINITY)
        {
            return Err(SamplerError::NotFinite { index });
        }
        let params = &self.params;
        let logits = if params.adjusts_logits() {
            self.adjusted.clear();
            self.adjusted.extend_from_slice(logits);
            penalties::logit_bias(&mut self.adjusted, &params.logit_bias);
            if params.mirostat.is_none() {
                penalties::repetition(&mut self.adjusted, &self.history, &mut self.counts, params);
                self.dry
                    .apply(&mut self.adjusted, &self.history, &mut self.counts, params);
            }
            &self.adjusted
        } else {
            logits
        };
        // The most likely token survives top-k, top-p and min-p: greedy needs no candidate list.
        if params.temperature == 0.0 && !params.can_drop_the_best() {
            return draw::argmax(logits).ok_or(SamplerError::AllBanned);
        }

        let candidates = &mut self.candidates;
        if let Some(mirostat) = params.mirostat {
            candidates.collect(logits);
            if candidates.is_empty() {
                return Err(SamplerError::AllBanned);
            }
            draw::temperature(candidates, params.temperature);
            return Ok(draw::mirostat_2(
                candidates,
                mirostat,
                &mut self.mu,
                &mut self.rng,
            ));
        }
        top_k::collect(candidates, logits, params.top_k);
        if candidates.is_empty() {
            return Err(SamplerError::AllBanned);
        }
        filters::typical(candidates, params.typical_p, params.min_keep);
        filters::top_p(candidates, params.top_p, params.min_keep);
        filters::min_p(candidates, params.min_p, params.min_keep);
        filters::xtc(candidates, params, &mut self.rng);
        if params.temperature == 0.0 {
            return Ok(candidates.best());
        }
        draw::temperature(candidates, params.temperature);
        Ok(draw::dist(candidates, &mut self.rng))
    }

    /// Remembers `token` for the stages that look back: every token of the text, prompt included,
    /// in order.
    pub fn accept(&mut self, token: TokenId) {
        let len = self.params.history_len();
        if len == 0 {
            return;
        }
        while self.history.len() >= len {
            self.history.pop_front();
        }
        self.history.push_back(token);
    }

    /// Back to the state just after [`new`](Self::new): no history, the seed's first draw next.
    pub fn reset(&mut self) {
        self.rng = Pcg32::new(self.params.seed);
        self.mu = self.params.initial_mu();
        self.history.clear();
    }

    /// All that changes from token to token, to be saved with a session.
    #[must_use]
    pub fn state(&self) -> SamplerState {
        SamplerState {
            rng: self.rng.state(),
            mu: self.mu,
            history: self.history.iter().copied().collect(),
        }
    }

    /// Continues where `state` was taken, given the same parameters.
    ///
    /// # Errors
    /// [`SamplerError::TokenOutOfRange`] or [`SamplerError::OutOfRange`] when `state` cannot come
    /// from a sampler for this vocabulary; the sampler is then unchanged.
    pub fn restore(&mut self, state: &SamplerState) -> Result<(), SamplerError> {
        state.validate(self.n_vocab)?;
        self.rng = Pcg32::from_state(state.rng);
        self.mu = state.mu;
        self.history.clear();
        for &token in &state.history {
            self.accept(token);
        }
        Ok(())
    }
}
