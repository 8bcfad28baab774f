//! Byte-level BPE: the bytes of each word are joined by the file's list of merges, first in the
//! list first.
//!
//! Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units"
//! (2016), over bytes as in GPT-2.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::TokenId;
use super::byte_level;
use super::error::TokenizerError;
use super::pretokenizer::Pretokenizer;
use super::vocab::Vocab;
use crate::gguf::Gguf;

const MERGES: &str = "tokenizer.ggml.merges";
const NONE: u32 = u32::MAX;

/// Two tokens that become one.
#[derive(Debug)]
struct Merge {
    left: u32,
    right: u32,
    joined: u32,
}

/// What the algorithm needs besides the tokens.
#[derive(Debug)]
pub(super) struct Bpe {
    pre: Pretokenizer,
    /// Merges in the order of the file, without those that name no token.
    merges: Vec<Merge>,
    /// Positions in `merges`, by the hash of the two tokens.
    by_pair: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The token of each byte; [`NONE`] if the vocabulary lacks it.
    bytes: Box<[u32; 256]>,
}

/// A byte or what it was joined to, in a list of neighbours.
#[derive(Clone, Copy, Debug)]
struct Symbol {
    /// [`NONE`] for a byte without a token.
    id: u32,
    prev: u32,
    next: u32,
    /// False once it became part of the symbol before it.
    alive: bool,
}

/// Position of a merge in the list (upper half) and of the symbol on its left (lower half): one
/// number, as most of the time of a long word goes into comparing these.
type Candidate = u64;

/// Space that the words of one text share.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    symbols: Vec<Symbol>,
    heap: BinaryHeap<Reverse<Candidate>>,
    spelled: String,
}

impl Bpe {
    /// Reads the merges.
    pub(super) fn from_gguf(
        gguf: &Gguf,
        vocab: &Vocab,
        pre: Pretokenizer,
    ) -> Result<Self, TokenizerError> {
        let lines = gguf.require_strings(MERGES)?;
        let n_merges = lines.len();
        if n_merges >= NONE as usize {
            return Err(TokenizerError::TooLarge {
                key: MERGES,
                unit: "merges",
                had: n_merges,
                max: NONE as usize - 1,
            });
        }
        let byte = |b| {
            let text = byte_level::char_of(b);
            vocab
                .plain_id(text.encode_utf8(&mut [0; 4]))
                .unwrap_or(NONE)
        };
        let mut bpe = Self {
            pre,
            merges: Vec::with_capacity(n_merges),
            by_pair: HashTable::with_capacity(n_merges),
            hasher: DefaultHashBuilder::default(),
            bytes: Box::new(std::array::from_fn(|b| byte(b as u8))),
        };
        let mut joined = String::new();
        for line in lines {
            if let Some(merge) = merge_of(vocab, line, &mut joined) {
                bpe.add(merge);
            }
        }
        let skipped = n_merges - bpe.merges.len();
        if skipped > 0 {
            log::warn!("tokenizer: {skipped} of {n_merges} merges name no token or come twice");
        }
        Ok(bpe)
    }

    fn add(&mut self, merge: Merge) {
        if self.rank(merge.left, merge.right).is_some() {
            return;
        }
        let hash = self.hasher.hash_one((merge.left, merge.right));
        let rank = self.merges.len() as u32;
        self.merges.push(merge);
        self.by_pair.insert_unique(hash, rank, |&rank| {
            let merge = &self.merges[rank as usize];
            self.hasher.hash_one((merge.left, merge.right))
        });
    }

    /// Position of the merge of two tokens.
    fn rank(&self, left: u32, right: u32) -> Option<u32> {
        let hash = self.hasher.hash_one((left, right));
        let same = |&rank: &u32| {
            let merge = &self.merges[rank as usize];
            (merge.left, merge.right) == (left, right)
        };
        self.by_pair.find(hash, same).copied()
    }

    /// Appends the tokens of `text`.
    ///
    /// # Panics
    /// If a word of `text` has 4 GiB or more.
    pub(super) fn encode(&self, vocab: &Vocab, text: &str, out: &mut Vec<TokenId>) {
        let mut scratch = Scratch::default();
        self.pre.split(text, &mut |word| {
            self.encode_word(vocab, word, &mut scratch, out)
        });
    }

    fn encode_word(
        &self,
        vocab: &Vocab,
        word: &str,
        scratch: &mut Scratch,
        out: &mut Vec<TokenId>,
    ) {
        assert!(word.len() < NONE as usize, "word of 4 GiB or more");
        if self.pre.whole_words() {
            scratch.spelled.clear();
            scratch
                .spelled
                .extend(word.bytes().map(byte_level::char_of));
            if let Some(id) = vocab.plain_id(&scratch.spelled) {
                out.push(TokenId(id));
                return;
            }
        }
        self.join(word, scratch);
        // A symbol starts at the byte of its own number.
        let symbols = std::iter::zip(&scratch.symbols, word.bytes());
        for (symbol, byte) in symbols.filter(|(symbol, _)| symbol.alive) {
            // A byte that the vocabulary lacks (one that good UTF-8 rarely has) falls back to its
            // hexadecimal token, or is lost: the unknown token is often one that ends a text.
            let id = match symbol.id {
                NONE => vocab.byte_id(byte),
                id => Some(id),
            };
            out.extend(id.map(TokenId));
        }
    }

    /// Joins the bytes of a word until no merge fits.
    fn join(&self, word: &str, scratch: &mut Scratch) {
        let Scratch { symbols, heap, .. } = scratch;
        symbols.clear();
        symbols.extend(word.bytes().zip(0u32..).map(|(byte, i)| Symbol {
            id: self.bytes[byte as usize],
            prev: i.wrapping_sub(1),
            next: i + 1,
            alive: true,
        }));
        if let Some(last) = symbols.last_mut() {
            last.next = NONE;
        }
        for left in 0..symbols.len() as u32 {
            self.push(symbols, left, heap);
        }
        while let Some(Reverse(candidate)) = heap.pop() {
            let (rank, left) = ((candidate >> 32) as u32, candidate as u32);
            let merge = &self.merges[rank as usize];
            let Symbol {
                id,
                prev,
                next,
                alive,
            } = symbols[left as usize];
            // One of the two may have been joined to another since.
            if !alive
                || next == NONE
                || (id, symbols[next as usize].id) != (merge.left, merge.right)
            {
                continue;
            }
            let after = symbols[next as usize].next;
            symbols[next as usize].alive = false;
            symbols[left as usize].id = merge.joined;
            symbols[left as usize].next = after;
            if after != NONE {
                symbols[after as usize].prev = left;
            }
            self.push(symbols, prev, heap);
            self.push(symbols, left, heap);
        }
    }

    /// Notes the merge of a symbol with the one on its right, if there is one.
    fn push(&self, symbols: &[Symbol], left: u32, heap: &mut BinaryHeap<Reverse<Candidate>>) {
        let Some(symbol) = symbols.get(left as usize) else {
            return;
        };
        let right = symbols.get(symbol.next as usize);
        let rank = right.and_then(|right| self.rank(symbol.id, right.id));
        heap.extend(rank.map(|rank| Reverse(u64::from(rank) << 32 | u64::from(left))));
    }
}

/// The merge that a line like `Ġ t` names; `None` if one of its three tokens does not exist.
fn merge_of(vocab: &Vocab, line: &str, joined: &mut String) -> Option<Merge> {
    // The left token may be a space itself, so the first character separates nothing.
    let first = line.chars().next()?.len_utf8();
    let space = first + line[first..].find(' ')?;
    let (left, right) = (&line[..space], &line[space + 1..]);
    joined.clear();
    joined.push_str(left);
    joined.push_str(right);
    Some(Merge {
        left: vocab.plain_id(left)?,
        right: vocab.plain_id(right)?,
        joined: vocab.plain_id(joined)?,
    })
}
