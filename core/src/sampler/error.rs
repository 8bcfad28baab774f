//! Why no token could be picked.

use crate::tokenizer::TokenId;

/// What the sampler refuses, with what was wanted and what was there.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplerError {
    /// A parameter lies outside its range.
    #[error("sampler: {what} must be {wanted}, not {had}")]
    OutOfRange {
        /// The parameter.
        what: &'static str,
        /// Its range.
        wanted: &'static str,
        /// Its value.
        had: f64,
    },
    /// A token that the vocabulary does not have.
    #[error("sampler: {what} names token {}, the vocabulary has {n_vocab}", token.0)]
    TokenOutOfRange {
        /// Where it was named.
        what: &'static str,
        /// The token.
        token: TokenId,
        /// Size of the vocabulary.
        n_vocab: usize,
    },
    /// Not one logit per token.
    #[error("sampler: wanted {wanted} logits, one per token, had {had}")]
    LogitsLength {
        /// Size of the vocabulary.
        wanted: usize,
        /// Logits given.
        had: usize,
    },
    /// A logit is NaN or +∞: the model's arithmetic went wrong.
    #[error("sampler: the logit of token {index} is not a number or infinite")]
    NotFinite {
        /// The first such token.
        index: usize,
    },
    /// Every logit is −∞: nothing may be picked.
    #[error("sampler: every token is banned")]
    AllBanned,
}
