//! Why a vocabulary was refused.

use crate::gguf::GgufError;

/// Why no tokenizer could be built from a file.
///
/// Names that come from the file are shortened and escaped, so every message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A key is missing or has another type than it must have.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The kind of tokenizer is not one of ours.
    #[error("tokenizer: tokenizer.ggml.model is {had:?}, wanted \"llama\" or \"gpt2\"")]
    UnknownModel {
        /// What the file says.
        had: String,
    },
    /// The pre-tokenizer is not one of ours. Another one would cut the text into other words than
    /// the model was trained on, so none is guessed.
    #[error("tokenizer: pre-tokenizer {name:?} (tokenizer.ggml.pre) is not supported")]
    UnknownPre {
        /// What the file says.
        name: String,
    },
    /// The vocabulary has no token at all.
    #[error("tokenizer: tokenizer.ggml.tokens is empty")]
    NoTokens,
    /// More tokens, merges or bytes of token text than 32-bit numbers can count.
    #[error("tokenizer: {key} holds {had} {unit}, at most {max} allowed")]
    TooLarge {
        /// The metadata key.
        key: &'static str,
        /// What is counted.
        unit: &'static str,
        /// How many there are.
        had: usize,
        /// The most there may be.
        max: usize,
    },
    /// An array that goes with the tokens has fewer elements than there are tokens.
    #[error("tokenizer: {key} has {had} elements, wanted {wanted}, one for each token")]
    TooShort {
        /// The metadata key.
        key: &'static str,
        /// Elements wanted.
        wanted: usize,
        /// Elements there.
        had: usize,
    },
    /// A token of the type *byte* whose text is not `<0x00>` to `<0xFF>`.
    #[error("tokenizer: token {id} is typed as a byte but reads {had:?}, wanted \"<0xNN>\"")]
    ByteToken {
        /// The token.
        id: u32,
        /// Its text.
        had: String,
    },
    /// A special token's number is not in the vocabulary.
    #[error("tokenizer: {key} is {had}, but there are only {n_vocab} tokens")]
    SpecialId {
        /// The metadata key.
        key: &'static str,
        /// What it says.
        had: u32,
        /// Tokens in the vocabulary.
        n_vocab: usize,
    },
}

/// The beginning of a name from the file, short enough for one line.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}
