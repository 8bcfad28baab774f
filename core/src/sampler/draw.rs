//! The end of the chain: temperature, and the stages that pick.

use super::candidates::Candidates;
use super::params::Mirostat2;
use super::rng::Pcg32;
use crate::tokenizer::TokenId;

/// The token of the largest logit, the lowest id of equals; `None` when all are −∞.
pub(super) fn argmax(logits: &[f32]) -> Option<TokenId> {
    let mut best = f32::NEG_INFINITY;
    let mut at = None;
    for (id, &logit) in logits.iter().enumerate() {
        if logit > best {
            best = logit;
            at = Some(TokenId(id as u32));
        }
    }
    at
}

/// Divides the logits by `t`, after moving their maximum to 0 so that no tiny `t` overflows.
/// `t` is over 0.
pub(super) fn temperature(candidates: &mut Candidates, t: f32) {
    let max = f64::from(candidates.max_logit());
    for c in &mut candidates.list {
        c.logit = ((f64::from(c.logit) - max) / f64::from(t)) as f32;
    }
}

/// Draws a candidate by its probability. The list must not be empty.
pub(super) fn dist(candidates: &mut Candidates, rng: &mut Pcg32) -> TokenId {
    candidates.softmax();
    let at = draw(candidates, rng);
    candidates.list[at].id
}

/// Mirostat 2: drops candidates more surprising than `mu`, draws from the rest, and moves `mu`
/// against the error. The list must not be empty.
pub(super) fn mirostat_2(
    candidates: &mut Candidates,
    Mirostat2 { tau, eta }: Mirostat2,
    mu: &mut f64,
    rng: &mut Pcg32,
) -> TokenId {
    candidates.softmax();
    let best = candidates.best();
    let limit = *mu;
    candidates
        .list
        .retain(|c| c.id == best || -libm::log2(c.p) <= limit);
    candidates.softmax();
    let at = draw(candidates, rng);
    let chosen = candidates.list[at];
    let surprise = -libm::log2(chosen.p);
    *mu -= f64::from(eta) * (surprise - f64::from(tau));
    chosen.id
}

/// The index at which the running sum of `p` passes a uniform draw. Exactly one draw.
fn draw(candidates: &Candidates, rng: &mut Pcg32) -> usize {
    let list = &candidates.list;
    let target = rng.next_f64() * list.iter().map(|c| c.p).sum::<f64>();
    let mut sum = 0.0;
    let passed = list.iter().position(|c| {
        sum += c.p;
        sum > target
    });
    // `next_f64` is under 1 and both sums add in the same order, so some sum passes; a candidate
    // of probability 0 never does.
    passed.unwrap_or(0)
}
