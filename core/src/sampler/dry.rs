//! DRY, "don't repeat yourself": the longer a repetition that a token would extend, the dearer it
//! gets. The method is p-e-w's, as used by llama.cpp and KoboldCpp.

use super::SamplerParams;
use super::penalties::to_logit;
use crate::tokenizer::TokenId;
use std::collections::{HashMap, HashSet, VecDeque};

/// Longest breaker that [`dry_breakers`] looks for, in bytes.
const MAX_BREAKER_BYTES: usize = 40;
/// Most tokens of a breaker after its first.
const MAX_BREAKER_TAIL: usize = 20;

/// The stage's breakers and buffers.
#[derive(Clone, Debug, Default)]
pub(super) struct Dry {
    /// First token of a breaker → the tokens after it, for each breaker that starts so.
    breakers: HashMap<TokenId, Vec<Vec<TokenId>>>,
    /// The window, newest first.
    newest_first: Vec<TokenId>,
    /// At `k`: how many tokens before the `k`-th newest equal the newest ones.
    overlap: Vec<u32>,
}

impl Dry {
    pub fn new(breakers: &[Vec<TokenId>]) -> Self {
        let mut by_head: HashMap<_, Vec<Vec<_>>> = HashMap::new();
        for breaker in breakers {
            if let Some((&head, tail)) = breaker.split_first() {
                by_head.entry(head).or_default().push(tail.to_vec());
            }
        }
        Self {
            breakers: by_head,
            ..Self::default()
        }
    }

    /// Penalises what would continue a repetition.
    ///
    /// `longest`: `(n_vocab)`, all 0 before and after.
    pub fn apply(
        &mut self,
        logits: &mut [f32],
        history: &VecDeque<TokenId>,
        longest: &mut [u32],
        params: &SamplerParams,
    ) {
        if !params.dry_active() {
            return;
        }
        let allowed = params.dry_allowed_length;
        self.newest_first.clear();
        let window = history
            .iter()
            .rev()
            .take(params.dry_penalty_last_n as usize);
        self.newest_first.extend(window);
        let limit = self.tokens_since_breaker() as u32;
        if self.newest_first.len() <= allowed as usize || limit < allowed {
            return;
        }
        z_array(&self.newest_first, &mut self.overlap);

        // The token after the k-th newest would extend the repetition that ends there. Lengths
        // are stored plus one: 0 means not seen.
        let repeats = |k: usize| self.overlap[k].min(limit);
        let ends = (1..self.newest_first.len()).filter(|&k| repeats(k) >= allowed);
        for k in ends.clone() {
            let next = self.newest_first[k - 1];
            if let Some(len) = longest.get_mut(next.0 as usize) {
                *len = (*len).max(repeats(k) + 1);
            }
        }
        for k in ends {
            let next = self.newest_first[k - 1];
            let len = longest.get_mut(next.0 as usize).map_or(0, std::mem::take);
            if len == 0 || self.is_breaker(next) {
                continue;
            }
            let growth = libm::pow(f64::from(params.dry_base), f64::from(len - 1 - allowed));
            let penalty = (f64::from(params.dry_multiplier) * growth).min(f64::from(f32::MAX));
            let logit = &mut logits[next.0 as usize];
            *logit = to_logit(f64::from(*logit) - penalty);
        }
    }

    /// Tokens after the newest breaker of the window; all of them without one.
    fn tokens_since_breaker(&self) -> usize {
        let newest_first = &self.newest_first;
        let longest_tail = |at: usize| {
            let tails = self.breakers.get(&newest_first[at])?.iter();
            let here = tails.filter(|tail| {
                let after = newest_first[..at].iter().rev();
                tail.len() <= at && tail.iter().eq(after.take(tail.len()))
            });
            here.map(Vec::len).max()
        };
        (0..newest_first.len())
            .find_map(|at| longest_tail(at).map(|tail| at - tail))
            .unwrap_or(newest_first.len())
    }

    /// Whether `token` breaks by itself: such a token is never penalised.
    fn is_breaker(&self, token: TokenId) -> bool {
        self.breakers
            .get(&token)
            .is_some_and(|tails| tails.iter().any(Vec::is_empty))
    }
}

/// Z-algorithm (Gusfield 1997): `z[k]` = length of the longest common prefix of `s` and `s[k..]`,
/// in linear time.
fn z_array(s: &[TokenId], z: &mut Vec<u32>) {
    z.clear();
    z.resize(s.len(), 0);
    // s[start..end] is the match found so far that reaches furthest.
    let (mut start, mut end) = (0, 0);
    for k in 1..s.len() {
        let mut n = if k < end {
            (z[k - start] as usize).min(end - k)
        } else {
            0
        };
        while k + n < s.len() && s[n] == s[k + n] {
            n += 1;
        }
        z[k] = n as u32;
        if k + n > end {
            (start, end) = (k, k + n);
        }
    }
}

/// The token sequences in which each of `strings` may appear in a text.
///
/// A string can begin inside a token, so every token of the vocabulary is looked at: one that
/// contains the string is a breaker by itself; one whose end is the string's beginning is a breaker
/// when the tokens of the rest follow.
///
/// `vocabulary`: the text of every token; `tokenize`: text to ids, without special tokens.
pub fn dry_breakers<'a>(
    vocabulary: impl Iterator<Item = (TokenId, &'a [u8])>,
    strings: &[&str],
    mut tokenize: impl FnMut(&str) -> Vec<TokenId>,
) -> Vec<Vec<TokenId>> {
    let mut breakers = HashSet::new();
    let strings: Vec<&str> = strings
        .iter()
        .map(|s| &s[..s.floor_char_boundary(MAX_BREAKER_BYTES)])
        .filter(|s| !s.is_empty())
        .collect();
    let mut tails: HashMap<&str, Vec<TokenId>> = HashMap::new();
    for (id, text) in vocabulary {
        for string in &strings {
            let bytes = string.as_bytes();
            if text.windows(bytes.len()).any(|part| part == bytes) {
                breakers.insert(vec![id]);
                continue;
            }
            for split in (1..bytes.len()).filter(|&at| string.is_char_boundary(at)) {
                if text.ends_with(&bytes[..split]) {
                    let rest = &string[split..];
                    let tail = tails.entry(rest).or_insert_with(|| {
                        let mut tail = tokenize(rest);
                        tail.truncate(MAX_BREAKER_TAIL);
                        tail
                    });
                    breakers.insert([&[id], tail.as_slice()].concat());
                }
            }
        }
    }
    let mut breakers: Vec<_> = breakers.into_iter().collect();
    breakers.sort_unstable();
    breakers
}
