//! Every buffer of a forward pass, allocated once.

use std::sync::Mutex;

use puna_kernels::{ActType, Activations};

use super::{Config, attention::Running};

/// Positions of the KV cache that attention takes at a time.
pub(super) const KV_CHUNK: usize = 256;
/// Query rows (tokens times heads of a group) that attention takes at a time, at least.
pub(super) const QUERY_ROWS: usize = 128;
/// Matrix rows that the exact path dequantizes at a time.
pub(super) const EXACT_ROWS: usize = 16;

/// Everything a pass writes to but the cache.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub buffers: Buffers,
    /// One a thread.
    pub workers: Vec<Mutex<Worker>>,
    n_batch: usize,
}

/// Buffers for batches of up to `n_batch` tokens. Shapes are row-major.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// `(n, n_embd)`: the residual stream.
    pub x: Vec<f32>,
    /// `(n, n_embd)`: the normed stream, and the output of attention and feed-forward.
    pub h: Vec<f32>,
    /// `(n, n_head * head_dim)`: queries as projected; then what attention gathers.
    pub q: Vec<f32>,
    /// `(n_head_kv, n, n_group, head_dim)`: queries rotated and scaled, by key head.
    pub q_by_head: Vec<f32>,
    /// `(n, n_head_kv * head_dim)`.
    pub k: Vec<f32>,
    /// `(n, n_head_kv * head_dim)`.
    pub v: Vec<f32>,
    /// `(n, n_ff)`.
    pub gate: Vec<f32>,
    /// `(n, n_ff)`.
    pub up: Vec<f32>,
    /// `(n, rope_dim / 2)`: the rotation of each position.
    pub cos: Vec<f32>,
    /// As `cos`.
    pub sin: Vec<f32>,
    /// `(n_head_kv, chunks, n_group, head_dim + 2)`: one token's attention to each chunk of the cache, its
    /// maximum and sum last.
    pub parts: Vec<f32>,
    pub acts: ActSet,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    /// `(query rows, KV_CHUNK)`.
    pub scores: Vec<f32>,
    /// `(query rows, head_dim)`: the mix of the values of one chunk.
    pub mixed: Vec<f32>,
    /// The softmax of each query row so far.
    pub running: Vec<Running>,
    /// Maximum and sum of one chunk, a query row.
    pub ends: Vec<[f32; 2]>,
    /// Positions of the chunk that a query row sees.
    pub seen: Vec<usize>,
    /// Query rows in the form that meets the keys.
    pub queries: Activations,
    /// `head_dim`.
    pub head: Vec<f32>,
    /// `(EXACT_ROWS, n_in)`: weights as `f32`; only the exact path.
    pub weights: Vec<f32>,
}

/// The same vectors in each quantized form that some matrix asks for.
#[derive(Debug, Default)]
pub(crate) struct ActSet {
    q8_0: Activations,
    q8_1: Activations,
    q8_k: Activations,
    bf16: Activations,
}

impl ActSet {
    pub fn get(&self, ty: ActType) -> &Activations {
        match ty {
            ActType::F32 | ActType::Q8_0 => &self.q8_0,
            ActType::Q8_1 => &self.q8_1,
            ActType::Q8_K => &self.q8_k,
            ActType::BF16 => &self.bf16,
        }
    }

    pub fn get_mut(&mut self, ty: ActType) -> &mut Activations {
        match ty {
            ActType::F32 | ActType::Q8_0 => &mut self.q8_0,
            ActType::Q8_1 => &mut self.q8_1,
            ActType::Q8_K => &mut self.q8_k,
            ActType::BF16 => &mut self.bf16,
        }
    }
}

/// Tokens that an attention task takes, for a group of `n_group` heads.
pub(super) fn query_tokens(n_group: usize) -> usize {
    (QUERY_ROWS / n_group).max(1)
}

impl Scratch {
    /// `forms` are the activation forms that the model's matrices take, `query_forms` those that keys take.
    pub fn new(
        c: &Config,
        (n_ctx, n_batch, n_threads): (usize, usize, usize),
        forms: &[ActType],
        query_forms: &[ActType],
    ) -> Self {
        let zeros = |n: usize| vec![0.0; n_batch * n];
        let mut acts = ActSet::default();
        let widest = c.n_embd.max(c.n_ff).max(c.n_embd_q());
        for &ty in forms {
            acts.get_mut(ty)
                .reserve(ty, n_batch, widest.next_multiple_of(ty.block_len()));
        }
        let rows = query_tokens(c.n_group()) * c.n_group();
        let worker = || {
            let mut queries = Activations::default();
            for &form in query_forms {
                queries.reserve(form, rows, c.head_dim);
            }
            Worker {
                scores: vec![0.0; rows * KV_CHUNK],
                mixed: vec![0.0; rows * c.head_dim],
                running: vec![Running::default(); rows],
                ends: vec![[0.0; 2]; rows],
                seen: vec![0; rows],
                queries,
                head: vec![0.0; c.head_dim],
                weights: Vec::new(),
            }
        };
        let buffers = Buffers {
            x: zeros(c.n_embd),
            h: zeros(c.n_embd),
            q: zeros(c.n_embd_q()),
            q_by_head: zeros(c.n_embd_q()),
            k: zeros(c.n_embd_kv()),
            v: zeros(c.n_embd_kv()),
            gate: zeros(c.n_ff),
            up: zeros(c.n_ff),
            cos: zeros(c.rope_dim / 2),
            sin: zeros(c.rope_dim / 2),
            parts: vec![0.0; n_ctx.div_ceil(KV_CHUNK) * c.n_head * (c.head_dim + 2)],
            acts,
        };
        Self {
            buffers,
            workers: (0..n_threads).map(|_| Mutex::new(worker())).collect(),
            n_batch,
        }
    }

    /// Tokens a batch may have.
    pub const fn n_batch(&self) -> usize {
        self.n_batch
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let b = &self.buffers;
        let floats = [
            &b.x,
            &b.h,
            &b.q,
            &b.q_by_head,
            &b.k,
            &b.v,
            &b.gate,
            &b.up,
            &b.cos,
            &b.sin,
            &b.parts,
        ];
        let worker = |w: &Mutex<Worker>| {
            let w = w.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            4 * (w.scores.len() + w.mixed.len() + 4 * w.running.len() + w.head.len())
                + size_of_val(w.seen.as_slice())
                + w.queries.bytes()
                + 4 * w.weights.len()
        };
        floats.iter().map(|v| 4 * v.len()).sum::<usize>()
            + b.acts.q8_0.bytes()
            + b.acts.q8_1.bytes()
            + b.acts.q8_k.bytes()
            + b.acts.bf16.bytes()
            + self.workers.iter().map(worker).sum::<usize>()
    }
}
