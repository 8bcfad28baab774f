//! One sequence of tokens: its cache, its logits, and the way back.

mod ahead;
mod append;
mod error;
mod options;
mod peek;
mod save;
mod shift;
mod trim;

use std::{path::PathBuf, sync::Arc};

pub use ahead::MAX_GUESSES;
pub use error::SessionError;
pub use options::{Memory, SessionOptions};
pub(crate) use save::Extras;
pub use trim::Trim;

use self::ahead::Ahead;
use crate::{
    cancel::{Cancel, Watch},
    device::Device,
    ggml,
    kv_cache::KvCache,
    model::{
        Backend, Config, Model,
        scratch::{Scratch, Sizes},
    },
    placement::Placement,
    plan::{self, Demand},
    pool::Pool,
    tokenizer::TokenId,
    topology::Topology,
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
    /// `None` from a fork or a trim to the next call.
    scratch: Option<Scratch>,
    sizes: Sizes,
    tokens: Vec<TokenId>,
    logits: Vec<f32>,
    /// Where logits are computed: they only become the session's once all went well. Empty from a trim to the next
    /// call.
    next_logits: Vec<f32>,
    /// Tokens behind those held that are computed but not the session's.
    ahead: Ahead,
    exact: bool,
    /// As in the options.
    trim_dir: Option<PathBuf>,
}

impl Session {
    /// An empty session.
    ///
    /// # Errors
    /// [`SessionError::Context`], [`SessionError::KvType`], [`SessionError::DoesNotFit`],
    /// [`SessionError::NoMemory`] or [`SessionError::Threads`].
    pub fn new(model: &Model, options: &SessionOptions) -> Result<Self, SessionError> {
        let demand = Demand::new(model, options)?;
        if options.check_fit {
            demand.plan(model, Device::of_this_machine()).check()?;
        }
        let Demand { model, kv, sizes } = demand;
        let (c, n_ctx, n_threads) = (model.config(), sizes.n_ctx, sizes.n_threads);
        let cores = options.cores.to_ask(&Topology::of_this_machine());
        let bytes = kv.bytes(c, n_ctx).unwrap_or(usize::MAX);
        let kv = KvCache::new(kv, c, n_ctx).ok_or(SessionError::NoMemory { bytes })?;
        let mut tokens = Vec::new();
        tokens
            .try_reserve_exact(n_ctx)
            .map_err(|_| SessionError::NoMemory { bytes })?;
        let scratch = Scratch::new(c, &sizes).ok_or_else(|| no_buffers(c, &sizes))?;
        let pool = Pool::on(n_threads, cores)
            .map_err(|source| SessionError::Threads { n_threads, source })?;
        let (pool, exact) = (Arc::new(pool), options.exact);
        Ok(Self {
            scratch: Some(scratch),
            trim_dir: options.trim_dir.clone(),
            ..Self::assemble(model, pool, kv, tokens, sizes, exact)
        })
    }

    /// A session that has computed nothing itself: its logits are zeros, and the next call makes its buffers.
    fn assemble(
        model: Model,
        pool: Arc<Pool>,
        kv: KvCache,
        tokens: Vec<TokenId>,
        sizes: Sizes,
        exact: bool,
    ) -> Self {
        let c = model.config();
        let by_ggml = model.backend() == Backend::Ggml && !exact;
        Self {
            engine: by_ggml.then(|| ggml::Engine::new(pool.n_threads())),
            pool,
            kv,
            scratch: None,
            sizes,
            tokens,
            logits: vec![0.0; c.n_vocab],
            next_logits: vec![0.0; c.n_vocab],
            ahead: Ahead::default(),
            exact,
            trim_dir: None,
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
            self.sizes.clone(),
            self.exact,
        );
        Self {
            logits: self.logits.clone(),
            trim_dir: self.trim_dir.clone(),
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
            scratch_bytes: plan::scratch_bytes(self.model.config(), &self.sizes)
                + self.ahead.bytes() as u64,
        }
    }

    /// Forgets all but the first `n` tokens. The logits stay those of the last computed token, so at
    /// least one token must be computed before they mean anything again.
    pub fn truncate(&mut self, n: usize) {
        self.ahead.clear();
        self.tokens.truncate(n);
    }

    /// Makes sure that rows which lie on disk since a [`trim`](Self::trim) are what was written there. Every call
    /// that reads them does so first, once.
    pub(crate) fn check_rows(&self, cancel: &Cancel) -> Result<(), SessionError> {
        Ok(self.kv.check(self.tokens.len(), &Watch::new(cancel))?)
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

/// The system has no room for the buffers.
fn no_buffers(c: &Config, sizes: &Sizes) -> SessionError {
    let bytes = sizes.bytes(c);
    SessionError::NoBuffers { bytes }
}
