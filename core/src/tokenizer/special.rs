//! Tokens with a meaning of their own: which they are, and finding their names in text.

use super::TokenId;
use super::error::TokenizerError;
use super::vocab::{Attr, Vocab};
use crate::gguf::Gguf;

/// A part of a text that is to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment<'t> {
    /// This very token.
    Special(TokenId),
    /// Plain text: names of control tokens in it are mere characters.
    Text(&'t str),
}

/// A special token that files name by a key, or leave to be known by its text.
struct Role {
    /// Metadata keys with its number; a later one wins.
    keys: &'static [&'static str],
    /// Names that stand for it when no key does, the best first.
    texts: &'static [&'static str],
    /// Whether it ends a generation.
    ends: bool,
}

/// End of turn, end of message, and what frames *fill in the middle*. The names are those that
/// llama.cpp knows; tokens found by name are control tokens whatever the file says.
const ROLES: [Role; 8] = [
    Role {
        keys: &["tokenizer.ggml.eot_token_id"],
        texts: &[
            "<|eot_id|>",
            "<|im_end|>",
            "<|end|>",
            "<end_of_turn>",
            "<|endoftext|>",
            "<|end_of_text|>",
            "<EOT>",
            "_<EOT>",
            "[EOT]",
            "<｜end▁of▁sentence｜>",
            "<end_of_utterance>",
        ],
        ends: true,
    },
    Role {
        keys: &["tokenizer.ggml.eom_token_id"],
        texts: &["<|eom_id|>"],
        ends: true,
    },
    Role {
        keys: &[
            "tokenizer.ggml.fim_pre_token_id",
            "tokenizer.ggml.prefix_token_id",
        ],
        texts: &[
            "<|fim_prefix|>",
            "<fim-prefix>",
            "<fim_prefix>",
            "<｜fim▁begin｜>",
            "<PRE>",
            "▁<PRE>",
            "<|code_prefix|>",
            "<|prefix|>",
        ],
        ends: false,
    },
    Role {
        keys: &[
            "tokenizer.ggml.fim_suf_token_id",
            "tokenizer.ggml.suffix_token_id",
        ],
        texts: &[
            "<|fim_suffix|>",
            "<fim-suffix>",
            "<fim_suffix>",
            "<｜fim▁hole｜>",
            "<SUF>",
            "▁<SUF>",
            "<|code_suffix|>",
            "<|suffix|>",
        ],
        ends: false,
    },
    Role {
        keys: &[
            "tokenizer.ggml.fim_mid_token_id",
            "tokenizer.ggml.middle_token_id",
        ],
        texts: &[
            "<|fim_middle|>",
            "<fim-middle>",
            "<fim_middle>",
            "<｜fim▁end｜>",
            "<MID>",
            "▁<MID>",
            "<|code_middle|>",
            "<|middle|>",
        ],
        ends: false,
    },
    Role {
        keys: &["tokenizer.ggml.fim_pad_token_id"],
        texts: &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"],
        ends: true,
    },
    Role {
        keys: &["tokenizer.ggml.fim_rep_token_id"],
        texts: &[
            "<|fim_repo|>",
            "<|repo_name|>",
            "<fim-repo>",
            "<REPO>",
            "<reponame>",
        ],
        ends: true,
    },
    Role {
        keys: &["tokenizer.ggml.fim_sep_token_id"],
        texts: &["<|file_sep|>"],
        ends: true,
    },
];

/// Names that end a generation in every vocabulary that has them.
const ENDS: [&str; 16] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<｜end▁of▁sentence｜>",
];

/// Numbers of the special tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SpecialIds {
    pub(super) bos: Option<TokenId>,
    pub(super) eos: Option<TokenId>,
    pub(super) eot: Option<TokenId>,
    pub(super) unk: Option<TokenId>,
}

impl SpecialIds {
    /// Reads the numbers and marks the tokens. `defaults` hold where the file says nothing, as far
    /// as the vocabulary reaches.
    pub(super) fn read(
        gguf: &Gguf,
        vocab: &mut Vocab,
        defaults: Self,
    ) -> Result<Self, TokenizerError> {
        let there = |id: &TokenId| (id.0 as usize) < vocab.len();
        let or = |read: Option<TokenId>, default: Option<TokenId>| read.or(default.filter(there));
        let mut ids = Self {
            bos: or(
                id_of(gguf, vocab, "tokenizer.ggml.bos_token_id")?,
                defaults.bos,
            ),
            eos: or(
                id_of(gguf, vocab, "tokenizer.ggml.eos_token_id")?,
                defaults.eos,
            ),
            unk: or(
                id_of(gguf, vocab, "tokenizer.ggml.unknown_token_id")?,
                defaults.unk,
            ),
            eot: None,
        };
        for (i, role) in ROLES.iter().enumerate() {
            let mut id = None;
            for &key in role.keys {
                id = id_of(gguf, vocab, key)?.or(id);
            }
            if id.is_none() {
                id = role
                    .texts
                    .iter()
                    .find_map(|text| vocab.id(text))
                    .map(TokenId);
                mark(vocab, id, Attr::CONTROL);
            }
            if role.ends {
                mark(vocab, id, Attr::EOG);
            }
            if i == 0 {
                ids.eot = id;
            }
        }
        for text in ENDS {
            let id = vocab.id(text).map(TokenId);
            mark(vocab, id, Attr::CONTROL.with(Attr::EOG));
        }
        mark(vocab, ids.eos, Attr::EOG);
        Ok(ids)
    }
}

fn mark(vocab: &mut Vocab, id: Option<TokenId>, attr: Attr) {
    if let Some(TokenId(id)) = id {
        vocab.set_attr(id, vocab.attr(id).with(attr));
    }
}

/// A special token's number, if the file gives one.
fn id_of(gguf: &Gguf, vocab: &Vocab, key: &'static str) -> Result<Option<TokenId>, TokenizerError> {
    match gguf.u32(key)? {
        Some(had) if had as usize >= vocab.len() => Err(TokenizerError::SpecialId {
            key,
            had,
            n_vocab: vocab.len(),
        }),
        id => Ok(id.map(TokenId)),
    }
}

/// Phi-3 was trained without the white space after its special tokens; GGUF has no field for that,
/// so the model's name tells, as in llama.cpp.
pub(super) fn mark_rstrip(gguf: &Gguf, vocab: &mut Vocab) -> Result<(), TokenizerError> {
    let name = gguf.str("general.name")?.unwrap_or("").to_lowercase();
    if !name.contains("phi-3") && !name.contains("phi3") {
        return Ok(());
    }
    for id in 0..vocab.len() as u32 {
        let keeps = ["<unk>", "<s>", "<|endoftext|>"];
        if vocab.attr(id).any(SPECIAL) && !vocab.text(id).is_some_and(|t| keeps.contains(&t)) {
            vocab.set_attr(id, vocab.attr(id).with(Attr::RSTRIP));
        }
    }
    Ok(())
}

/// Tokens whose names are looked for in template text.
const SPECIAL: Attr = Attr::CONTROL.with(Attr::UNKNOWN).with(Attr::USER_DEFINED);

/// Longer names are never looked for: none exists, and the search time depends on them.
const MAX_NAME: usize = 128;

/// Which names a search is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parse {
    /// Those of all special tokens.
    Special,
    /// Only those that are text to be kept whole, in user text too.
    UserDefined,
}

/// Finds the names of special tokens in text.
#[derive(Debug)]
pub(super) struct Finder {
    /// Special tokens in the order of their texts.
    sorted: Vec<u32>,
    /// First bytes of their texts.
    first: [bool; 256],
    /// Whether any is to be found in user text.
    user_defined: bool,
}

impl Finder {
    pub(super) fn new(vocab: &Vocab) -> Self {
        let mut sorted: Vec<u32> = (0..vocab.len() as u32)
            .filter(|&id| vocab.attr(id).any(SPECIAL))
            .filter(|&id| (1..=MAX_NAME).contains(&name(vocab, id).len()))
            .collect();
        sorted.sort_by_key(|&id| (name(vocab, id), id));
        sorted.dedup_by_key(|id| name(vocab, *id));
        let mut first = [false; 256];
        for &id in &sorted {
            first[name(vocab, id).as_bytes()[0] as usize] = true;
        }
        let user_defined = sorted
            .iter()
            .any(|&id| wanted(vocab, id, Parse::UserDefined));
        Self {
            sorted,
            first,
            user_defined,
        }
    }

    /// The special tokens, in the order of their texts.
    pub(super) fn tokens(&self) -> &[u32] {
        &self.sorted
    }

    /// Cuts `text` at the names that `parse` asks for.
    ///
    /// A longer name goes before a shorter one wherever they are, and the same name from left to
    /// right; a token that strips takes the white space after it along.
    pub(super) fn partition<'t>(
        &self,
        vocab: &Vocab,
        text: &'t str,
        parse: Parse,
    ) -> Vec<Fragment<'t>> {
        let mut fragments = vec![Fragment::Text(text)];
        if text.is_empty() {
            fragments.clear();
        }
        if parse == Parse::UserDefined && !self.user_defined {
            return fragments;
        }
        for id in self.occurring(vocab, text, parse) {
            let mut cut = Vec::with_capacity(fragments.len() + 2);
            for fragment in fragments {
                match fragment {
                    Fragment::Special(_) => cut.push(fragment),
                    Fragment::Text(text) => cut_at(vocab, id, text, &mut cut),
                }
            }
            fragments = cut;
        }
        fragments
    }

    /// Special tokens whose names are somewhere in `text`, the longest first.
    fn occurring(&self, vocab: &Vocab, text: &str, parse: Parse) -> Vec<u32> {
        let text = text.as_bytes();
        let mut seen = vec![false; self.sorted.len()];
        for at in (0..text.len()).filter(|&at| self.first[text[at] as usize]) {
            // Names that begin with the bytes so far; the shortest of them comes first.
            let (mut low, mut high) = (0, self.sorted.len());
            for (depth, &byte) in text[at..].iter().enumerate() {
                if high - low == 1 {
                    seen[low] |= text[at..].starts_with(name(vocab, self.sorted[low]).as_bytes());
                    break;
                }
                let byte_at = |id: u32| name(vocab, id).as_bytes().get(depth).copied();
                let range = &self.sorted[low..high];
                let from = range.partition_point(|&id| byte_at(id) < Some(byte));
                let to = range.partition_point(|&id| byte_at(id) <= Some(byte));
                (low, high) = (low + from, low + to);
                if low == high {
                    break;
                }
                seen[low] |= name(vocab, self.sorted[low]).len() == depth + 1;
            }
        }
        let mut ids: Vec<u32> = std::iter::zip(&self.sorted, seen)
            .filter_map(|(&id, seen)| (seen && wanted(vocab, id, parse)).then_some(id))
            .collect();
        ids.sort_by_key(|&id| (std::cmp::Reverse(name(vocab, id).len()), id));
        ids
    }
}

fn name(vocab: &Vocab, id: u32) -> &str {
    vocab.text(id).unwrap_or("")
}

/// Whether a special token may be made out of its name under `parse`.
fn wanted(vocab: &Vocab, id: u32, parse: Parse) -> bool {
    parse == Parse::Special || !vocab.attr(id).any(Attr::CONTROL.with(Attr::UNKNOWN))
}

/// Appends `text`, cut at each name of one special token.
fn cut_at<'t>(vocab: &Vocab, id: u32, text: &'t str, out: &mut Vec<Fragment<'t>>) {
    let name = name(vocab, id);
    let rstrip = vocab.attr(id).any(Attr::RSTRIP);
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        if at > 0 {
            out.push(Fragment::Text(&rest[..at]));
        }
        out.push(Fragment::Special(TokenId(id)));
        rest = &rest[at + name.len()..];
        if rstrip {
            rest = rest.trim_start_matches(|c| matches!(c, ' ' | '\t'..='\r'));
        }
    }
    if !rest.is_empty() {
        out.push(Fragment::Text(rest));
    }
}
