//! Every buffer of a forward pass, allocated once.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Mutex,
};

use memmap2::MmapMut;
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
}

/// Zeros at first, in pages of their own: when they are dropped, the system has them back at once, while an
/// allocator may keep them for later.
pub(crate) struct Floats {
    pages: MmapMut,
    len: usize,
}

impl Floats {
    /// `None`: the system has no room.
    fn new(len: usize) -> Option<Self> {
        let bytes = len.checked_mul(size_of::<f32>())?;
        let pages = MmapMut::map_anon(bytes.max(1)).ok()?;
        Some(Self { pages, len })
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        bytemuck::cast_slice(&self.pages[..size_of::<f32>() * self.len])
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.pages[..size_of::<f32>() * self.len])
    }
}

impl fmt::Debug for Floats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Floats({})", self.len)
    }
}

/// Buffers for batches of up to `n_batch` tokens. Shapes are row-major.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// `(n, n_embd)`: the residual stream.
    pub x: Floats,
    /// `(n, n_embd)`: the normed stream, and the output of attention and feed-forward.
    pub h: Floats,
    /// `(n, n_head * head_dim)`: queries as projected; then what attention gathers.
    pub q: Floats,
    /// `(n_head_kv, n, n_group, head_dim)`: queries rotated and scaled, by key head.
    pub q_by_head: Floats,
    /// `(n, n_head_kv * head_dim)`.
    pub k: Floats,
    /// `(n, n_head_kv * head_dim)`.
    pub v: Floats,
    /// `(n, n_ff)`.
    pub gate: Floats,
    /// `(n, n_ff)`.
    pub up: Floats,
    /// `(n, rope_dim / 2)`: the rotation of each position.
    pub cos: Floats,
    /// As `cos`.
    pub sin: Floats,
    /// `(n_head_kv, chunks, n_group, head_dim + 2)`: one token's attention to each chunk of the cache, its
    /// maximum and sum last.
    pub parts: Floats,
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

/// What the lengths of the buffers depend on, besides the model's shape.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    /// Tokens that the cache holds.
    pub n_ctx: usize,
    /// Tokens a batch may have.
    pub n_batch: usize,
    /// Threads that compute.
    pub n_threads: usize,
    /// The activation forms that the model's matrices take.
    pub forms: Vec<ActType>,
    /// Those that keys take.
    pub query_forms: Vec<ActType>,
    /// Whether weights are dequantized.
    pub exact: bool,
}

impl Sizes {
    /// Bytes that [`Scratch::new`] allocates; the largest number where that is beyond any memory.
    pub fn bytes(&self, c: &Config) -> u64 {
        let rows = query_rows(c);
        let batch = (self.n_batch as u64).saturating_mul(widths(c).iter().sum::<usize>() as u64);
        let floats = batch.saturating_add(self.parts(c) as u64);
        let acts =
            |form: &ActType| Activations::bytes_for(&[*form], self.n_batch, widest(c, *form));
        let acts: usize = self.forms.iter().map(acts).sum();
        let worker = 4 * (rows * KV_CHUNK + rows * c.head_dim + c.head_dim + self.weights(c))
            + rows * (size_of::<Running>() + size_of::<[f32; 2]>() + size_of::<usize>())
            + Activations::bytes_for(&self.query_forms, rows, c.head_dim);
        let workers = (self.n_threads as u64).saturating_mul(worker as u64);
        floats
            .saturating_mul(4)
            .saturating_add(acts as u64)
            .saturating_add(workers)
    }

    /// Floats of [`Buffers::parts`].
    fn parts(&self, c: &Config) -> usize {
        self.n_ctx.div_ceil(KV_CHUNK) * c.n_head * (c.head_dim + 2)
    }

    /// Floats of [`Worker::weights`].
    fn weights(&self, c: &Config) -> usize {
        if self.exact {
            EXACT_ROWS * c.n_embd.max(c.n_ff).max(c.n_embd_q())
        } else {
            0
        }
    }
}

/// Floats a token in each buffer of [`Buffers`] from `x` to `sin`, in their order.
fn widths(c: &Config) -> [usize; 10] {
    let (q, kv, pairs) = (c.n_embd_q(), c.n_embd_kv(), c.rope_dim / 2);
    [
        c.n_embd, c.n_embd, q, q, kv, kv, c.n_ff, c.n_ff, pairs, pairs,
    ]
}

/// The widest vector that meets a matrix, in whole blocks of `form`.
fn widest(c: &Config, form: ActType) -> usize {
    let widest = c.n_embd.max(c.n_ff).max(c.n_embd_q());
    widest.next_multiple_of(form.block_len())
}

/// Rows of queries that an attention task takes at most.
fn query_rows(c: &Config) -> usize {
    query_tokens(c.n_group()) * c.n_group()
}

impl Scratch {
    /// Buffers of these sizes; `None`: the system has no room.
    pub fn new(c: &Config, sizes: &Sizes) -> Option<Self> {
        let rows = query_rows(c);
        let mut acts = ActSet::default();
        for &form in &sizes.forms {
            acts.get_mut(form)
                .reserve(form, sizes.n_batch, widest(c, form));
        }
        let worker = || {
            let mut queries = Activations::default();
            for &form in &sizes.query_forms {
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
                weights: vec![0.0; sizes.weights(c)],
            }
        };
        let zeros = widths(c).map(|width| Floats::new(sizes.n_batch.checked_mul(width)?));
        let [x, h, q, q_by_head, k, v, gate, up, cos, sin] = zeros;
        let buffers = Buffers {
            x: x?,
            h: h?,
            q: q?,
            q_by_head: q_by_head?,
            k: k?,
            v: v?,
            gate: gate?,
            up: up?,
            cos: cos?,
            sin: sin?,
            parts: Floats::new(sizes.parts(c))?,
            acts,
        };
        Some(Self {
            buffers,
            workers: (0..sizes.n_threads).map(|_| Mutex::new(worker())).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that are really there.
    fn held(scratch: &Scratch) -> usize {
        let b = &scratch.buffers;
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
            let w = w.lock().unwrap();
            4 * (w.scores.capacity() + w.mixed.capacity() + w.head.capacity())
                + 4 * w.weights.capacity()
                + size_of_val(w.running.as_slice())
                + size_of_val(w.ends.as_slice())
                + size_of_val(w.seen.as_slice())
                + w.queries.bytes()
        };
        floats.iter().map(|v| 4 * v.len()).sum::<usize>()
            + b.acts.q8_0.bytes()
            + b.acts.q8_1.bytes()
            + b.acts.q8_k.bytes()
            + b.acts.bf16.bytes()
            + scratch.workers.iter().map(worker).sum::<usize>()
    }

    #[test]
    fn as_many_bytes_are_allocated_as_were_planned() {
        let c = Config {
            n_ctx_train: 4_096,
            n_embd: 96,
            n_layer: 2,
            n_head: 6,
            n_head_kv: 3,
            head_dim: 32,
            n_ff: 300,
            n_vocab: 100,
            rope_dim: 30,
            rope_base: 1e4,
            rope_scale: 1.0,
            rms_eps: 1e-5,
        };
        let forms = [ActType::Q8_0, ActType::Q8_1, ActType::Q8_K, ActType::BF16];
        for n in 0..=forms.len() {
            for (exact, n_ctx, n_batch) in [(false, 1, 1), (true, 257, 33), (false, 4_096, 512)] {
                let sizes = Sizes {
                    n_ctx,
                    n_batch,
                    n_threads: 1 + n,
                    forms: forms[..n].to_vec(),
                    query_forms: forms[..n.min(2)].to_vec(),
                    exact,
                };
                let scratch = Scratch::new(&c, &sizes).unwrap();
                assert_eq!(sizes.bytes(&c), held(&scratch) as u64, "{sizes:?}");
            }
        }
    }
}
