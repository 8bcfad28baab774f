//! Stop strings in a stream: not a character of one is ever shown.
//!
//! Text goes in piece by piece and comes out as soon as it cannot be the beginning of a stop
//! string. The stop that *completes* first ends the text, so that no further token need be
//! computed; of two that complete at the same character, the one that began first. How the text
//! was cut into pieces makes no difference.

/// What [`StopStrings::push`] lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed<'a> {
    /// Text that is safe to show.
    pub text: &'a str,
    /// Which stop string, by its index, ended the text.
    pub stop: Option<usize>,
}

/// Watches a stream for any of several strings.
#[derive(Clone, Debug, Default)]
pub struct StopStrings {
    stops: Vec<String>,
    /// Bytes at the front that the last call gave out and this one forgets, then the text held
    /// back: a proper beginning of some stop string.
    buffer: String,
    given: usize,
    stopped: Option<usize>,
}

impl StopStrings {
    /// Watches for `stops`; an empty string never stops anything.
    #[must_use]
    pub fn new(stops: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            stops: stops.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Takes the next piece of the stream and gives out what can be shown. Once a stop string is
    /// complete, everything from its first character on is gone, and so is all later text.
    pub fn push(&mut self, piece: &str) -> Passed<'_> {
        self.buffer.drain(..self.given);
        self.given = 0;
        if self.stopped.is_none() {
            self.buffer.push_str(piece);
            if let Some((start, stop)) = self.first_complete() {
                self.stopped = Some(stop);
                self.buffer.truncate(start);
                self.given = start;
            } else {
                self.given = self.hold_from();
            }
        }
        Passed {
            text: &self.buffer[..self.given],
            stop: self.stopped,
        }
    }

    /// The stream has ended: gives out what was held back, and is ready for another stream.
    pub fn finish(&mut self) -> String {
        let mut rest = std::mem::take(&mut self.buffer);
        rest.drain(..self.given);
        self.given = 0;
        self.stopped = None;
        rest
    }

    /// Start and index of the stop string that completes first.
    fn first_complete(&self) -> Option<(usize, usize)> {
        let stops = self
            .stops
            .iter()
            .enumerate()
            .filter(|(_, stop)| !stop.is_empty());
        let found = stops.filter_map(|(i, stop)| {
            let start = self.buffer.find(stop.as_str())?;
            Some((start + stop.len(), start, i))
        });
        found.min().map(|(_, start, i)| (start, i))
    }

    /// Where the longest suffix that could begin a stop string starts.
    fn hold_from(&self) -> usize {
        let longest = self.stops.iter().map(String::len).max().unwrap_or(0);
        let from = self.buffer.len().saturating_sub(longest.saturating_sub(1));
        let suffixes = self.buffer.char_indices().skip_while(|(at, _)| *at < from);
        suffixes
            .map(|(at, _)| at)
            .find(|&at| {
                self.stops
                    .iter()
                    .any(|stop| stop.starts_with(&self.buffer[at..]))
            })
            .unwrap_or(self.buffer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: the shortest beginning of the text that ends in a stop string, cut before
    /// the longest such stop string.
    fn oracle(text: &str, stops: &[&str]) -> (String, Option<usize>) {
        for end in (0..=text.len()).filter(|&at| text.is_char_boundary(at)) {
            let seen = &text[..end];
            let hits =
                (0..stops.len()).filter(|&i| !stops[i].is_empty() && seen.ends_with(stops[i]));
            let longest = hits.min_by_key(|&i| (usize::MAX - stops[i].len(), i));
            if let Some(i) = longest {
                return (seen[..end - stops[i].len()].to_owned(), Some(i));
            }
        }
        (text.to_owned(), None)
    }

    /// Feeds the pieces; checks that each piece shown is all that may be shown by then.
    fn stream(pieces: &[&str], stops: &[&str]) -> (String, Option<usize>) {
        let mut watch = StopStrings::new(stops.iter().copied());
        let (mut out, mut stop, mut fed) = (String::new(), None, String::new());
        for piece in pieces {
            let passed = watch.push(piece);
            out.push_str(passed.text);
            stop = passed.stop;
            fed.push_str(piece);
            if stop.is_none() {
                let held = &fed[out.len()..];
                assert!(fed.starts_with(&out));
                assert!(
                    held.is_empty() || stops.iter().any(|s| s.starts_with(held)),
                    "over-held"
                );
                let could_begin = |s: &str| {
                    (1..s.len())
                        .any(|n| out.as_bytes().ends_with(&s.as_bytes()[..n]) && held.is_empty())
                };
                assert!(!stops.iter().any(|s| could_begin(s)), "leaked a beginning");
            }
        }
        out.push_str(&watch.finish());
        (out, stop)
    }

    /// All 2^(chars − 1) ways to cut `text` between its characters.
    fn splittings(text: &str) -> impl Iterator<Item = Vec<&str>> {
        let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
        (0..1u32 << cuts.len()).map(move |mask| {
            let mut pieces = Vec::new();
            let mut from = 0;
            for (i, &cut) in cuts.iter().enumerate() {
                if mask >> i & 1 == 1 {
                    pieces.push(&text[from..cut]);
                    from = cut;
                }
            }
            pieces.push(&text[from..]);
            pieces
        })
    }

    #[test]
    fn every_splitting_agrees_with_the_definition() {
        let texts = [
            "abcabd",
            "aaab",
            "xabab!aba",
            "é€é€x",
            "<|im_<|im",
            "no stop",
            "",
        ];
        let stop_sets: [&[&str]; 8] = [
            &["abd"],
            &["aab", "b"],
            &["abcabe", "bc"],
            &["aba", "ab!", "bab"],
            &["€x", "é€é"],
            &["<|im_end|>", "im_"],
            &["", "stop", " st"],
            &[],
        ];
        for text in texts {
            for stops in stop_sets {
                let wanted = oracle(text, stops);
                for pieces in splittings(text) {
                    assert_eq!(stream(&pieces, stops), wanted, "{pieces:?} {stops:?}");
                }
            }
        }
    }

    #[test]
    fn held_text_comes_out_when_the_match_breaks_or_the_stream_ends() {
        let mut watch = StopStrings::new(["</s>"]);
        assert_eq!(watch.push("a </").text, "a ");
        assert_eq!(watch.push("b <").text, "</b ");
        assert_eq!(watch.finish(), "<");
        assert_eq!(
            watch.push("</s> gone"),
            Passed {
                text: "",
                stop: Some(0)
            }
        );
        assert_eq!(
            watch.push("gone too"),
            Passed {
                text: "",
                stop: Some(0)
            }
        );
        assert_eq!(watch.finish(), "");
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config {
            // The same cases in every run.
            rng_seed: proptest::test_runner::RngSeed::Fixed(1),
            failure_persistence: None,
            ..Default::default()
        })]

        #[test]
        fn random_streams_agree_with_the_definition(
            pieces in proptest::collection::vec("[abé]{0,4}", 0..12),
            stops in proptest::collection::vec("[abé]{0,5}", 0..4),
        ) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
            let wanted = oracle(&pieces.concat(), &stops);
            proptest::prop_assert_eq!(stream(&pieces, &stops), wanted);
        }
    }
}
