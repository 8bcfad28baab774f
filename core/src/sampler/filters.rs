//! Typical, top-p, min-p and XTC: stages that drop candidates, and never the last one.

use super::SamplerParams;
use super::candidates::{Candidate, Candidates};
use super::rng::Pcg32;

/// How many candidates top-p sorts at first when it gets the whole vocabulary unsorted; each
/// further try sorts eight times as many.
const FIRST_SORT: usize = 256;

/// Keeps the candidates whose surprise is closest to the entropy, until their mass exceeds `p`.
pub(super) fn typical(candidates: &mut Candidates, p: f32, min_keep: u32) {
    if p >= 1.0 {
        return;
    }
    let (ln_sum, max) = candidates.softmax();
    let surprise = |c: &Candidate| ln_sum - (f64::from(c.logit) - max);
    let entropy: f64 = candidates.list.iter().map(|c| c.p * surprise(c)).sum();
    let distance = |c: &Candidate| (surprise(c) - entropy).abs();
    candidates.list.sort_unstable_by(|a, b| {
        distance(a)
            .total_cmp(&distance(b))
            .then_with(|| a.by_rank(b))
    });
    let mut mass = 0.0;
    let past_p = candidates.list.iter().enumerate().position(|(i, c)| {
        mass += c.p;
        mass > f64::from(p) && i + 1 >= min_keep as usize
    });
    if let Some(last) = past_p {
        candidates.list.truncate(last + 1);
    }
    candidates.sorted = false;
    candidates.sort();
}

/// Keeps the likeliest candidates until their mass reaches `p`.
pub(super) fn top_p(candidates: &mut Candidates, p: f32, min_keep: u32) {
    if p >= 1.0 {
        return;
    }
    candidates.softmax();
    let n = candidates.list.len();
    let mut ranked = if candidates.sorted {
        n
    } else {
        n.min(FIRST_SORT)
    };
    loop {
        if !candidates.sorted {
            if ranked < n {
                candidates
                    .list
                    .select_nth_unstable_by(ranked, Candidate::by_rank);
            }
            candidates.list[..ranked].sort_unstable_by(Candidate::by_rank);
        }
        let mut mass = 0.0;
        let reached = candidates.list[..ranked]
            .iter()
            .enumerate()
            .position(|(i, c)| {
                mass += c.p;
                mass >= f64::from(p) && i + 1 >= min_keep as usize
            });
        if let Some(last) = reached {
            candidates.list.truncate(last + 1);
            break;
        }
        if ranked == n {
            break;
        }
        ranked = n.min(ranked.saturating_mul(8));
    }
    candidates.sorted = true;
}

/// Keeps the candidates at least `p` times as likely as the best.
pub(super) fn min_p(candidates: &mut Candidates, p: f32, min_keep: u32) {
    if p <= 0.0 {
        return;
    }
    let limit = f64::from(candidates.max_logit()) + libm::log(f64::from(p));
    let likely = |c: &Candidate| f64::from(c.logit) >= limit;
    let keep = candidates.list.iter().filter(|c| likely(c)).count();
    if keep >= min_keep as usize {
        candidates.list.retain(likely);
    } else {
        candidates.sort();
        candidates.list.truncate(min_keep as usize);
    }
}

/// With probability `xtc_probability`, drops all but the least likely of the candidates that reach
/// `xtc_threshold`.
pub(super) fn xtc(candidates: &mut Candidates, params: &SamplerParams, rng: &mut Pcg32) {
    if !params.xtc_active() || candidates.list.len() < 2 {
        return;
    }
    if rng.next_f64() >= f64::from(params.xtc_probability) {
        return;
    }
    candidates.sort();
    candidates.softmax();
    let threshold = f64::from(params.xtc_threshold);
    let top_choices = candidates
        .list
        .iter()
        .take_while(|c| c.p >= threshold)
        .count();
    let drop = top_choices.saturating_sub(1);
    if candidates.list.len() - drop >= params.min_keep as usize {
        candidates.list.drain(..drop);
    }
}
