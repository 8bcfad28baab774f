//! The forward pass as the papers write it, in `f64`, position by position, without a cache.
//!
//! Touvron et al. 2023 (the architecture), Zhang and Sennrich 2019 (RMSNorm), Su et al. 2021 (RoPE),
//! Ainslie et al. 2023 (grouped queries), Shazeer 2020 (SwiGLU), Vaswani et al. 2017 (attention).
//! Nothing here is shared with the code that it judges.

mod window;

use std::collections::HashMap;

use puna_core::tokenizer::TokenId;

pub use window::Window;

use crate::tiny::{Shape, Tiny};

/// The base of the angles comes from the file's `f32`, as does this.
const EPSILON: f64 = 1e-5f32 as f64;

/// A model in `f64`.
#[derive(Clone, Debug)]
pub struct Paper {
    shape: Shape,
    tensors: HashMap<String, Vec<f64>>,
}

impl Paper {
    /// The model of a tiny one's numbers.
    #[must_use]
    pub fn new(tiny: &Tiny) -> Self {
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect();
        let tensors = tiny.tensors.iter();
        Self {
            shape: tiny.shape.clone(),
            tensors: tensors.map(|t| (t.name.clone(), wide(&t.values))).collect(),
        }
    }

    /// The logits after each of `tokens`.
    #[must_use]
    pub fn logits(&self, tokens: &[TokenId]) -> Vec<Vec<f64>> {
        let output = if self.shape.tied {
            "token_embd"
        } else {
            "output"
        };
        let states = self.hidden(tokens);
        states.iter().map(|h| self.linear(output, h)).collect()
    }

    /// The hidden state of each of `tokens`, after the last norm.
    #[must_use]
    pub fn hidden(&self, tokens: &[TokenId]) -> Vec<Vec<f64>> {
        let n_embd = self.shape.n_embd;
        let embedding =
            |t: &TokenId| self.get("token_embd.weight")[t.0 as usize * n_embd..][..n_embd].to_vec();
        let mut xs: Vec<Vec<f64>> = tokens.iter().map(embedding).collect();
        for layer in 0..self.shape.n_layer {
            let name = |part: &str| format!("blk.{layer}.{part}");
            let normed: Vec<_> = xs
                .iter()
                .map(|x| self.norm(&name("attn_norm.weight"), x))
                .collect();
            let mixed = self.attention(&name, &normed);
            for (x, mixed) in xs.iter_mut().zip(mixed) {
                add(x, &self.linear(&name("attn_output"), &mixed));
                let h = self.norm(&name("ffn_norm.weight"), x);
                let gate = self.linear(&name("ffn_gate"), &h);
                let up = self.linear(&name("ffn_up"), &h);
                let product: Vec<f64> = gate.iter().zip(up).map(|(g, u)| silu(*g) * u).collect();
                add(x, &self.linear(&name("ffn_down"), &product));
            }
        }
        let last = |x: &Vec<f64>| self.norm("output_norm.weight", x);
        xs.iter().map(last).collect()
    }

    /// What the heads gather for each position from those up to it, `(n, n_head * head_dim)`.
    fn attention(&self, name: &impl Fn(&str) -> String, hs: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let Shape {
            n_head,
            n_head_kv,
            head_dim,
            ..
        } = self.shape;
        let rotated = |part: &str| -> Vec<Vec<f64>> {
            let project = |(pos, h): (usize, &Vec<f64>)| {
                let mut heads = self.linear(&name(part), h);
                heads
                    .chunks_mut(head_dim)
                    .for_each(|head| self.rotate(head, pos));
                heads
            };
            hs.iter().enumerate().map(project).collect()
        };
        let (queries, keys) = (rotated("attn_q"), rotated("attn_k"));
        let values: Vec<_> = hs.iter().map(|h| self.linear(&name("attn_v"), h)).collect();
        let at = |position: usize| {
            let mut out = Vec::new();
            for head in 0..n_head {
                let shared = head / (n_head / n_head_kv) * head_dim;
                let query = &queries[position][head * head_dim..][..head_dim];
                let score = |key: &Vec<f64>| {
                    dot(query, &key[shared..shared + head_dim]) / (head_dim as f64).sqrt()
                };
                let attention = softmax(keys[..=position].iter().map(score).collect());
                let gather = |i| {
                    attention
                        .iter()
                        .zip(&values)
                        .map(|(a, v)| a * v[shared + i])
                        .sum::<f64>()
                };
                out.extend((0..head_dim).map(gather));
            }
            out
        };
        (0..hs.len()).map(at).collect()
    }

    /// Turns the pair `(x[2i], x[2i + 1])` by `pos * θ_i`, `θ_i = base^(-2i/d)`.
    fn rotate(&self, head: &mut [f64], pos: usize) {
        let stretch = self
            .shape
            .rope_stretch
            .map_or(1.0, |(_, factor)| f64::from(factor));
        let d = self.shape.rope_dim as f64;
        for i in 0..self.shape.rope_dim / 2 {
            let mut theta = f64::from(self.shape.rope_base).powf(-2.0 * i as f64 / d);
            if self.shape.rope_freqs {
                theta /= self.get("rope_freqs.weight")[i];
            }
            let (sin, cos) = (pos as f64 / stretch * theta).sin_cos();
            let (a, b) = (head[2 * i], head[2 * i + 1]);
            head[2 * i] = a * cos - b * sin;
            head[2 * i + 1] = a * sin + b * cos;
        }
    }

    fn norm(&self, gains: &str, x: &[f64]) -> Vec<f64> {
        let mean = dot(x, x) / x.len() as f64;
        let normed = x.iter().map(|x| x / (mean + EPSILON).sqrt());
        normed.zip(self.get(gains)).map(|(x, g)| x * g).collect()
    }

    /// `W x + b`.
    fn linear(&self, part: &str, x: &[f64]) -> Vec<f64> {
        let rows = self.get(&format!("{part}.weight")).chunks(x.len());
        let mut y: Vec<f64> = rows.map(|row| dot(row, x)).collect();
        if let Some(bias) = self.tensors.get(&format!("{part}.bias")) {
            add(&mut y, bias);
        }
        y
    }

    fn get(&self, name: &str) -> &[f64] {
        &self.tensors[name]
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(x: &mut [f64], y: &[f64]) {
    assert_eq!(x.len(), y.len());
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

fn softmax(x: Vec<f64>) -> Vec<f64> {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exp: Vec<f64> = x.iter().map(|x| (x - max).exp()).collect();
    let sum: f64 = exp.iter().sum();
    exp.into_iter().map(|e| e / sum).collect()
}
