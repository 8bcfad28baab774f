//! The tokens still in the race, in one buffer that lives as long as the sampler.

use crate::tokenizer::TokenId;
use std::cmp::Ordering;

/// A token that may be picked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub id: TokenId,
    /// Never NaN, never +∞.
    pub logit: f32,
    /// Probability among the candidates; set by [`Candidates::softmax`].
    pub p: f64,
}

impl Candidate {
    pub fn new(id: usize, logit: f32) -> Self {
        Self {
            id: TokenId(id as u32),
            logit,
            p: 0.0,
        }
    }

    /// The likeliest first; of equals, the lowest id. A total order, as no logit is NaN.
    pub fn by_rank(&self, other: &Self) -> Ordering {
        let by_logit = other
            .logit
            .partial_cmp(&self.logit)
            .unwrap_or(Ordering::Equal);
        by_logit.then(self.id.cmp(&other.id))
    }
}

/// Candidates by id, or, once sorted, by rank. No other order ever reaches a draw.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    pub list: Vec<Candidate>,
    pub sorted: bool,
}

impl Candidates {
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Starts over with every token that is not banned, by id.
    pub fn collect(&mut self, logits: &[f32]) {
        self.list.clear();
        self.sorted = false;
        let allowed = logits
            .iter()
            .enumerate()
            .filter(|(_, l)| **l > f32::NEG_INFINITY);
        self.list
            .extend(allowed.map(|(id, &logit)| Candidate::new(id, logit)));
    }

    /// Orders by rank.
    pub fn sort(&mut self) {
        if !self.sorted {
            self.list.sort_unstable_by(Candidate::by_rank);
            self.sorted = true;
        }
    }

    /// The largest logit; −∞ when empty.
    pub fn max_logit(&self) -> f32 {
        match (self.sorted, self.list.first()) {
            (true, Some(first)) => first.logit,
            _ => self
                .list
                .iter()
                .fold(f32::NEG_INFINITY, |m, c| m.max(c.logit)),
        }
    }

    /// The candidate of the highest rank; the list must not be empty.
    pub fn best(&self) -> TokenId {
        let mut best = self.list[0];
        for c in &self.list {
            if c.by_rank(&best) == Ordering::Less {
                best = *c;
            }
        }
        best.id
    }

    /// Sets `p` to `exp(logit − max) / Σ` and returns `ln Σ` and the largest logit, so that a
    /// candidate's surprise is `ln Σ − (logit − max)`.
    pub fn softmax(&mut self) -> (f64, f64) {
        let max = f64::from(self.max_logit());
        let mut sum = 0.0;
        for c in &mut self.list {
            c.p = libm::exp(f64::from(c.logit) - max);
            sum += c.p;
        }
        for c in &mut self.list {
            c.p /= sum;
        }
        (libm::log(sum), max)
    }
}
