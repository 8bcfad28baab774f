//! One sequence of tokens: its cache, its logits, and the way back.

use puna_kernels::Kernels;

use crate::{
    cancel::Cancel,
    ggml,
    kv_cache::{KvCache, KvType},
    model::{
        Backend, Model,
        forward::{Cancelled, Forward},
        scratch::Scratch,
    },
    placement::{Cores, Placement},
    pool::Pool,
    tokenizer::TokenId,
    topology::{self, Topology},
};

/// How a session computes and how much it remembers.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Tokens that it can hold. `None`: the model's training context, but at most 4,096.
    pub n_ctx: Option<usize>,
    /// How keys and values are stored.
    pub kv: KvType,
    /// Threads. `None`: one a physical core of `cores`.
    pub n_threads: Option<usize>,
    /// Where the threads run.
    pub cores: Cores,
    /// Tokens that are computed together in prefill.
    pub n_batch: usize,
    /// Dequantized weights and `f32` activations: slow, for checking. The products are then ours, whatever
    /// the model's backend.
    pub exact: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            n_ctx: None,
            kv: KvType::F16,
            n_threads: None,
            cores: Cores::Fast,
            n_batch: 512,
            exact: false,
        }
    }
}

/// The context that is taken where none is asked for, if the model was trained for as much.
const DEFAULT_N_CTX: usize = 4_096;

/// Why a session cannot go on. Whatever the error, the session is as it was before the call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The tokens do not fit.
    #[error("session: {wanted} more tokens do not fit: {used} of a context of {n_ctx} are used")]
    ContextFull {
        /// Tokens to be added.
        wanted: usize,
        /// Tokens held.
        used: usize,
        /// Tokens that fit.
        n_ctx: usize,
    },
    /// The context asked for is 0 or longer than the model was trained for.
    #[error("session: a context of {wanted} tokens, wanted 1 to the model's {n_ctx_train}")]
    Context {
        /// What was asked for.
        wanted: usize,
        /// What the model was trained for.
        n_ctx_train: usize,
    },
    /// The heads of this model cannot be stored in this type.
    #[error("session: a {kv} cache takes heads of a multiple of 32, this model's have {head_dim}")]
    KvType {
        /// The type asked for.
        kv: &'static str,
        /// Width of a head.
        head_dim: usize,
    },
    /// The system has no room for the cache.
    #[error("session: no memory for a cache of {bytes} bytes")]
    NoMemory {
        /// What it would take.
        bytes: usize,
    },
    /// A thread could not be started.
    #[error("session: cannot start {n_threads} threads: {source}")]
    Threads {
        /// Threads asked for.
        n_threads: usize,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A token is not in the vocabulary.
    #[error("session: token {token} is not in the vocabulary of {n_vocab}")]
    UnknownToken {
        /// The token.
        token: u32,
        /// Tokens there are.
        n_vocab: usize,
    },
    /// There is nothing to compute.
    #[error("session: no tokens to compute")]
    Empty,
    /// The model's numbers overflowed: broken weights.
    #[error("session: the model computed a logit that is not finite, at token {index}")]
    NotFinite {
        /// The first such logit.
        index: usize,
    },
    /// It was asked to stop.
    #[error("session: cancelled")]
    Cancelled,
}

impl From<Cancelled> for SessionError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// Bytes that a session holds or maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Tensors, mapped from the file.
    pub weights_bytes: u64,
    /// Weights that the backend keeps rearranged, besides those in the file.
    pub rearranged_bytes: u64,
    /// The cache, when full.
    pub kv_bytes: u64,
    /// Every other buffer of the computation.
    pub scratch_bytes: u64,
}

/// One sequence of tokens on a model.
#[derive(Debug)]
pub struct Session {
    model: Model,
    pool: Pool,
    /// The backend's threads, where our kernels do not multiply.
    engine: Option<ggml::Engine>,
    kv: KvCache,
    scratch: Scratch,
    tokens: Vec<TokenId>,
    logits: Vec<f32>,
    /// Where logits are computed: they only become the session's once all went well.
    next_logits: Vec<f32>,
    exact: bool,
}

impl Session {
    /// An empty session.
    ///
    /// # Errors
    /// [`SessionError::Context`], [`SessionError::KvType`], [`SessionError::NoMemory`] or
    /// [`SessionError::Threads`].
    pub fn new(model: &Model, options: &SessionOptions) -> Result<Self, SessionError> {
        let c = model.config();
        let wanted = options.n_ctx.unwrap_or(c.n_ctx_train.min(DEFAULT_N_CTX));
        if wanted == 0 || wanted > c.n_ctx_train {
            return Err(SessionError::Context {
                wanted,
                n_ctx_train: c.n_ctx_train,
            });
        }
        let ty = options.kv.weight_type();
        if !c.head_dim.is_multiple_of(ty.block_len()) {
            let kv = options.kv.name();
            return Err(SessionError::KvType {
                kv,
                head_dim: c.head_dim,
            });
        }
        let n_threads = options
            .n_threads
            .unwrap_or_else(|| topology::default_threads(&options.cores))
            .max(1);
        let cores = options.cores.to_ask(&Topology::of_this_machine());
        let bytes = options.kv.bytes(c, wanted).unwrap_or(usize::MAX);
        let kv = KvCache::new(options.kv, c, wanted).ok_or(SessionError::NoMemory { bytes })?;
        let mut tokens = Vec::new();
        tokens
            .try_reserve_exact(wanted)
            .map_err(|_| SessionError::NoMemory { bytes })?;
        let model = if options.exact && !model.kernels().is_exact() {
            model.clone().with_kernels(Kernels::best_exact())
        } else {
            model.clone()
        };
        let forms = if options.exact {
            Vec::new()
        } else {
            model.activation_forms()
        };
        let query_forms = model.kernels().act_types(ty, c.head_dim);
        let n_batch = options.n_batch.clamp(1, wanted);
        let by_ggml = model.backend() == Backend::Ggml && !options.exact;
        Ok(Self {
            pool: Pool::on(n_threads, cores)
                .map_err(|source| SessionError::Threads { n_threads, source })?,
            engine: by_ggml.then(|| ggml::Engine::new(n_threads)),
            kv,
            scratch: Scratch::new(c, (wanted, n_batch, n_threads), &forms, &query_forms),
            tokens,
            logits: vec![0.0; c.n_vocab],
            next_logits: vec![0.0; c.n_vocab],
            exact: options.exact,
            model,
        })
    }

    /// The model.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// The tokens that are in the cache.
    #[must_use]
    pub fn tokens(&self) -> &[TokenId] {
        &self.tokens
    }

    /// Tokens that fit.
    #[must_use]
    pub const fn n_ctx(&self) -> usize {
        self.kv.n_ctx()
    }

    /// Threads that compute.
    #[must_use]
    pub fn n_threads(&self) -> usize {
        self.pool.n_threads()
    }

    /// Where they run.
    #[must_use]
    pub const fn placement(&self) -> &Placement {
        self.pool.placement()
    }

    /// Loops that the threads shared so far: each is one barrier.
    #[must_use]
    pub fn n_loops(&self) -> u64 {
        self.pool.n_loops()
    }

    /// Logits after the last token: `n_vocab` numbers. Zeros before the first.
    #[must_use]
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// What it holds and maps.
    #[must_use]
    pub fn memory(&self) -> Memory {
        Memory {
            weights_bytes: self.model.gguf().tensor_bytes(),
            rearranged_bytes: self.model.rearranged_bytes(),
            kv_bytes: self.kv.bytes() as u64,
            scratch_bytes: (self.scratch.bytes() + 8 * self.logits.len()) as u64,
        }
    }

    /// Forgets all but the first `n` tokens. The logits stay those of the last computed token, so at
    /// least one token must be computed before they mean anything again.
    pub fn truncate(&mut self, n: usize) {
        self.tokens.truncate(n);
    }

    /// Makes the session hold exactly `tokens`, computing only from the first that differs, and at
    /// least the last; returns how many were computed. The logits are then those after the last.
    ///
    /// # Errors
    /// As [`prefill`](Self::prefill); the session then holds what it had in common with `tokens`.
    pub fn prefill_to(
        &mut self,
        tokens: &[TokenId],
        cancel: &Cancel,
    ) -> Result<usize, SessionError> {
        let same = self
            .tokens
            .iter()
            .zip(tokens)
            .take_while(|(a, b)| a == b)
            .count();
        let keep = same.min(tokens.len().saturating_sub(1));
        self.truncate(keep);
        self.prefill(&tokens[keep..], cancel)?;
        Ok(tokens.len() - keep)
    }

    /// Appends `tokens`, computing them in batches; the logits are then those after the last.
    ///
    /// # Errors
    /// [`SessionError::ContextFull`], [`SessionError::UnknownToken`], [`SessionError::Empty`],
    /// [`SessionError::NotFinite`] or [`SessionError::Cancelled`]; the session then holds the tokens
    /// that it held before.
    pub fn prefill(&mut self, tokens: &[TokenId], cancel: &Cancel) -> Result<(), SessionError> {
        self.append(tokens, cancel, |_| Ok(()))
    }

    /// Appends one token; the logits are then those after it.
    ///
    /// # Errors
    /// As [`prefill`](Self::prefill).
    pub fn decode(&mut self, token: TokenId, cancel: &Cancel) -> Result<&[f32], SessionError> {
        self.prefill(&[token], cancel)?;
        Ok(&self.logits)
    }

    /// Appends `tokens` and calls `each(i, logits)` with the logits after `tokens[i]`, for every `i`
    /// from `first` on.
    ///
    /// # Errors
    /// As [`prefill`](Self::prefill).
    pub fn score(
        &mut self,
        tokens: &[TokenId],
        first: usize,
        cancel: &Cancel,
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        let mut done = 0;
        let mut rows = Vec::new();
        let n_vocab = self.model.config().n_vocab;
        self.append(tokens, cancel, |pass| {
            for start in (first.saturating_sub(done)..pass.n).step_by(SCORE_ROWS) {
                let n = SCORE_ROWS.min(pass.n - start);
                rows.resize(n * n_vocab, 0.0);
                pass.logits(start, &mut rows)?;
                for (i, row) in rows.chunks_exact(n_vocab).enumerate() {
                    each(done + start + i, row);
                }
            }
            done += pass.n;
            Ok(())
        })
    }

    /// Computes `tokens` in batches; `outputs` is called after each.
    fn append(
        &mut self,
        tokens: &[TokenId],
        cancel: &Cancel,
        mut outputs: impl FnMut(&mut Batch<'_>) -> Result<(), SessionError>,
    ) -> Result<(), SessionError> {
        let (used, n_ctx) = (self.tokens.len(), self.kv.n_ctx());
        if tokens.is_empty() {
            return Err(SessionError::Empty);
        }
        if tokens.len() > n_ctx - used {
            return Err(SessionError::ContextFull {
                wanted: tokens.len(),
                used,
                n_ctx,
            });
        }
        let n_vocab = self.model.config().n_vocab;
        if let Some(token) = tokens.iter().find(|t| t.0 as usize >= n_vocab) {
            return Err(SessionError::UnknownToken {
                token: token.0,
                n_vocab,
            });
        }
        let n_batch = self.scratch.n_batch();
        let _visit = self.pool.visit();
        let mut pos = used;
        for batch in tokens.chunks(n_batch) {
            let mut pass = Batch {
                forward: Forward {
                    gguf: self.model.gguf(),
                    config: self.model.config(),
                    weights: self.model.weights(),
                    read_ahead: self.model.read_ahead(),
                    kernels: self.model.kernels(),
                    pool: &self.pool,
                    kv: &mut self.kv,
                    scratch: &mut self.scratch,
                    cancel,
                    engine: self.engine.as_ref(),
                    exact: self.exact,
                },
                n: batch.len(),
            };
            pass.forward.layers(batch, pos)?;
            pos += batch.len();
            outputs(&mut pass)?;
            if pos == used + tokens.len() {
                pass.logits(pass.n - 1, &mut self.next_logits)?;
            }
        }
        std::mem::swap(&mut self.logits, &mut self.next_logits);
        self.tokens.extend_from_slice(tokens);
        Ok(())
    }
}

/// Tokens whose logits [`Session::score`] computes together.
const SCORE_ROWS: usize = 16;

/// One batch that has gone through the layers.
struct Batch<'a> {
    forward: Forward<'a>,
    n: usize,
}

impl Batch<'_> {
    /// The logits after the tokens `first ..`, as many as fit `out`.
    fn logits(&mut self, first: usize, out: &mut [f32]) -> Result<(), SessionError> {
        self.forward.logits(first, out)?;
        match out.iter().position(|l| !l.is_finite()) {
            Some(i) => Err(SessionError::NotFinite {
                index: i % self.forward.config.n_vocab,
            }),
            None => Ok(()),
        }
    }
}
