//! The tokens: one text buffer, where each ends, what kind each is, and a table from text to id.

use std::borrow::Cow;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::byte_level;
use super::error::{TokenizerError, shown};
use crate::gguf::Gguf;

const TOKENS: &str = "tokenizer.ggml.tokens";
const TOKEN_TYPE: &str = "tokenizer.ggml.token_type";

/// What a token is: a set of the flags below. An empty set is a token that stands for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attr(u8);

impl Attr {
    /// A piece of ordinary text.
    pub(super) const NORMAL: Self = Self(1);
    /// Stands for text that the vocabulary cannot spell.
    pub(super) const UNKNOWN: Self = Self(1 << 1);
    /// Steers the model and is no text: BOS, EOS, the marks of turns.
    pub(super) const CONTROL: Self = Self(1 << 2);
    /// Text that is always one token, found before anything else is cut.
    pub(super) const USER_DEFINED: Self = Self(1 << 3);
    /// One byte, spelled `<0xNN>`.
    pub(super) const BYTE: Self = Self(1 << 4);
    /// Takes the white space after it along when special tokens are parsed.
    pub(super) const RSTRIP: Self = Self(1 << 5);
    /// Ends a generation.
    pub(super) const EOG: Self = Self(1 << 6);

    /// Flags of GGUF's `token_type`; unused and undefined ones have none.
    fn from_gguf(token_type: i32) -> Self {
        match token_type {
            1 => Self::NORMAL,
            2 => Self::UNKNOWN,
            3 => Self::CONTROL,
            4 => Self::USER_DEFINED,
            6 => Self::BYTE,
            _ => Self(0),
        }
    }

    /// The flags of both.
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the two share a flag.
    pub(super) const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// How the text of ordinary tokens spells bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// SentencePiece: UTF-8 with `▁` for a space.
    Sentence {
        /// A text starts with a space that the vocabulary wants and the user did not write.
        space_prefix: bool,
    },
    /// GPT-2: a character for each byte, see [`byte_level`].
    Bytes,
}

/// All tokens of a model.
#[derive(Debug)]
pub(super) struct Vocab {
    /// The texts of all tokens, end to end.
    text: String,
    /// Where each token's text ends.
    ends: Vec<u32>,
    attrs: Vec<Attr>,
    /// Ids by the hash of their text. Of tokens with the same text only the first is in it.
    by_text: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Bytes of the longest text.
    longest: usize,
    spelling: Spelling,
}

impl Vocab {
    /// Reads the tokens and their types.
    pub(super) fn from_gguf(gguf: &Gguf, spelling: Spelling) -> Result<Self, TokenizerError> {
        let tokens = gguf.require_strings(TOKENS)?;
        let n_vocab = tokens.len();
        if n_vocab == 0 {
            return Err(TokenizerError::NoTokens);
        }
        let too_large = |unit, had, max: u32| TokenizerError::TooLarge {
            key: TOKENS,
            unit,
            had,
            max: max as usize,
        };
        // The last id stays free: tables use u32::MAX for "none".
        if n_vocab >= u32::MAX as usize {
            return Err(too_large("tokens", n_vocab, u32::MAX - 1));
        }
        let attrs = match gguf.i32s(TOKEN_TYPE)? {
            Some(types) => per_token(TOKEN_TYPE, types, n_vocab)?
                .into_iter()
                .map(Attr::from_gguf)
                .collect(),
            None => vec![Attr::NORMAL; n_vocab],
        };

        let bytes = tokens.clone().map(str::len).sum();
        if u32::try_from(bytes).is_err() {
            return Err(too_large("bytes of text", bytes, u32::MAX));
        }
        let mut vocab = Self {
            text: String::with_capacity(bytes),
            ends: Vec::with_capacity(n_vocab),
            attrs,
            by_text: HashTable::with_capacity(n_vocab),
            hasher: DefaultHashBuilder::default(),
            longest: 0,
            spelling,
        };
        for token in tokens {
            vocab.text.push_str(token);
            vocab.ends.push(vocab.text.len() as u32);
            vocab.longest = vocab.longest.max(token.len());
        }
        vocab.index();
        vocab.check_byte_tokens()?;
        Ok(vocab)
    }

    /// Fills the table from text to id.
    fn index(&mut self) {
        let mut table = std::mem::take(&mut self.by_text);
        for id in 0..self.len() as u32 {
            let text = self.str(id);
            let hash = self.hasher.hash_one(text);
            let same = table.find(hash, |&other| self.str(other) == text).is_some();
            if !same && !text.is_empty() {
                table.insert_unique(hash, id, |&other| self.hasher.hash_one(self.str(other)));
            }
        }
        self.by_text = table;
    }

    fn check_byte_tokens(&self) -> Result<(), TokenizerError> {
        let wrong = (0..self.len() as u32)
            .find(|&id| self.attr(id).any(Attr::BYTE) && byte_of_hex(self.str(id)).is_none());
        match wrong {
            Some(id) => Err(TokenizerError::ByteToken {
                id,
                had: shown(self.str(id)),
            }),
            None => Ok(()),
        }
    }

    /// Number of tokens.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Text of a token that exists.
    fn str(&self, id: u32) -> &str {
        let id = id as usize;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.text[start as usize..self.ends[id] as usize]
    }

    /// Text of a token as the vocabulary spells it.
    pub(super) fn text(&self, id: u32) -> Option<&str> {
        ((id as usize) < self.len()).then(|| self.str(id))
    }

    /// Flags of a token; none for a number that is no token.
    pub(super) fn attr(&self, id: u32) -> Attr {
        self.attrs.get(id as usize).copied().unwrap_or_default()
    }

    /// Changes the flags of a token that exists.
    pub(super) fn set_attr(&mut self, id: u32, attr: Attr) {
        self.attrs[id as usize] = attr;
    }

    /// The token with this very text.
    pub(super) fn id(&self, text: &str) -> Option<u32> {
        if text.len() > self.longest {
            return None;
        }
        let hash = self.hasher.hash_one(text);
        self.by_text.find(hash, |&id| self.str(id) == text).copied()
    }

    /// Whether plain text may become this token. It never becomes a control, unknown or byte token,
    /// so that nobody steers the model by typing their names.
    pub(super) fn is_plain(&self, id: u32) -> bool {
        let hidden = Attr::CONTROL.with(Attr::UNKNOWN).with(Attr::BYTE);
        !self.attr(id).any(hidden)
    }

    /// The token that plain text may become and that reads `text`.
    pub(super) fn plain_id(&self, text: &str) -> Option<u32> {
        self.id(text).filter(|&id| self.is_plain(id))
    }

    /// The token `<0xNN>` of a byte.
    pub(super) fn byte_id(&self, byte: u8) -> Option<u32> {
        let id = self.id(&format!("<0x{byte:02X}>"))?;
        Some(id).filter(|&id| !self.attr(id).any(Attr::CONTROL))
    }

    /// Whether texts get a leading space that is not part of them.
    pub(super) fn space_prefix(&self) -> bool {
        self.spelling == Spelling::Sentence { space_prefix: true }
    }

    /// The bytes that a token stands for; for a special one, its name. `None` if there is no such
    /// token.
    pub(super) fn bytes(&self, id: u32) -> Option<Cow<'_, [u8]>> {
        let text = self.text(id)?;
        let attr = self.attr(id);
        let named = Attr::CONTROL.with(Attr::UNKNOWN).with(Attr::USER_DEFINED);
        Some(if attr.any(named) {
            Cow::Borrowed(text.as_bytes())
        } else if attr.any(Attr::NORMAL) {
            self.spelled(text)
        } else if attr.any(Attr::BYTE) {
            Cow::Owned(byte_of_hex(text).into_iter().collect())
        } else {
            Cow::Borrowed(&[])
        })
    }

    /// The bytes that the text of an ordinary token spells.
    fn spelled<'a>(&self, text: &'a str) -> Cow<'a, [u8]> {
        match self.spelling {
            Spelling::Sentence { .. } if text.contains('▁') => {
                Cow::Owned(text.replace('▁', " ").into_bytes())
            }
            Spelling::Bytes if !text.bytes().all(|b| b.is_ascii_graphic()) => {
                let mut bytes = Vec::with_capacity(text.len());
                byte_level::decode(text, &mut bytes);
                Cow::Owned(bytes)
            }
            _ => Cow::Borrowed(text.as_bytes()),
        }
    }
}

/// Fails if an array that goes with the tokens is shorter than they are.
pub(super) fn per_token<T>(
    key: &'static str,
    values: Vec<T>,
    n_vocab: usize,
) -> Result<Vec<T>, TokenizerError> {
    if values.len() < n_vocab {
        return Err(TokenizerError::TooShort {
            key,
            wanted: n_vocab,
            had: values.len(),
        });
    }
    Ok(values)
}

/// The byte of `<0xNN>`.
fn byte_of_hex(text: &str) -> Option<u8> {
    let hex = text.strip_prefix("<0x")?.strip_suffix('>')?;
    let digits = hex.len() == 2 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    digits.then(|| u8::from_str_radix(hex, 16).ok()).flatten()
}
