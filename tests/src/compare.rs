//! How close two rows of logits are.

use puna_core::tokenizer::TokenId;

/// The largest `|a[i] - b[i]|`.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub fn max_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

/// `KL(softmax(want) || softmax(got))` in nats.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub fn kl_divergence(want: &[f32], got: &[f32]) -> f64 {
    assert_eq!(want.len(), got.len());
    let (p, q) = (log_softmax(want), log_softmax(got));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
}

/// Log-probabilities, in `f64`.
#[must_use]
pub fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = logits.iter().map(|l| f64::from(l - max));
    let total = shifted.clone().map(f64::exp).sum::<f64>().ln();
    shifted.map(|l| l - total).collect()
}

/// The token of the highest logit; of equals the first.
///
/// # Panics
/// If there are none.
#[must_use]
pub fn argmax(logits: &[f32]) -> TokenId {
    let first = |best: usize, i: usize| if logits[i] > logits[best] { i } else { best };
    TokenId(
        (0..logits.len())
            .reduce(first)
            .expect("a vocabulary has tokens") as u32,
    )
}
