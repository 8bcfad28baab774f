//! Text to token ids and back, from the vocabulary in the GGUF alone.

/// The number of a token in a model's vocabulary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub u32);
