//! One sequence of tokens: its cache, its logits, and the way back.

mod ahead;
mod append;
mod error;
mod options;
mod peek;

use puna_kernels::Kernels;

pub use ahead::MAX_GUESSES;
pub use error::SessionError;
pub use options::{Memory, SessionOptions};

use self::{ahead::Ahead, options::DEFAULT_N_CTX};
use crate::{
    cancel::Cancel,
    ggml,
    kv_cache::KvCache,
    model::{Backend, Model, scratch::Scratch},
    placement::Placement,
    pool::Pool,
    tokenizer::TokenId,
    topology::{self, Topology},
};

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
    /// Tokens behind those held that are computed but not the session's.
    ahead: Ahead,
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
            ahead: Ahead::default(),
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
            scratch_bytes: (self.scratch.bytes() + 8 * self.logits.len() + self.ahead.bytes())
                as u64,
        }
    }

    /// Forgets all but the first `n` tokens. The logits stay those of the last computed token, so at
    /// least one token must be computed before they mean anything again.
    pub fn truncate(&mut self, n: usize) {
        self.ahead.clear();
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
}
