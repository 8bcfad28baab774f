//! How many tokens to guess, so that guessing pays and, where it does not, costs next to nothing.
//!
//! Three things decide: what a pass over several tokens costs beside a pass over one, which is measured as
//! the text is made; how often guesses of this kind were right lately; and a credit, the time that
//! guessing may still lose. The credit starts at half a pass, grows with each pass without guesses by
//! [`ALLOWANCE`] and with what right guesses have saved. So whatever the text, a text of `n` tokens loses at
//! most `0.5 + ALLOWANCE * n` passes: under 3 % from 34 tokens on.

use std::time::Duration;

use crate::session::MAX_GUESSES;

/// The part of the time that guessing may lose in a text where it never helps.
const ALLOWANCE: f64 = 0.015;
/// The credit at the start, in passes over one token.
const FIRST_CREDIT: f64 = 0.5;
/// The most that guesses which saved time may lose again later.
const MOST_CREDIT: f64 = 8.0;
/// What each further token adds to a pass, before it was measured: a part of a pass over one token.
const UNMEASURED: f64 = 0.3;
/// The least that each further token can cost, whatever a busy machine makes of it.
const LEAST: f64 = 0.02;
/// Passes over one token that are measured before anything is guessed: the first may be slow.
const PLAIN_PASSES: usize = 2;
/// How much faster guessing must promise to be.
const WORTH_IT: f64 = 1.05;
/// Guesses that the expectation counts for, in guesses judged.
const EXPECTATION: f64 = 2.0;

/// Where a guess comes from, as far as its chances go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Two tokens match.
    Pair,
    /// Three match.
    Three,
    /// Four to seven match.
    Some,
    /// More match.
    Many,
    /// From a draft model.
    Model,
}

impl Kind {
    /// Of a match of `n` tokens.
    pub const fn of_match(n: usize) -> Self {
        match n {
            0..=2 => Self::Pair,
            3 => Self::Three,
            4..=7 => Self::Some,
            _ => Self::Many,
        }
    }

    /// The chance that such a guess is right, before any was judged.
    const fn expected(self) -> f64 {
        match self {
            Self::Pair => 0.3,
            Self::Three => 0.45,
            Self::Some => 0.65,
            Self::Many => 0.85,
            Self::Model => 0.7,
        }
    }
}

/// Guesses of one kind, the older the fewer.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    right: f64,
    judged: f64,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// Seconds of a pass over so many tokens, with the making of the guesses; 0: not measured.
    seconds: [f64; MAX_GUESSES + 2],
    /// Passes over one token so far.
    plain_passes: usize,
    /// What guessing has saved, and what it was allowed to lose, besides [`FIRST_CREDIT`].
    saved: f64,
    records: [Record; 5],
}

impl Pace {
    /// Guesses that are worth making, of `most` that can be made.
    pub fn guesses(&self, kind: Kind, most: usize) -> usize {
        if self.plain_passes < PLAIN_PASSES {
            return 0;
        }
        let chance = self.chance(kind);
        let may_lose = FIRST_CREDIT + self.saved;
        // Right up to and with the i-th guess: chance^i.
        let mut tokens = 1.0;
        let mut best = (WORTH_IT, 0);
        for n in 1..=most.min(MAX_GUESSES) {
            tokens += chance.powi(n as i32);
            let cost = self.cost(1 + n);
            if cost - 1.0 <= may_lose && tokens / cost > best.0 {
                best = (tokens / cost, n);
            }
        }
        best.1
    }

    /// A pass over `n` tokens took `time`, the making of the guesses included.
    pub fn passed(&mut self, n: usize, time: Duration) {
        let (known, now) = (&mut self.seconds[n], time.as_secs_f64());
        // A pass that was interrupted tells little about the next; a quick one was not.
        *known = match *known {
            0.0 => now,
            known if now < known => 0.5 * (known + now),
            known => 0.9 * known + 0.1 * now.min(2.0 * known),
        };
        if n == 1 {
            self.plain_passes += 1;
            self.saved = (self.saved + ALLOWANCE).min(MOST_CREDIT);
            // What was long ago counts less: some day it is tried again.
            for record in &mut self.records {
                record.right *= 0.98;
                record.judged *= 0.98;
            }
        }
    }

    /// Of `n` guesses the first `right` turned out right.
    pub fn judged(&mut self, kind: Kind, n: usize, right: usize) {
        let record = &mut self.records[kind as usize];
        // The guesses behind a wrong one were never judged.
        let judged = (right + 1).min(n);
        record.right = 0.9 * record.right + right as f64;
        record.judged = 0.9 * record.judged + judged as f64;
        let saved = (1 + right) as f64 - self.cost(1 + n);
        self.saved = (self.saved + saved).min(MOST_CREDIT);
    }

    fn chance(&self, kind: Kind) -> f64 {
        let record = self.records[kind as usize];
        (record.right + EXPECTATION * kind.expected()) / (record.judged + EXPECTATION)
    }

    /// What a pass over `n` tokens costs, in passes over one; where it was not measured, by the nearest that
    /// was.
    fn cost(&self, n: usize) -> f64 {
        let measured = (2..self.seconds.len()).filter(|&m| self.seconds[m] > 0.0);
        let a_token = match measured.min_by_key(|m| m.abs_diff(n)) {
            Some(m) => (self.seconds[m] / self.seconds[1] - 1.0) / (m - 1) as f64,
            None => UNMEASURED,
        };
        1.0 + a_token.max(LEAST) * (n - 1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes `n` tokens, of which guesses are right where `right` says so, on a machine where each further
    /// token of a pass costs `slope`; the time it took, in passes over one token.
    fn make(n: usize, slope: f64, kind: Kind, mut right: impl FnMut(usize) -> bool) -> f64 {
        let mut pace = Pace::default();
        let (mut made, mut time) = (0, 0.0);
        while made < n {
            let guesses = pace.guesses(kind, n - made - 1);
            let cost = 1.0 + slope * guesses as f64;
            time += cost;
            pace.passed(1 + guesses, Duration::from_secs_f64(cost / 100.0));
            made += 1;
            if guesses > 0 {
                let hits = (0..guesses).take_while(|i| right(made + i)).count();
                pace.judged(kind, guesses, hits);
                made += hits;
            }
        }
        time
    }

    #[test]
    fn where_guesses_are_never_right_little_is_lost() {
        for kind in [Kind::Pair, Kind::Some, Kind::Many, Kind::Model] {
            for slope in [0.02, 0.1, 0.3, 0.5, 0.9, 1.5] {
                for n in [50, 128, 1000] {
                    let time = make(n, slope, kind, |_| false);
                    assert!(time <= 1.03 * n as f64, "{kind:?}, {slope}, {n}: {time}");
                }
            }
        }
    }

    #[test]
    fn whatever_the_pattern_little_is_lost() {
        let mut rng = crate::sampler::rng::Pcg32::new(11);
        for period in [2, 3, 10, 40, 150] {
            for slope in [0.05, 0.3, 0.7] {
                let time = make(600, slope, Kind::Many, |at| {
                    (at / period).is_multiple_of(2) && !rng.next_u32().is_multiple_of(3)
                });
                assert!(time <= 1.03 * 600.0, "{period}, {slope}: {time}");
            }
        }
    }

    #[test]
    fn where_guesses_are_right_much_is_gained() {
        // The fastest possible: 16 tokens a pass.
        let time = make(600, 0.05, Kind::Many, |_| true);
        assert!(time < 600.0 / 6.0, "{time}");
        let time = make(600, 0.3, Kind::Many, |at| !at.is_multiple_of(20));
        assert!(time < 600.0 / 1.8, "{time}");
    }

    #[test]
    fn nothing_is_guessed_where_a_pass_over_two_costs_two() {
        let mut pace = Pace::default();
        pace.passed(1, Duration::from_millis(10));
        assert_eq!(pace.guesses(Kind::Many, 8), 0, "too early");
        pace.passed(1, Duration::from_millis(10));
        assert_ne!(pace.guesses(Kind::Many, 8), 0);
        pace.passed(2, Duration::from_millis(20));
        assert_eq!(pace.guesses(Kind::Many, 8), 0);
    }

    #[test]
    fn guessing_starts_again_when_the_text_changes() {
        let half = 1000;
        let late = make(2 * half, 0.2, Kind::Some, |at| at > half);
        assert!(late < 1.7 * half as f64, "{late}");
    }
}
