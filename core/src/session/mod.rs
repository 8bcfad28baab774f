//! One sequence of tokens: its cache, its logits, and the way back.

mod ahead;
mod append;
mod error;
mod options;
mod peek;
mod save;

use std::sync::Arc;

use puna_kernels::Kernels;

pub use ahead::MAX_GUESSES;
pub use error::SessionError;
pub use options::{Memory, SessionOptions};
pub(crate) use save::Extras;

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
    /// Shared with the sessions that were forked from this one.
    pool: Arc<Pool>,
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
        let pool = Pool::on(n_threads, cores)
            .map_err(|source| SessionError::Threads { n_threads, source })?;
        let n_batch = options.n_batch.clamp(1, wanted);
        let (pool, exact) = (Arc::new(pool), options.exact);
        Ok(Self::assemble(model, pool, kv, tokens, n_batch, exact))
    }

    /// A session that has computed nothing itself: its logits are zeros.
    fn assemble(
        model: Model,
        pool: Arc<Pool>,
        kv: KvCache,
        tokens: Vec<TokenId>,
        n_batch: usize,
        exact: bool,
    ) -> Self {
        let (c, n_threads) = (model.config(), pool.n_threads());
        let forms = if exact {
            Vec::new()
        } else {
            model.activation_forms()
        };
        let query_forms = model.kernels().act_types(kv.ty().weight_type(), c.head_dim);
        let by_ggml = model.backend() == Backend::Ggml && !exact;
        Self {
            pool,
            engine: by_ggml.then(|| ggml::Engine::new(n_threads)),
            scratch: Scratch::new(c, (kv.n_ctx(), n_batch, n_threads), &forms, &query_forms),
            kv,
            tokens,
            logits: vec![0.0; c.n_vocab],
            next_logits: vec![0.0; c.n_vocab],
            ahead: Ahead::default(),
            exact,
            model,
        }
    }

    /// Another session that begins as this one: on the same model, with the same tokens, logits and
    /// options.
    ///
    /// The two share the cache's pages until one of them writes to a page, which is then copied for it, and
    /// the threads for good: sessions that compute at once take turns, loop by loop.
    #[must_use]
    pub fn fork(&self) -> Self {
        let mut tokens = Vec::with_capacity(self.n_ctx());
        tokens.extend_from_slice(&self.tokens);
        let fork = Self::assemble(
            self.model.clone(),
            Arc::clone(&self.pool),
            self.kv.share(),
            tokens,
            self.scratch.n_batch(),
            self.exact,
        );
        Self {
            logits: self.logits.clone(),
            ..fork
        }
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

    /// Keys and values of the tokens.
    #[must_use]
    pub const fn cache(&self) -> &KvCache {
        &self.kv
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
    pub fn placement(&self) -> &Placement {
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

    /// The tokens that [`prefill_to`](Self::prefill_to) would keep.
    pub(crate) fn n_in_common(&self, tokens: &[TokenId]) -> usize {
        let pairs = self.tokens.iter().zip(tokens);
        let same = pairs.take_while(|(a, b)| a == b).count();
        same.min(tokens.len().saturating_sub(1))
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
        let keep = self.n_in_common(tokens);
        self.truncate(keep);
        self.prefill(&tokens[keep..], cancel)?;
        Ok(tokens.len() - keep)
    }
}
