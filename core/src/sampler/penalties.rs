//! Logit bias and the penalties on tokens seen.

use super::SamplerParams;
use crate::tokenizer::TokenId;
use std::collections::VecDeque;

/// A logit from an f64 that is not NaN: never +∞, so that the stages after can subtract.
pub(super) fn to_logit(x: f64) -> f32 {
    (x as f32).min(f32::MAX)
}

/// Adds each bias to its token's logit. Ids were checked against the vocabulary.
pub(super) fn logit_bias(logits: &mut [f32], bias: &[(TokenId, f32)]) {
    for &(token, bias) in bias {
        let logit = &mut logits[token.0 as usize];
        *logit = to_logit(f64::from(*logit) + f64::from(bias));
    }
}

/// Penalises each token of the last `repeat_last_n`, by how often it is there.
///
/// `counts`: `(n_vocab)`, all 0 before and after.
pub(super) fn repetition(
    logits: &mut [f32],
    history: &VecDeque<TokenId>,
    counts: &mut [u32],
    params: &SamplerParams,
) {
    if !params.penalties_active() {
        return;
    }
    let window = || history.iter().rev().take(params.repeat_last_n as usize);
    for token in window() {
        if let Some(count) = counts.get_mut(token.0 as usize) {
            *count += 1;
        }
    }
    for token in window() {
        let id = token.0 as usize;
        let count = counts.get_mut(id).map_or(0, std::mem::take);
        if count == 0 {
            continue;
        }
        let repeat = f64::from(params.repeat_penalty);
        let logit = f64::from(logits[id]);
        // Dividing a negative logit would reward the token.
        let repeated = if logit <= 0.0 {
            logit * repeat
        } else {
            logit / repeat
        };
        let frequency = f64::from(count) * f64::from(params.frequency_penalty);
        logits[id] = to_logit(repeated - frequency - f64::from(params.presence_penalty));
    }
}
