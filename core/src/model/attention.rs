//! Causal attention with grouped queries (Vaswani et al. 2017; Ainslie et al. 2023).
//!
//! The cache is taken in chunks of fixed places, each with its own softmax, and the parts are merged in
//! order (Dao et al. 2022): what is added to what depends on the positions alone, not on the threads
//! or on how the prompt was cut into batches.

use puna_kernels::{ActType, Kernels, TileMut, scalar::exp::exp, tiles};

use super::{
    Config,
    linear::{Machine, lock},
    scratch::{KV_CHUNK, Worker, query_tokens},
};
use crate::kv_cache::KvCache;

/// What one layer's attention works on; `n` tokens at positions `pos ..`.
pub(super) struct Attention<'a> {
    pub config: &'a Config,
    pub layer: usize,
    pub pos: usize,
    /// `(n, rope_dim / 2)`.
    pub cos: &'a [f32],
    /// `(n, rope_dim / 2)`.
    pub sin: &'a [f32],
}

impl Attention<'_> {
    /// Rotates queries and keys, scales the queries by `1 / sqrt(head_dim)`, and stores keys and values.
    ///
    /// `q` is `(n, n_head, head_dim)`, `k` and `v` `(n, n_head_kv, head_dim)`;
    /// `q_by_head` becomes `(n_head_kv, n, n_group, head_dim)`.
    pub fn rotate_and_store(
        &self,
        machine: &Machine<'_>,
        kv: &mut KvCache,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        q_by_head: &mut [f32],
    ) {
        let c = self.config;
        let (hd, group, pairs) = (c.head_dim, c.n_group() * c.head_dim, c.rope_dim / 2);
        let n = q.len() / c.n_embd_q();
        let scale = 1.0 / (hd as f32).sqrt();
        let heads = kv
            .heads_mut(self.layer, self.pos)
            .zip(q_by_head.chunks_exact_mut(n * group));
        machine
            .pool
            .for_each(heads.enumerate(), |worker, (head, (mut room, queries))| {
                let mut worker = lock(&machine.workers[worker]);
                for (t, out) in queries.chunks_exact_mut(group).enumerate() {
                    let angle = t * pairs..(t + 1) * pairs;
                    let (cos, sin) = (&self.cos[angle.clone()], &self.sin[angle]);
                    out.copy_from_slice(&q[t * c.n_embd_q() + head * group..][..group]);
                    for q in out.chunks_exact_mut(hd) {
                        machine.kernels.rope(q, cos, sin);
                        q.iter_mut().for_each(|q| *q *= scale);
                    }
                    let at = t * c.n_embd_kv() + head * hd;
                    worker.head.copy_from_slice(&k[at..at + hd]);
                    machine.kernels.rope(&mut worker.head, cos, sin);
                    room.store(t, &worker.head, &v[at..at + hd]);
                }
            });
    }

    /// `softmax(q K^T) V` of every head into `out`, shape `(n, n_head, head_dim)`.
    pub fn attend(&self, machine: &Machine<'_>, kv: &KvCache, q_by_head: &[f32], out: &mut [f32]) {
        let c = self.config;
        let group = c.n_group() * c.head_dim;
        let n = out.len() / c.n_embd_q();
        let step = query_tokens(c.n_group());
        let tasks = out
            .chunks_mut(step * c.n_embd_q())
            .enumerate()
            .flat_map(|(block, out)| {
                let heads = tiles(out, c.n_embd_q(), group).enumerate();
                heads.map(move |(head, (_, tile))| (head, block * step, tile))
            });
        machine.pool.for_each(tasks, |worker, (head, first, tile)| {
            if !machine.cancel.is_cancelled() {
                let queries = &q_by_head[(head * n + first) * group..][..tile.n() * group];
                let mut worker = lock(&machine.workers[worker]);
                let form = machine
                    .kernels
                    .act_type(kv.ty().weight_type(), n, c.head_dim);
                self.attend_head(
                    machine.kernels,
                    &mut worker,
                    kv,
                    (head, first),
                    (form, queries),
                    tile,
                );
            }
        });
    }

    /// The heads of one group, for the tokens `first ..` of the batch: `queries` has shape
    /// `(tokens, n_group, head_dim)`, and meets the keys in form `form`.
    fn attend_head(
        &self,
        kernels: &Kernels,
        worker: &mut Worker,
        kv: &KvCache,
        (head, first): (usize, usize),
        (form, queries): (ActType, &[f32]),
        mut out: TileMut<'_>,
    ) {
        let (hd, n_group) = (self.config.head_dim, self.config.n_group());
        let ty = kv.ty().weight_type();
        let n_rows = queries.len() / hd;
        let queries = worker.queries.quantize(kernels, form, queries, hd);
        let running = &mut worker.running[..n_rows];
        running.fill([f32::NEG_INFINITY, 0.0]);
        let seen = &mut worker.seen[..n_rows];
        let mixed = &mut worker.mixed[..n_rows * hd];
        for t in 0..out.n() {
            out.row(t).fill(0.0);
        }
        let n_kv = self.pos + first + out.n();
        for start in (0..n_kv).step_by(KV_CHUNK) {
            let chunk = start..(start + KV_CHUNK).min(n_kv);
            let len = chunk.len();
            let scores = &mut worker.scores[..n_rows * len];
            let keys = kv.keys(self.layer, head, chunk.clone());
            kernels.matmul(ty, keys, queries, &mut TileMut::new(scores, len));
            for (r, (scores, seen)) in scores.chunks_exact_mut(len).zip(&mut *seen).enumerate() {
                // A token sees the positions up to its own.
                let last = self.pos + first + r / n_group + 1;
                *seen = last.saturating_sub(start).min(len);
                worker.parts[r] = kernels.softmax_part(&mut scores[..*seen]);
            }
            mixed.fill(0.0);
            let values = kv.values(self.layer, head, chunk);
            kernels.mix_many(ty, values, form, scores, seen, mixed);
            for (r, mixed) in mixed
                .chunks_exact(hd)
                .enumerate()
                .filter(|(r, _)| seen[*r] > 0)
            {
                let [old_max, old_sum] = running[r];
                let (max, sum) = worker.parts[r];
                let new_max = old_max.max(max);
                let (old, new) = (exp(old_max - new_max), exp(max - new_max));
                running[r] = [new_max, old_sum * old + sum * new];
                let (t, j) = (r / n_group, r % n_group);
                let out = &mut out.row(t)[j * hd..(j + 1) * hd];
                for (o, m) in out.iter_mut().zip(mixed) {
                    *o = *o * old + *m * new;
                }
            }
        }
        for (r, [_, sum]) in running.iter().enumerate() {
            let (t, j) = (r / n_group, r % n_group);
            let scale = 1.0 / sum;
            out.row(t)[j * hd..(j + 1) * hd]
                .iter_mut()
                .for_each(|o| *o *= scale);
        }
    }
}
