//! From the rendered text to token ids.

use super::guard::Covers;
use crate::tokenizer::{Fragment, TokenId, Tokenizer};

/// A rendered conversation, which knows which of its characters came from messages.
#[derive(Clone, Debug)]
pub struct Rendered {
    covered: String,
    text: String,
    covers: Covers,
}

impl Rendered {
    pub(super) fn new(covered: String, covers: Covers) -> Self {
        Self {
            text: covers.uncover(&covered),
            covered,
            covers,
        }
    }

    /// The rendered text, to be shown. To encode it, use [`Self::encode`]: here, what a message says and
    /// what the template says can no longer be told apart.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The token ids of the whole: special tokens where the template wrote them, plain text elsewhere.
    ///
    /// It begins with BOS exactly once if the template or the tokenizer wants it, and has no EOS but the
    /// template's.
    #[must_use]
    pub fn encode(&self, tokenizer: &Tokenizer) -> Vec<TokenId> {
        let parts = self.parts(tokenizer);
        let first = parts.first().map(|part| part.token);
        let missing = tokenizer
            .bos()
            .filter(|&bos| tokenizer.add_bos() && first != Some(Some(bos)));
        let fragments = parts.iter().map(Part::fragment);
        missing
            .into_iter()
            .chain(tokenizer.encode_fragments(fragments, false))
            .collect()
    }

    /// The token ids of what follows `already`, the text that a session holds: an earlier rendering and
    /// the answer that the model gave to it. `None` if this text does not begin with that, or if the two
    /// part inside a special token: then the whole is to be encoded, and the ids in common kept.
    #[must_use]
    pub fn encode_after(&self, tokenizer: &Tokenizer, already: &str) -> Option<Vec<TokenId>> {
        if already.is_empty() {
            return Some(self.encode(tokenizer));
        }
        self.text.strip_prefix(already)?;
        let cut = self.covers.position(&self.covered, already.len())?;
        let mut rest = Vec::new();
        let mut continues = false;
        for part in self.parts(tokenizer) {
            if part.end <= cut {
                continue;
            }
            if part.start < cut {
                if part.token.is_some() {
                    return None;
                }
                continues = true;
                rest.push(Part {
                    start: cut,
                    text: self.covers.uncover(&self.covered[cut..part.end]),
                    ..part
                });
            } else {
                rest.push(part);
            }
        }
        let fragments = rest.iter().map(Part::fragment);
        Some(match continues {
            true => encode_continuing(tokenizer, fragments),
            false => tokenizer.encode_fragments(fragments, false),
        })
    }

    /// The covered text, cut at its special tokens; the texts between are uncovered.
    fn parts(&self, tokenizer: &Tokenizer) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut at = 0;
        for fragment in tokenizer.partition_special(&self.covered) {
            let (name, token) = match fragment {
                Fragment::Text(text) => (text, None),
                Fragment::Special(id) => (tokenizer.token_text(id).unwrap_or_default(), Some(id)),
            };
            // White space after some special tokens is in no fragment.
            let skipped = self.covered[at..].find(name).unwrap_or(0);
            let (start, end) = (at + skipped, at + skipped + name.len());
            let text = match token {
                None => self.covers.uncover(name),
                Some(_) => String::new(),
            };
            parts.push(Part {
                start,
                end,
                token,
                text,
            });
            at = end;
        }
        parts
    }
}

/// A special token, or the text between two.
struct Part {
    /// First byte in the covered text.
    start: usize,
    /// Byte after the last in the covered text.
    end: usize,
    token: Option<TokenId>,
    /// The uncovered text, if it is no token.
    text: String,
}

impl Part {
    fn fragment(&self) -> Fragment<'_> {
        match self.token {
            Some(id) => Fragment::Special(id),
            None => Fragment::Text(&self.text),
        }
    }
}

/// Encodes fragments that go on in the middle of a text.
///
/// SentencePiece puts a space before a text, but not here. A line break before it takes that space and
/// merges with nothing, so its ids can be taken off again.
fn encode_continuing<'f>(
    tokenizer: &Tokenizer,
    fragments: impl Iterator<Item = Fragment<'f>> + Clone,
) -> Vec<TokenId> {
    let pivot = [Fragment::Text("\n")];
    let alone = tokenizer.encode_fragments(pivot, false);
    let plain = tokenizer.encode_fragments(fragments.clone(), false);
    if alone.len() < 2 {
        return plain;
    }
    let joined = tokenizer.encode_fragments(pivot.into_iter().chain(fragments), false);
    joined
        .strip_prefix(alone.as_slice())
        .map_or(plain, <[TokenId]>::to_vec)
}
