//! SentencePiece's BPE: characters are joined, best score first, as long as the result is a token.
//!
//! Kudo and Richardson, "SentencePiece: A simple and language independent subword tokenizer and
//! detokenizer for Neural Text Processing" (2018); what is no token falls back to its bytes.

use std::collections::BinaryHeap;

use super::TokenId;
use super::error::TokenizerError;
use super::vocab::{Attr, Vocab, per_token};
use crate::gguf::{Gguf, GgufError};

const SCORES: &str = "tokenizer.ggml.scores";
const NONE: u32 = u32::MAX;

/// What the algorithm needs besides the tokens.
#[derive(Debug)]
pub(super) struct Spm {
    /// One score for each token, as numbers in the order of the scores.
    scores: Vec<u32>,
    /// The token of each byte.
    bytes: Box<[Option<u32>; 256]>,
    /// Stands for a character that has neither a token nor bytes.
    unk: Option<u32>,
    /// No token has a space after another character, so the words of a text do not touch each other.
    words_apart: bool,
}

/// A run of characters that is one token, or one character that is none.
#[derive(Clone, Copy)]
struct Symbol {
    start: u32,
    /// Bytes; 0 once it became part of the symbol before it.
    len: u32,
    prev: u32,
    next: u32,
    /// [`NONE`] for a character that is no token.
    id: u32,
}

/// Two neighbours that make a token. Ordered by their first field.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    /// Score (upper half) and position from the right of the left neighbour (lower half): one
    /// number, as most of the time of a long text goes into comparing these.
    key: u64,
    /// Bytes of both; a pair whose symbols have changed since has others.
    len: u32,
    id: u32,
}

/// Space that the words of one text share.
#[derive(Default)]
struct Scratch {
    symbols: Vec<Symbol>,
    pairs: BinaryHeap<Pair>,
}

impl Spm {
    /// Reads the scores and finds the bytes.
    pub(super) fn from_gguf(
        gguf: &Gguf,
        vocab: &Vocab,
        unk: Option<TokenId>,
    ) -> Result<Self, TokenizerError> {
        let missing = || GgufError::Missing {
            key: SCORES.to_owned(),
        };
        let scores = gguf.f32s(SCORES)?.ok_or_else(missing)?;
        let scores = per_token(SCORES, scores, vocab.len())?;
        let byte = |b: u8| {
            let one = char::from(b);
            let plain = || {
                vocab
                    .plain_id(one.encode_utf8(&mut [0; 4]))
                    .filter(|_| b.is_ascii())
            };
            vocab.byte_id(b).or_else(plain)
        };
        // A control token must not come out of plain text, so it cannot stand for the unknown.
        let unk = unk.filter(|unk| !vocab.attr(unk.0).any(Attr::CONTROL));
        Ok(Self {
            scores: scores.into_iter().map(ordered).collect(),
            bytes: Box::new(std::array::from_fn(|b| byte(b as u8))),
            unk: unk.map(|unk| unk.0),
            words_apart: (0..vocab.len() as u32)
                .filter(|&id| vocab.is_plain(id))
                .filter_map(|id| vocab.text(id))
                .all(|token| word_len(token) == token.len()),
        })
    }

    /// Appends the tokens of `text`, in which `▁` stands for each space.
    ///
    /// # Panics
    /// If `text` has 4 GiB or more.
    pub(super) fn encode(&self, vocab: &Vocab, text: &str, out: &mut Vec<TokenId>) {
        assert!(text.len() < NONE as usize, "text of 4 GiB or more");
        let mut scratch = Scratch::default();
        let mut rest = text;
        while !rest.is_empty() {
            let len = if self.words_apart {
                word_len(rest)
            } else {
                rest.len()
            };
            let (word, after) = rest.split_at(len);
            self.encode_word(vocab, word, &mut scratch, out);
            rest = after;
        }
    }

    fn encode_word(
        &self,
        vocab: &Vocab,
        text: &str,
        scratch: &mut Scratch,
        out: &mut Vec<TokenId>,
    ) {
        let Scratch { symbols, pairs } = scratch;
        list(vocab, text, symbols);
        for right in 1..symbols.len() as u32 {
            pairs.extend(self.pair(vocab, text, symbols, right - 1, right));
        }
        while let Some(pair) = pairs.pop() {
            let left = !(pair.key as u32);
            let Symbol {
                len, prev, next, ..
            } = symbols[left as usize];
            if len == 0 || next == NONE || len + symbols[next as usize].len != pair.len {
                continue;
            }
            let after = symbols[next as usize].next;
            symbols[next as usize].len = 0;
            let joined = &mut symbols[left as usize];
            (joined.len, joined.next, joined.id) = (pair.len, after, pair.id);
            if after != NONE {
                symbols[after as usize].prev = left;
            }
            pairs.extend(self.pair(vocab, text, symbols, prev, left));
            pairs.extend(self.pair(vocab, text, symbols, left, after));
        }
        for symbol in symbols.iter().filter(|symbol| symbol.len > 0) {
            match symbol.id {
                NONE => self.fall_back(span(text, symbol), out),
                id => out.push(TokenId(id)),
            }
        }
    }

    /// The token that two neighbours make, if they make one.
    fn pair(
        &self,
        vocab: &Vocab,
        text: &str,
        symbols: &[Symbol],
        left: u32,
        right: u32,
    ) -> Option<Pair> {
        let (l, r) = (symbols.get(left as usize)?, symbols.get(right as usize)?);
        let len = l.len + r.len;
        let id = vocab.plain_id(span(text, &Symbol { len, ..*l }))?;
        Some(Pair {
            key: u64::from(self.scores[id as usize]) << 32 | u64::from(!left),
            len,
            id,
        })
    }

    /// A character that is no token: its bytes, or the unknown token.
    fn fall_back(&self, text: &str, out: &mut Vec<TokenId>) {
        let bytes = text.bytes().map(|b| self.bytes[b as usize].map(TokenId));
        if bytes.clone().all(|id| id.is_some()) {
            out.extend(bytes.flatten());
        } else {
            out.extend(self.unk.map(TokenId));
        }
    }
}

/// Makes `symbols` the characters of `text`.
fn list(vocab: &Vocab, text: &str, symbols: &mut Vec<Symbol>) {
    symbols.clear();
    for (start, c) in text.char_indices() {
        let i = symbols.len() as u32;
        let id = vocab.plain_id(&text[start..start + c.len_utf8()]);
        symbols.push(Symbol {
            start: start as u32,
            len: c.len_utf8() as u32,
            prev: i.wrapping_sub(1),
            next: i + 1,
            id: id.unwrap_or(NONE),
        });
    }
    if let Some(last) = symbols.last_mut() {
        last.next = NONE;
    }
}

/// Bytes of the first word of `text`: spaces, and what follows up to the next space.
fn word_len(text: &str) -> usize {
    let word = text.trim_start_matches('▁');
    text.len() - word.len() + word.find('▁').unwrap_or(word.len())
}

fn span<'t>(text: &'t str, symbol: &Symbol) -> &'t str {
    &text[symbol.start as usize..][..symbol.len as usize]
}

/// A number that sorts as the score does; NaN comes last.
fn ordered(score: f32) -> u32 {
    if score.is_nan() {
        return 0;
    }
    // Adding 0 makes −0 and 0 the same.
    let bits = (score + 0.0).to_bits();
    if bits >> 31 == 0 {
        bits | 1 << 31
    } else {
        !bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_keep_their_order_as_numbers() {
        let scores = [
            f32::NAN,
            f32::NEG_INFINITY,
            -3.5,
            -1e-30,
            0.0,
            1e-30,
            2.0,
            f32::INFINITY,
        ];
        assert!(scores.map(ordered).is_sorted_by(|a, b| a < b));
        assert_eq!(ordered(-0.0), ordered(0.0));
    }
}
