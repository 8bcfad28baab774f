//! The paper's forward pass with a window: keys and values are kept as they were projected, and each key stands
//! at the place that it has in the window now.

use std::ops::Range;

use puna_core::tokenizer::TokenId;

use super::{Paper, add, dot, silu, softmax};

/// A model that sees a window of the tokens so far.
#[derive(Debug)]
pub struct Window<'p> {
    paper: &'p Paper,
    layers: Vec<Rows>,
    len: usize,
}

/// What one layer keeps, a row a token.
#[derive(Clone, Debug, Default)]
struct Rows {
    keys: Vec<Vec<f64>>,
    /// The same, rotated by the place.
    placed: Vec<Vec<f64>>,
    values: Vec<Vec<f64>>,
}

impl<'p> Window<'p> {
    /// An empty window.
    #[must_use]
    pub fn new(paper: &'p Paper) -> Self {
        Self {
            layers: vec![Rows::default(); paper.shape.n_layer],
            paper,
            len: 0,
        }
    }

    /// Tokens in the window.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes `tokens` out of the window.
    pub fn forget(&mut self, tokens: Range<usize>) {
        self.len -= tokens.len();
        for rows in &mut self.layers {
            rows.keys.drain(tokens.clone());
            rows.values.drain(tokens.clone());
            let keys = rows.keys.iter().enumerate();
            rows.placed = keys.map(|(i, key)| self.paper.placed(key, i)).collect();
        }
    }

    /// The logits after one more token.
    pub fn push(&mut self, token: TokenId) -> Vec<f64> {
        let (paper, n_embd) = (self.paper, self.paper.shape.n_embd);
        let mut x = paper.get("token_embd.weight")[token.0 as usize * n_embd..][..n_embd].to_vec();
        for (layer, rows) in self.layers.iter_mut().enumerate() {
            let name = |part: &str| format!("blk.{layer}.{part}");
            let h = paper.norm(&name("attn_norm.weight"), &x);
            let key = paper.linear(&name("attn_k"), &h);
            rows.placed.push(paper.placed(&key, self.len));
            rows.keys.push(key);
            rows.values.push(paper.linear(&name("attn_v"), &h));
            let query = paper.placed(&paper.linear(&name("attn_q"), &h), self.len);
            let mixed = paper.gather(&query, rows);
            add(&mut x, &paper.linear(&name("attn_output"), &mixed));
            let h = paper.norm(&name("ffn_norm.weight"), &x);
            let gate = paper.linear(&name("ffn_gate"), &h);
            let up = paper.linear(&name("ffn_up"), &h);
            let product: Vec<f64> = gate.iter().zip(up).map(|(g, u)| silu(*g) * u).collect();
            add(&mut x, &paper.linear(&name("ffn_down"), &product));
        }
        self.len += 1;
        paper.linear("output", &paper.norm("output_norm.weight", &x))
    }
}

impl Paper {
    /// `heads` rotated for the place `pos`.
    fn placed(&self, heads: &[f64], pos: usize) -> Vec<f64> {
        let mut heads = heads.to_vec();
        heads
            .chunks_mut(self.shape.head_dim)
            .for_each(|head| self.rotate(head, pos));
        heads
    }

    /// What every head of `query` takes from the values.
    fn gather(&self, query: &[f64], rows: &Rows) -> Vec<f64> {
        let hd = self.shape.head_dim;
        let group = self.shape.n_head / self.shape.n_head_kv;
        let heads = query.chunks(hd).enumerate();
        let gathered = heads.flat_map(|(head, query)| {
            let shared = head / group * hd..(head / group + 1) * hd;
            let keys = rows.placed.iter().map(|key| &key[shared.clone()]);
            let scores = keys.map(|key| dot(query, key) / (hd as f64).sqrt());
            let attention = softmax(scores.collect());
            let mut out = vec![0.0; hd];
            for (a, value) in attention.iter().zip(&rows.values) {
                let value = &value[shared.clone()];
                out.iter_mut().zip(value).for_each(|(o, v)| *o += a * v);
            }
            out
        });
        gathered.collect()
    }
}
