//! The forward pass of the `llama` architecture (Touvron et al. 2023).
//!
//! ```text
//! x = embedding of each token                             (n, n_embd)
//! for each layer:
//!     q, k, v = W_q h, W_k h, W_v h      h = rms_norm(x)  (n, n_head or n_head_kv, head_dim)
//!     rotate q and k by position, append k and v to the cache
//!     x += W_o attention(q, cache)
//!     x += W_down (silu(W_gate h) * W_up h)    h = rms_norm(x)
//! logits = W_output rms_norm(x)                           (n_vocab)
//! ```

use puna_kernels::Kernels;

use super::{
    Config, Weights,
    attention::Attention,
    linear::Machine,
    read_ahead::ReadAhead,
    rope,
    scratch::{Buffers, Scratch},
    weights::Layer,
};
use crate::{
    cancel::{Stopped, Watch},
    ggml,
    gguf::Gguf,
    kv_cache::KvCache,
    pool::Pool,
    tokenizer::TokenId,
};

/// One pass: the model, the machine that runs it, and the buffers it runs in.
pub(crate) struct Forward<'a> {
    pub gguf: &'a Gguf,
    pub config: &'a Config,
    pub weights: &'a Weights,
    pub read_ahead: &'a ReadAhead,
    pub kernels: &'a Kernels,
    pub pool: &'a Pool,
    pub kv: &'a mut KvCache,
    pub scratch: &'a mut Scratch,
    pub watch: &'a Watch<'a>,
    /// Multiplies matrices instead of our kernels.
    pub engine: Option<&'a ggml::Engine>,
    /// Dequantized weights and `f32` activations instead of integer products.
    pub exact: bool,
}

impl Forward<'_> {
    /// Runs `tokens` at positions `pos ..` through every layer, filling the cache and leaving the
    /// residual stream in the scratch.
    ///
    /// The caller has checked that the batch fits, that `pos + tokens.len()` is within the cache, and
    /// that every token is in the vocabulary.
    pub fn layers(&mut self, tokens: &[TokenId], pos: usize) -> Result<(), Stopped> {
        let (c, n) = (self.config, tokens.len());
        let s = &mut self.scratch.buffers;
        for (token, x) in tokens.iter().zip(s.x.chunks_exact_mut(c.n_embd)) {
            let embedding = &self.weights.token_embd;
            let row = token.0 as usize;
            // A row may have to come from storage.
            self.watch.check()?;
            embedding.dequantize(self.gguf, row..row + 1, x);
        }
        let angles = n * c.rope_dim / 2;
        let freqs = self.weights.rope_freqs.as_deref();
        rope::angles(c, freqs, pos, &mut s.cos[..angles], &mut s.sin[..angles]);
        for (i, layer) in self.weights.layers.iter().enumerate() {
            self.read_ahead.at(i, self.weights, self.gguf);
            self.attention(i, layer, n, pos);
            self.feed_forward(layer, n);
            self.watch.check()?;
        }
        Ok(())
    }

    /// Logits of the tokens `first .. first + n` of the last batch: `out` has shape `(n, n_vocab)`.
    pub fn logits(&mut self, first: usize, out: &mut [f32]) -> Result<(), Stopped> {
        let n = out.len() / self.config.n_vocab;
        self.hidden(first, n);
        let (n_embd, output) = (self.config.n_embd, &self.weights.output);
        let (machine, s, _) = self.parts();
        machine.project(&mut s.acts, &s.h[..n * n_embd], [(output, out)]);
        self.watch.check()
    }

    /// Hidden states after the last norm, of the tokens `first .. first + n` of the last batch:
    /// `(n, n_embd)`.
    pub fn hidden(&mut self, first: usize, n: usize) -> &[f32] {
        let (c, gains) = (self.config, &self.weights.output_norm);
        let (machine, s, _) = self.parts();
        let h = &mut s.h[..n * c.n_embd];
        let x = &s.x[first * c.n_embd..][..n * c.n_embd];
        norm(&machine, x, gains, c, h);
        h
    }

    fn parts(&mut self) -> (Machine<'_>, &mut Buffers, &mut KvCache) {
        let machine = Machine {
            gguf: self.gguf,
            kernels: self.kernels,
            pool: self.pool,
            workers: &self.scratch.workers,
            watch: self.watch,
            engine: self.engine,
            exact: self.exact,
        };
        (machine, &mut self.scratch.buffers, self.kv)
    }

    /// `x += W_o attention(rms_norm(x))`.
    fn attention(&mut self, index: usize, layer: &Layer, n: usize, pos: usize) {
        let c = self.config;
        let (machine, s, kv) = self.parts();
        let (x, h) = (&mut s.x[..n * c.n_embd], &mut s.h[..n * c.n_embd]);
        let q = &mut s.q[..n * c.n_embd_q()];
        let q_by_head = &mut s.q_by_head[..n * c.n_embd_q()];
        let (k, v) = (&mut s.k[..n * c.n_embd_kv()], &mut s.v[..n * c.n_embd_kv()]);

        norm(&machine, x, &layer.attn_norm, c, h);
        let projections = [
            (&layer.attn_q, &mut *q),
            (&layer.attn_k, &mut *k),
            (&layer.attn_v, &mut *v),
        ];
        machine.project(&mut s.acts, h, projections);
        let attention = Attention {
            config: c,
            layer: index,
            pos,
            cos: &s.cos,
            sin: &s.sin,
        };
        attention.rotate_and_store(&machine, kv, q, k, v, q_by_head);
        attention.attend(&machine, kv, q_by_head, &mut s.parts, q);
        machine.project_and_add(&mut s.acts, q, &layer.attn_output, h, x);
    }

    /// `x += W_down (silu(W_gate h) * W_up h)`, `h = rms_norm(x)`.
    fn feed_forward(&mut self, layer: &Layer, n: usize) {
        let c = self.config;
        let (machine, s, _) = self.parts();
        let (x, h) = (&mut s.x[..n * c.n_embd], &mut s.h[..n * c.n_embd]);
        let (gate, up) = (&mut s.gate[..n * c.n_ff], &mut s.up[..n * c.n_ff]);

        norm(&machine, x, &layer.ffn_norm, c, h);
        machine.project_gated(
            &mut s.acts,
            h,
            (&layer.ffn_gate, &mut *gate),
            (&layer.ffn_up, up),
        );
        machine.project_and_add(&mut s.acts, gate, &layer.ffn_down, h, x);
    }
}

/// `h = rms_norm(x)`, row by row.
fn norm(machine: &Machine<'_>, x: &[f32], gains: &[f32], c: &Config, h: &mut [f32]) {
    let rows = x.chunks(c.n_embd).zip(h.chunks_mut(c.n_embd));
    let norm = |(x, h): (&[f32], &mut [f32])| machine.kernels.rms_norm(x, gains, c.rms_eps, h);
    if x.len() == c.n_embd {
        rows.for_each(norm);
    } else {
        machine.for_each(rows, |_, row| norm(row));
    }
}
