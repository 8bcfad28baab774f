//! Text to token ids and back, from the vocabulary in the GGUF alone.
//!
//! Two algorithms: `spm` (SentencePiece, Llama 2) joins characters by score, `bpe` (GPT-2,
//! Llama 3 and most others) joins the bytes of words, which a `pretokenizer` cuts, by a list of
//! merges. `special` finds control tokens in text, only where the caller asks for it; `stream`
//! turns ids into text.
//!
//! Where real tokenizers leave room, this one does what llama.cpp does, with one exception: plain
//! text never becomes a control token, not even by merges.

mod bpe;
mod byte_level;
mod deepseek;
mod error;
mod pretokenizer;
mod scanners;
mod special;
mod spm;
mod stream;
mod vocab;

use std::borrow::Cow;
use std::sync::Arc;

pub use error::TokenizerError;
pub use special::Fragment;
pub use stream::DetokenizeStream;

use crate::gguf::Gguf;
use bpe::Bpe;
use error::shown;
use pretokenizer::Pretokenizer;
use special::{Finder, Parse, SpecialIds};
use spm::Spm;
use vocab::{Attr, Spelling, Vocab};

/// The number of a token in a model's vocabulary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub u32);

/// What is to be done besides cutting plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Adds BOS and EOS where the model wants them, see [`Tokenizer::add_bos`].
    pub add_special: bool,
    /// Makes control tokens of their names. Never for text that a user wrote.
    pub parse_special: bool,
}

/// A model's tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    vocab: Arc<Vocab>,
    algorithm: Algorithm,
    finder: Finder,
    ids: SpecialIds,
    add_bos: bool,
    add_eos: bool,
}

#[derive(Debug)]
enum Algorithm {
    Spm(Spm),
    Bpe(Bpe),
}

impl Tokenizer {
    /// Builds the tokenizer that the file describes.
    ///
    /// # Errors
    /// [`TokenizerError`] if the file names a tokenizer or pre-tokenizer that is not supported, or
    /// if its vocabulary is incomplete or contradicts itself.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, TokenizerError> {
        match gguf.require_str("tokenizer.ggml.model")? {
            "llama" => Self::sentence_piece(gguf),
            "gpt2" => Self::byte_level(gguf),
            model => Err(TokenizerError::UnknownModel { had: shown(model) }),
        }
    }

    fn sentence_piece(gguf: &Gguf) -> Result<Self, TokenizerError> {
        let space_prefix = gguf.bool("tokenizer.ggml.add_space_prefix")?;
        let spelling = Spelling::Sentence {
            space_prefix: space_prefix.unwrap_or(true),
        };
        let mut vocab = Vocab::from_gguf(gguf, spelling)?;
        let defaults = SpecialIds {
            bos: Some(TokenId(1)),
            eos: Some(TokenId(2)),
            eot: None,
            unk: Some(TokenId(0)),
        };
        let ids = SpecialIds::read(gguf, &mut vocab, defaults)?;
        let spm = Spm::from_gguf(gguf, &vocab, ids.unk)?;
        Self::new(gguf, vocab, Algorithm::Spm(spm), ids, true)
    }

    fn byte_level(gguf: &Gguf) -> Result<Self, TokenizerError> {
        let pre = Pretokenizer::named(gguf.str("tokenizer.ggml.pre")?)?;
        let mut vocab = Vocab::from_gguf(gguf, Spelling::Bytes)?;
        let ids = SpecialIds::read(gguf, &mut vocab, SpecialIds::default())?;
        let bpe = Bpe::from_gguf(gguf, &vocab, pre)?;
        Self::new(gguf, vocab, Algorithm::Bpe(bpe), ids, pre.add_bos())
    }

    fn new(
        gguf: &Gguf,
        mut vocab: Vocab,
        algorithm: Algorithm,
        ids: SpecialIds,
        add_bos: bool,
    ) -> Result<Self, TokenizerError> {
        special::mark_rstrip(gguf, &mut vocab)?;
        let add_bos = gguf
            .bool("tokenizer.ggml.add_bos_token")?
            .unwrap_or(add_bos);
        let add_eos = gguf.bool("tokenizer.ggml.add_eos_token")?.unwrap_or(false);
        Ok(Self {
            finder: Finder::new(&vocab),
            vocab: Arc::new(vocab),
            algorithm,
            ids,
            add_bos: add_bos && ids.bos.is_some(),
            add_eos: add_eos && ids.eos.is_some(),
        })
    }

    /// The tokens of `text`.
    ///
    /// # Panics
    /// If `text` has 4 GiB or more.
    #[must_use]
    pub fn encode(&self, text: &str, options: EncodeOptions) -> Vec<TokenId> {
        let fragments = if options.parse_special {
            self.partition_special(text)
        } else {
            vec![Fragment::Text(text)]
        };
        self.encode_fragments(fragments, options.add_special)
    }

    /// Cuts `text` at the names of its special tokens, for [`encode_fragments`].
    ///
    /// A longer name goes before a shorter one. Some models (Phi-3) drop the white space after a
    /// special token; then it is in no fragment.
    ///
    /// [`encode_fragments`]: Self::encode_fragments
    #[must_use]
    pub fn partition_special<'t>(&self, text: &'t str) -> Vec<Fragment<'t>> {
        self.finder.partition(&self.vocab, text, Parse::Special)
    }

    /// The tokens of a text of which only some parts may hold special tokens.
    ///
    /// Neighbouring [`Fragment::Text`]s are encoded as one text, so words may reach across the seam.
    /// *User-defined* tokens (text that the vocabulary keeps whole, like runs of spaces) are found in
    /// plain text too, but not across a seam.
    ///
    /// # Panics
    /// If neighbouring texts have 4 GiB or more.
    #[must_use]
    pub fn encode_fragments<'t>(
        &self,
        fragments: impl IntoIterator<Item = Fragment<'t>>,
        add_special: bool,
    ) -> Vec<TokenId> {
        let mut out = Vec::new();
        if add_special && self.add_bos {
            out.extend(self.ids.bos);
        }
        let mut plain: Vec<&str> = Vec::new();
        // SentencePiece starts with a space, and again after each special token.
        let mut at_start = true;
        for fragment in fragments {
            let parts = match fragment {
                Fragment::Special(_) => vec![fragment],
                Fragment::Text(text) => {
                    self.finder.partition(&self.vocab, text, Parse::UserDefined)
                }
            };
            for part in parts {
                match part {
                    Fragment::Text(text) => plain.push(text),
                    Fragment::Special(id) => {
                        self.encode_plain(&mut plain, at_start, &mut out);
                        out.push(id);
                        at_start = true;
                    }
                }
            }
        }
        self.encode_plain(&mut plain, at_start, &mut out);
        if add_special && self.add_eos {
            out.extend(self.ids.eos);
        }
        out
    }

    /// Encodes the texts that `plain` holds as one, and empties it.
    fn encode_plain(&self, plain: &mut Vec<&str>, at_start: bool, out: &mut Vec<TokenId>) {
        let text = match plain.as_slice() {
            [] => return,
            [text] => Cow::Borrowed(*text),
            texts => Cow::Owned(texts.concat()),
        };
        plain.clear();
        match &self.algorithm {
            Algorithm::Bpe(bpe) => bpe.encode(&self.vocab, &text, out),
            Algorithm::Spm(spm) => {
                let prefix = (at_start && self.vocab.space_prefix()).then_some('▁');
                let spaced = text.chars().map(|c| if c == ' ' { '▁' } else { c });
                let spaced: String = prefix.into_iter().chain(spaced).collect();
                spm.encode(&self.vocab, &spaced, out);
            }
        }
    }

    /// The text of `ids`. Only invalid UTF-8 is lost: U+FFFD stands for it.
    ///
    /// Control tokens are left out unless `show_special`.
    #[must_use]
    pub fn detokenize(&self, ids: &[TokenId], show_special: bool) -> String {
        let mut stream = self.stream().show_special(show_special);
        let mut text = String::new();
        for &id in ids {
            text.push_str(stream.push(id));
        }
        text.push_str(stream.finish());
        text
    }

    /// A stream that turns the tokens of one text into characters as they come.
    #[must_use]
    pub fn stream(&self) -> DetokenizeStream {
        DetokenizeStream::new(Arc::clone(&self.vocab))
    }

    /// The bytes that a token stands for, which need not be whole characters; for a special token,
    /// its name. `None` if there is no such token.
    #[must_use]
    pub fn token_bytes(&self, id: TokenId) -> Option<Cow<'_, [u8]>> {
        self.vocab.bytes(id.0)
    }

    /// A token as the vocabulary spells it: `▁the`, `Ġthe`, `<0x0A>`. `None` if there is no such
    /// token.
    #[must_use]
    pub fn token_text(&self, id: TokenId) -> Option<&str> {
        self.vocab.text(id.0)
    }

    /// The token that the vocabulary spells `text`.
    #[must_use]
    pub fn token_to_id(&self, text: &str) -> Option<TokenId> {
        self.vocab.id(text).map(TokenId)
    }

    /// Number of tokens.
    #[must_use]
    pub fn n_vocab(&self) -> usize {
        self.vocab.len()
    }

    /// The token that begins a text.
    #[must_use]
    pub fn bos(&self) -> Option<TokenId> {
        self.ids.bos
    }

    /// The token that ends a text.
    #[must_use]
    pub fn eos(&self) -> Option<TokenId> {
        self.ids.eos
    }

    /// The token that ends a turn.
    #[must_use]
    pub fn eot(&self) -> Option<TokenId> {
        self.ids.eot
    }

    /// The token for what the vocabulary cannot spell.
    #[must_use]
    pub fn unk(&self) -> Option<TokenId> {
        self.ids.unk
    }

    /// Whether [`EncodeOptions::add_special`] puts BOS before a text.
    #[must_use]
    pub fn add_bos(&self) -> bool {
        self.add_bos
    }

    /// Whether [`EncodeOptions::add_special`] puts EOS after a text.
    #[must_use]
    pub fn add_eos(&self) -> bool {
        self.add_eos
    }

    /// Whether a token ends a generation: EOS, end of turn and their like.
    #[must_use]
    pub fn is_eog(&self, id: TokenId) -> bool {
        self.vocab.attr(id.0).any(Attr::EOG)
    }

    /// Whether a token steers the model and is no text.
    #[must_use]
    pub fn is_control(&self, id: TokenId) -> bool {
        self.vocab.attr(id.0).any(Attr::CONTROL)
    }

    /// Names of the control, unknown and user-defined tokens: what a user could write to forge one.
    pub fn special_texts(&self) -> impl Iterator<Item = &str> {
        let tokens = self.finder.tokens().iter();
        tokens.filter_map(|&id| self.vocab.text(id))
    }
}
