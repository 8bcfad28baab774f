//! Top-k: one pass over the vocabulary, no full sort of it.

use super::candidates::{Candidate, Candidates};

/// Fills `candidates` with the `k` likeliest of `logits`, sorted by rank; `k` = 0, or all of the
/// vocabulary, keeps every token that is not banned, by id.
pub(super) fn collect(candidates: &mut Candidates, logits: &[f32], k: u32) {
    let k = k as usize;
    if k == 0 || k >= logits.len() {
        return candidates.collect(logits);
    }
    let list = &mut candidates.list;
    list.clear();
    // Gather whatever beats the floor; when the buffer is full, halve it and raise the floor to
    // its k-th. A later token that only equals the floor has a higher id, and loses.
    let room = 2 * k + 64;
    let mut floor = f32::NEG_INFINITY;
    for (id, &logit) in logits.iter().enumerate() {
        if logit > floor {
            list.push(Candidate::new(id, logit));
            if list.len() == room {
                let (_, kth, _) = list.select_nth_unstable_by(k - 1, Candidate::by_rank);
                floor = kth.logit;
                list.truncate(k);
            }
        }
    }
    candidates.sorted = false;
    candidates.sort();
    candidates.list.truncate(k);
}
