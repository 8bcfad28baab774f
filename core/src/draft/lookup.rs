//! Guesses from the text itself: what followed the last time that the newest tokens stood there.
//!
//! Saxena 2023 ("prompt lookup decoding"). The index is that of LZ77 compressors: for each pair of
//! neighbouring tokens the place where it stood last, and from each place the one before.

use std::collections::HashMap;

use crate::tokenizer::TokenId;

/// Earlier places that are compared for one guess.
const MAX_PLACES: usize = 32;
/// Tokens by which they are compared.
const MAX_MATCH: usize = 16;
/// The shortest match that anything is guessed from.
const MIN_MATCH: usize = 2;

/// A text and where its pairs of tokens stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Lookup {
    tokens: Vec<TokenId>,
    /// For each pair the place after its last appearance that something follows.
    last: HashMap<[TokenId; MIN_MATCH], u32>,
    /// For each place the one before after the same pair.
    before: Vec<Option<u32>>,
}

impl Lookup {
    /// Goes on with the text. The pair that it now ends with is found from the next token on.
    pub fn push(&mut self, token: TokenId) {
        let place = self.tokens.len();
        let before = self.pair().and_then(|pair| {
            let place = u32::try_from(place).ok()?;
            self.last.insert(pair, place)
        });
        self.before.push(before);
        self.tokens.push(token);
    }

    /// The pair at the end.
    fn pair(&self) -> Option<[TokenId; MIN_MATCH]> {
        self.tokens.last_chunk().copied()
    }

    /// The longest match of the end of the text with an earlier part of it, the latest of equals: how many
    /// tokens match, and the place after them.
    pub fn find(&self) -> Option<(usize, usize)> {
        let places = std::iter::successors(self.last.get(&self.pair()?).copied(), |&place| {
            self.before[place as usize]
        });
        let matched = places.take(MAX_PLACES).map(|place| {
            let place = place as usize;
            (self.match_len(place), place)
        });
        matched.max()
    }

    /// Tokens before `place` that are those at the end.
    fn match_len(&self, place: usize) -> usize {
        let earlier = self.tokens[..place].iter().rev();
        let latest = self.tokens.iter().rev();
        let same = earlier.zip(latest).take(MAX_MATCH);
        same.take_while(|(a, b)| a == b).count()
    }

    /// What followed at `place`, `n` tokens; a text that repeats itself up to its end goes on doing so.
    pub fn follow(&self, place: usize, n: usize, guesses: &mut Vec<TokenId>) {
        let period = self.tokens[place..].iter().cycle();
        guesses.extend(period.take(n));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ids: &[u32]) -> Lookup {
        let mut lookup = Lookup::default();
        ids.iter().for_each(|&id| lookup.push(TokenId(id)));
        lookup
    }

    /// The definition: every earlier place, compared.
    fn definition(ids: &[u32]) -> Option<(usize, usize)> {
        let len = |place: usize| {
            let most = place.min(MAX_MATCH);
            (0..most)
                .take_while(|i| ids[place - 1 - i] == ids[ids.len() - 1 - i])
                .count()
        };
        let places = (MIN_MATCH..ids.len()).map(|place| (len(place), place));
        let mut latest: Vec<_> = places.filter(|(len, _)| *len >= MIN_MATCH).collect();
        latest.drain(..latest.len().saturating_sub(MAX_PLACES));
        latest.into_iter().max()
    }

    #[test]
    fn the_longest_match_is_found_as_by_comparing_everything() {
        let mut rng = crate::sampler::rng::Pcg32::new(5);
        for n_vocab in [1, 2, 3, 8] {
            let ids: Vec<u32> = (0..300).map(|_| rng.next_u32() % n_vocab).collect();
            for n in 0..ids.len() {
                let ids = &ids[..n];
                assert_eq!(text(ids).find(), definition(ids), "{ids:?}");
            }
        }
    }

    #[test]
    fn what_followed_is_guessed_and_a_repetition_goes_on() {
        let guesses = |ids: &[u32], n| {
            let lookup = text(ids);
            let (_, place) = lookup.find()?;
            let mut guesses = Vec::new();
            lookup.follow(place, n, &mut guesses);
            Some(guesses.iter().map(|t| t.0).collect::<Vec<_>>())
        };
        assert_eq!(guesses(&[1, 2, 3, 4, 9, 1, 2], 3), Some(vec![3, 4, 9]));
        assert_eq!(guesses(&[7, 5, 6, 5, 6], 5), Some(vec![5, 6, 5, 6, 5]));
        assert_eq!(guesses(&[1, 2, 3, 2], 5), None);
    }
}
