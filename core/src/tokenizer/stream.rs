//! Ids to text, token by token.

use std::sync::Arc;

use super::TokenId;
use super::vocab::{Attr, Vocab};

/// Text out of tokens as they come.
///
/// Only whole characters are handed out: the bytes of an emoji that is spread over several tokens
/// are held back until the last one arrives. Bytes that can no longer become a character turn into
/// U+FFFD, as in [`String::from_utf8_lossy`].
#[derive(Clone, Debug)]
pub struct DetokenizeStream {
    vocab: Arc<Vocab>,
    show_special: bool,
    /// The next text begins with a space that belongs to the vocabulary, not to the text.
    drop_space: bool,
    /// The beginning of a character: at most three bytes between calls.
    held: Vec<u8>,
    /// What the last call handed out.
    text: String,
}

impl DetokenizeStream {
    pub(super) fn new(vocab: Arc<Vocab>) -> Self {
        Self {
            show_special: false,
            drop_space: vocab.space_prefix(),
            vocab,
            held: Vec::new(),
            text: String::new(),
        }
    }

    /// The same stream, which shows control tokens by name instead of leaving them out.
    #[must_use]
    pub fn show_special(mut self, show: bool) -> Self {
        self.show_special = show;
        self
    }

    /// The same stream, for text that goes on where other text ended: the space that a SentencePiece
    /// text starts with is kept.
    #[must_use]
    pub fn continuing(mut self) -> Self {
        self.drop_space = false;
        self
    }

    /// Takes a token and hands out the text that is complete with it, which may be empty. A number
    /// that is no token adds nothing.
    pub fn push(&mut self, id: TokenId) -> &str {
        self.text.clear();
        let attr = self.vocab.attr(id.0);
        let hidden = attr.any(Attr::CONTROL.with(Attr::UNKNOWN));
        let special = hidden || attr.any(Attr::USER_DEFINED);
        if !hidden || self.show_special {
            let bytes = self.vocab.bytes(id.0).unwrap_or_default();
            let space = !special && self.drop_space && bytes.first() == Some(&b' ');
            self.held.extend_from_slice(&bytes[usize::from(space)..]);
            self.drop_space &= bytes.is_empty();
        }
        // After a special token the vocabulary starts anew, with its space.
        self.drop_space |= special && self.vocab.space_prefix();
        take_whole_characters(&mut self.held, &mut self.text);
        &self.text
    }

    /// Ends the text: hands out U+FFFD for a character that was never completed. The stream is then
    /// as for a new text.
    pub fn finish(&mut self) -> &str {
        self.text.clear();
        self.text.push_str(&String::from_utf8_lossy(&self.held));
        self.held.clear();
        self.drop_space = self.vocab.space_prefix();
        &self.text
    }
}

/// Moves text from `bytes` to `text` until only the beginning of a character is left.
fn take_whole_characters(bytes: &mut Vec<u8>, text: &mut String) {
    let mut rest = bytes.as_slice();
    loop {
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                rest = &[];
                break;
            }
            Err(error) => {
                let (valid, after) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(valid));
                rest = after;
                let Some(wrong) = error.error_len() else {
                    break;
                };
                text.push(char::REPLACEMENT_CHARACTER);
                rest = &rest[wrong..];
            }
        }
    }
    let done = bytes.len() - rest.len();
    bytes.drain(..done);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_held_until_they_are_a_character() {
        let all = "a🦀\u{e9}"
            .bytes()
            .chain([0xF0, 0x9F, b'x', 0xFF, 0xE2, 0x82]);
        let (mut held, mut text) = (Vec::new(), String::new());
        for byte in all {
            held.push(byte);
            take_whole_characters(&mut held, &mut text);
            assert!(held.len() <= 3);
        }
        assert_eq!(text, "a🦀é\u{FFFD}x\u{FFFD}");
        assert_eq!(held, [0xE2, 0x82]);
    }
}
