//! What a saved session keeps of its sampler.

use super::SamplerError;
use crate::tokenizer::TokenId;

/// A sampler's memory, as plain data: see [`Sampler::state`](super::Sampler::state).
#[derive(Clone, Debug, PartialEq)]
pub struct SamplerState {
    /// The generator's state word.
    pub rng: u64,
    /// Mirostat's surprise limit, in bits; unused without mirostat.
    pub mu: f64,
    /// The accepted tokens that may still matter, oldest first.
    pub history: Vec<TokenId>,
}

impl SamplerState {
    /// Refuses what no sampler over `n_vocab` tokens can have saved.
    pub(super) fn validate(&self, n_vocab: usize) -> Result<(), SamplerError> {
        if !self.mu.is_finite() {
            return Err(SamplerError::OutOfRange {
                what: "mu",
                wanted: "finite",
                had: self.mu,
            });
        }
        match self.history.iter().find(|t| t.0 as usize >= n_vocab) {
            Some(&token) => Err(SamplerError::TokenOutOfRange {
                what: "history",
                token,
                n_vocab,
            }),
            None => Ok(()),
        }
    }
}
