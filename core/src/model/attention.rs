//! Causal attention with grouped queries (Vaswani et al. 2017; Ainslie et al. 2023).
//!
//! The cache is taken in chunks of fixed places, each with its own softmax, and the parts are merged in
//! order (Dao et al. 2022): what is added to what depends on the positions alone, not on the threads
//! or on how the prompt was cut into batches.

use std::ops::Range;

use puna_kernels::{ActRows, ActType, Kernels, TileMut, scalar::exp::exp, tiles};

use super::{
    Config,
    linear::{Machine, lock},
    scratch::{KV_CHUNK, Worker, query_tokens},
};
use crate::kv_cache::{HeadMut, KvCache, PAGE, by_page};

// A chunk never crosses the end of a page.
const _: () = assert!(PAGE.is_multiple_of(KV_CHUNK));

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
    /// Rotates queries and keys, scales the queries by `1 / sqrt(head_dim)`, multiplies all by a Hadamard matrix if
    /// the cache wants that, and stores keys and values.
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
        let mixed = kv.ty().is_mixed();
        for positions in by_page(self.pos..self.pos + n) {
            // Tokens of the batch whose rows lie in this page.
            let tokens = positions.start - self.pos..positions.end - self.pos;
            let queries = q_by_head.chunks_exact_mut(n * group);
            let queries = queries.map(|head| &mut head[tokens.start * group..tokens.end * group]);
            let heads = kv.heads_mut(self.layer, positions).zip(queries).enumerate();
            let rotate =
                |worker: usize, (head, (mut room, queries)): (usize, (HeadMut<'_>, &mut [f32]))| {
                    let mut worker = lock(&machine.workers[worker]);
                    let queries = queries.chunks_exact_mut(group).enumerate();
                    for ((row, out), t) in queries.zip(tokens.clone()) {
                        let angle = t * pairs..(t + 1) * pairs;
                        let (cos, sin) = (&self.cos[angle.clone()], &self.sin[angle]);
                        out.copy_from_slice(&q[t * c.n_embd_q() + head * group..][..group]);
                        for q in out.chunks_exact_mut(hd) {
                            machine.kernels.rope(q, cos, sin);
                            q.iter_mut().for_each(|q| *q *= scale);
                            if mixed {
                                machine.kernels.hadamard(q);
                            }
                        }
                        let at = t * c.n_embd_kv() + head * hd;
                        worker.head.copy_from_slice(&k[at..at + hd]);
                        machine.kernels.rope(&mut worker.head, cos, sin);
                        if mixed {
                            machine.kernels.hadamard(&mut worker.head);
                        }
                        room.store_key(row, &worker.head);
                        worker.head.copy_from_slice(&v[at..at + hd]);
                        if mixed {
                            machine.kernels.hadamard(&mut worker.head);
                        }
                        room.store_value(row, &worker.head);
                    }
                };
            if n == 1 {
                heads.for_each(|item| rotate(0, item));
            } else {
                machine.for_each(heads, rotate);
            }
        }
    }

    /// `softmax(q K^T) V` of every head into `out`, shape `(n, n_head, head_dim)`. `parts` is room for the parts
    /// of one token's attention, as [`Buffers`](super::scratch::Buffers) has it.
    pub fn attend(
        &self,
        machine: &Machine<'_>,
        kv: &KvCache,
        q_by_head: &[f32],
        parts: &mut [f32],
        out: &mut [f32],
    ) {
        let c = self.config;
        let group = c.n_group() * c.head_dim;
        let n = out.len() / c.n_embd_q();
        let form = machine
            .kernels
            .act_type(kv.ty().weight_type(), n, c.head_dim);
        if n == 1 {
            return self.attend_by_chunks(machine, kv, (form, q_by_head), parts, out);
        }
        let step = query_tokens(c.n_group());
        let tasks = out
            .chunks_mut(step * c.n_embd_q())
            .enumerate()
            .flat_map(|(block, out)| {
                let heads = tiles(out, c.n_embd_q(), group).enumerate();
                heads.map(move |(head, (_, tile))| (head, block * step, tile))
            });
        machine.for_each(tasks, |worker, (head, first, tile)| {
            let queries = &q_by_head[(head * n + first) * group..][..tile.n() * group];
            let mut worker = lock(&machine.workers[worker]);
            self.attend_head(
                machine,
                &mut worker,
                kv,
                (head, first),
                (form, queries),
                tile,
            );
        });
    }

    /// One token: the threads share the chunks of the cache, and the parts are merged when all are there.
    fn attend_by_chunks(
        &self,
        machine: &Machine<'_>,
        kv: &KvCache,
        (form, q_by_head): (ActType, &[f32]),
        parts: &mut [f32],
        out: &mut [f32],
    ) {
        let c = self.config;
        let (hd, rows) = (c.head_dim, c.n_group());
        let n_chunks = (self.pos + 1).div_ceil(KV_CHUNK);
        let parts = &mut parts[..c.n_head_kv * n_chunks * rows * (hd + 2)];
        let tasks = parts.chunks_exact_mut(rows * (hd + 2)).enumerate();
        machine.for_each(tasks, |worker, (task, part)| {
            let (head, first) = (task / n_chunks, task % n_chunks * KV_CHUNK);
            let chunk = first..(first + KV_CHUNK).min(self.pos + 1);
            let queries = &q_by_head[head * rows * hd..][..rows * hd];
            let worker = &mut *lock(&machine.workers[worker]);
            let queries = worker.queries.quantize(machine.kernels, form, queries, hd);
            let (mixed, ends) = part.split_at_mut(rows * hd);
            let rows = Rows {
                scores: &mut worker.scores,
                seen: &mut worker.seen[..rows],
                ends: ends.as_chunks_mut().0,
                mixed,
            };
            self.attend_chunk(machine.kernels, kv, (head, chunk), self.pos, queries, rows);
        });
        let heads = out.chunks_exact_mut(rows * hd);
        for (out, parts) in heads.zip(parts.chunks_exact(n_chunks * rows * (hd + 2))) {
            for (r, out) in out.chunks_exact_mut(hd).enumerate() {
                let mut running = Running::new(out);
                for part in parts.chunks_exact(rows * (hd + 2)) {
                    let (mixed, ends) = part.split_at(rows * hd);
                    running.merge(
                        machine.kernels,
                        ends.as_chunks().0[r],
                        &mixed[r * hd..(r + 1) * hd],
                        out,
                    );
                }
                running.finish(out);
                unmix(machine.kernels, kv, out);
            }
        }
    }

    /// The heads of one group, for the tokens `first ..` of the batch: `queries` has shape
    /// `(tokens, n_group, head_dim)`, and meets the keys in form `form`.
    fn attend_head(
        &self,
        machine: &Machine<'_>,
        worker: &mut Worker,
        kv: &KvCache,
        (head, first): (usize, usize),
        (form, queries): (ActType, &[f32]),
        mut out: TileMut<'_>,
    ) {
        let (hd, n_group, kernels) = (self.config.head_dim, self.config.n_group(), machine.kernels);
        let n_rows = queries.len() / hd;
        let queries = worker.queries.quantize(kernels, form, queries, hd);
        let running = &mut worker.running[..n_rows];
        for (r, running) in running.iter_mut().enumerate() {
            let (t, j) = (r / n_group, r % n_group);
            *running = Running::new(&mut out.row(t)[j * hd..(j + 1) * hd]);
        }
        let first = self.pos + first;
        let n_kv = first + out.n();
        for start in (0..n_kv).step_by(KV_CHUNK) {
            if machine.watch.stops() {
                return;
            }
            let rows = Rows {
                scores: &mut worker.scores,
                seen: &mut worker.seen[..n_rows],
                ends: &mut worker.ends[..n_rows],
                mixed: &mut worker.mixed[..n_rows * hd],
            };
            let chunk = start..(start + KV_CHUNK).min(n_kv);
            self.attend_chunk(kernels, kv, (head, chunk), first, queries, rows);
            for (r, running) in running.iter_mut().enumerate() {
                if worker.seen[r] > 0 {
                    let (t, j) = (r / n_group, r % n_group);
                    let out = &mut out.row(t)[j * hd..(j + 1) * hd];
                    running.merge(
                        kernels,
                        worker.ends[r],
                        &worker.mixed[r * hd..(r + 1) * hd],
                        out,
                    );
                }
            }
        }
        for (r, running) in running.iter().enumerate() {
            let (t, j) = (r / n_group, r % n_group);
            let out = &mut out.row(t)[j * hd..(j + 1) * hd];
            running.finish(out);
            unmix(kernels, kv, out);
        }
    }

    /// The heads of one group against one chunk of the cache: `queries` has `n_group` rows a token, the first of
    /// these at position `first`.
    fn attend_chunk(
        &self,
        kernels: &Kernels,
        kv: &KvCache,
        (head, chunk): (usize, Range<usize>),
        first: usize,
        queries: ActRows<'_>,
        rows: Rows<'_>,
    ) {
        let (ty, start, len) = (kv.ty().weight_type(), chunk.start, chunk.len());
        let scores = &mut rows.scores[..queries.n() * len];
        let keys = kv.keys(self.layer, head, chunk.clone());
        kernels.matmul(ty, keys, queries, &mut TileMut::new(scores, len));
        for (r, scores) in scores.chunks_exact_mut(len).enumerate() {
            // A token sees the positions up to its own.
            let last = first + r / self.config.n_group() + 1;
            let seen = last.saturating_sub(start).min(len);
            rows.seen[r] = seen;
            let (max, sum) = kernels.softmax_part(&mut scores[..seen]);
            rows.ends[r] = [max, sum];
        }
        rows.mixed.fill(0.0);
        let values = kv.values(self.layer, head, chunk);
        let form = queries.act_type();
        kernels.mix_many(ty, values, form, scores, rows.seen, rows.mixed);
    }
}

/// Takes the Hadamard matrix off one head's mix of values, if the cache has it on.
fn unmix(kernels: &Kernels, kv: &KvCache, out: &mut [f32]) {
    if kv.ty().is_mixed() {
        kernels.hadamard(out);
    }
}

/// What some query rows take from one chunk.
struct Rows<'a> {
    /// `(rows, KV_CHUNK)` at least.
    scores: &'a mut [f32],
    /// Positions of the chunk that each row sees.
    seen: &'a mut [usize],
    /// Maximum and sum of each row.
    ends: &'a mut [[f32; 2]],
    /// `(rows, head_dim)`: the mix of the values.
    mixed: &'a mut [f32],
}

/// The softmax of one row over the chunks so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Running {
    max: f32,
    sum: f32,
}

impl Running {
    /// Nothing so far: `out` is zeroed.
    fn new(out: &mut [f32]) -> Self {
        out.fill(0.0);
        Self {
            max: f32::NEG_INFINITY,
            sum: 0.0,
        }
    }

    /// Takes the next chunk: its maximum and sum, and its mix of the values.
    fn merge(&mut self, kernels: &Kernels, [max, sum]: [f32; 2], mixed: &[f32], out: &mut [f32]) {
        let new_max = self.max.max(max);
        let (old, new) = (exp(self.max - new_max), exp(max - new_max));
        *self = Self {
            max: new_max,
            sum: self.sum * old + sum * new,
        };
        kernels.scale_and_add(out, old, mixed, new);
    }

    /// Divides by the sum.
    fn finish(&self, out: &mut [f32]) {
        let scale = 1.0 / self.sum;
        out.iter_mut().for_each(|o| *o *= scale);
    }
}
