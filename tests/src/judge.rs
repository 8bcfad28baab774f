//! How far a model's logits may be from the paper's.

use puna_core::{
    cancel::Cancel,
    kv_cache::KvType,
    model::Model,
    session::{Session, SessionOptions},
};

use crate::{compare::kl_divergence, tiny::Tiny};

/// How far logits may be from the paper's.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The largest difference, relative to the largest logit.
    pub difference: f64,
    /// Nats between the distributions of the next token, at any position.
    pub kl: f64,
}

/// Dequantized weights, `f32` throughout: 24 bits, and a few hundred additions.
pub const EXACT: Bound = bound(2e-6, 1e-10);
/// The same with keys and values of 11 bits.
pub const EXACT_F16: Bound = bound(3e-3, 1e-5);
/// Activations of 8 bits: each is off by up to 1/254 of the largest of its block, about 0.5 % of a
/// product of random signs; a dozen products follow each other.
pub const INT8: Bound = bound(0.05, 4e-3);
/// The same with keys, values and queries of 8 bits.
pub const INT8_Q8_0: Bound = bound(0.1, 1e-2);
/// The same with keys and values of 4 bits: a Hadamard matrix has made the numbers of a head alike, the largest
/// some 2.5 times their root mean square, so each is off by up to a sixth of that, and 9 % in the mean. Where all
/// of attention rests on two near positions of random weights, that can move much of it: the worst position of any
/// type of weights is off by 0.34 and 0.75 nats.
pub const INT8_Q4_0: Bound = bound(0.5, 1.0);

const fn bound(difference: f64, kl: f64) -> Bound {
    Bound { difference, kl }
}

/// 512 tokens on two threads.
#[must_use]
pub fn options(kv: KvType, exact: bool) -> SessionOptions {
    SessionOptions {
        n_ctx: Some(512),
        kv,
        n_threads: Some(2),
        exact,
        ..SessionOptions::default()
    }
}

/// Logits after each of the model's first `n` tokens.
///
/// # Panics
/// If they cannot be computed.
#[must_use]
pub fn every_logit(
    model: &Model,
    tiny: &Tiny,
    n: usize,
    options: &SessionOptions,
) -> Vec<Vec<f32>> {
    let mut session = Session::new(model, options).unwrap();
    let mut rows = Vec::new();
    let take = |_, row: &[f32]| rows.push(row.to_vec());
    session
        .score(&tiny.tokens(n), 0, &Cancel::new(), take)
        .unwrap();
    assert_eq!(rows.len(), n);
    rows
}

/// How far `got` is from `want`.
#[must_use]
pub fn distance(want: &[Vec<f64>], got: &[Vec<f32>]) -> Bound {
    let (mut difference, mut largest, mut kl) = (0.0f64, 0.0f64, 0.0f64);
    for (want, got) in want.iter().zip(got) {
        for (w, g) in want.iter().zip(got) {
            largest = largest.max(w.abs());
            difference = difference.max((w - f64::from(*g)).abs());
        }
        let want: Vec<f32> = want.iter().map(|&w| w as f32).collect();
        kl = kl.max(kl_divergence(&want, got));
    }
    bound(difference / largest, kl)
}
