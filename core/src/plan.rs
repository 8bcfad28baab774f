//! Whether a session fits this device, reckoned before anything is allocated.
//!
//! What is needed is reckoned by the functions that also allocate. The weights are counted whole, although they are
//! clean pages of a mapped file, which the system may drop and read again: every token reads every weight, so a
//! device that cannot hold them all reads them from storage for each token.

use puna_kernels::Kernels;

use crate::{
    device::Device,
    kv_cache::KvType,
    model::{Config, Model, scratch::Sizes},
    session::{SessionError, SessionOptions},
    tokenizer::TokenId,
    topology,
};

/// The context that is taken where none is asked for, if the model was trained for as much.
const DEFAULT_N_CTX: usize = 4_096;

/// What a session needs, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Tokens that it can hold.
    pub n_ctx: usize,
    /// Tokens that are computed together.
    pub n_batch: usize,
    /// Threads that compute.
    pub n_threads: usize,
    /// How keys and values are stored.
    pub kv: KvType,
    /// The weights, mapped from the file; without those that a backend has rearranged, which are in memory
    /// already.
    pub weights_bytes: u64,
    /// The cache, when full.
    pub kv_bytes: u64,
    /// Every other buffer of the computation.
    pub scratch_bytes: u64,
}

impl Needs {
    /// All of it.
    #[must_use]
    pub const fn total_bytes(&self) -> u64 {
        self.weights_bytes
            .saturating_add(self.kv_bytes)
            .saturating_add(self.scratch_bytes)
    }
}

/// What a session needs and what the device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the session needs.
    pub needs: Needs,
    /// What each of the system's limits leaves.
    pub device: Device,
    /// Bytes that the process may come to hold, by the strictest limit; to be compared with
    /// [`Needs::total_bytes`]. `None` where the system does not tell: then everything is said to fit.
    pub has: Option<u64>,
    /// The longest context that fits, with everything else as asked; `None` if not one token does.
    pub largest_n_ctx: Option<usize>,
}

/// A session would need more memory than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a context of {n_ctx} tokens does not fit: it needs {needs} bytes, and this device has {has}; {}",
    advice(*.largest_n_ctx)
)]
pub struct DoesNotFit {
    /// Tokens of context that were asked for.
    pub n_ctx: usize,
    /// Bytes needed: [`Needs::total_bytes`].
    pub needs: u64,
    /// Bytes there are: [`Plan::has`].
    pub has: u64,
    /// The longest context that fits; `None` if not one token does.
    pub largest_n_ctx: Option<usize>,
}

fn advice(largest_n_ctx: Option<usize>) -> String {
    match largest_n_ctx {
        Some(n) => format!("a context of up to {n} tokens would fit"),
        None => "not even a context of one token would fit".to_owned(),
    }
}

impl Plan {
    /// Whether the session fits.
    ///
    /// # Errors
    /// [`DoesNotFit`].
    pub fn check(&self) -> Result<(), DoesNotFit> {
        match self.has {
            Some(has) if self.needs.total_bytes() > has => Err(DoesNotFit {
                n_ctx: self.needs.n_ctx,
                needs: self.needs.total_bytes(),
                has,
                largest_n_ctx: self.largest_n_ctx,
            }),
            _ => Ok(()),
        }
    }
}

impl Model {
    /// What a session with these options needs, and what this device has at the moment. Allocates no buffer.
    ///
    /// # Errors
    /// [`SessionError::Context`] or [`SessionError::KvType`], as [`Session::new`](crate::session::Session::new).
    pub fn plan(&self, options: &SessionOptions) -> Result<Plan, SessionError> {
        self.plan_on(options, Device::of_this_machine())
    }

    /// As [`plan`](Self::plan), for a device that has what `device` says.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn plan_on(&self, options: &SessionOptions, device: Device) -> Result<Plan, SessionError> {
        Ok(Demand::new(self, options)?.plan(self, device))
    }
}

/// What a session is made of, resolved from its options.
pub(crate) struct Demand {
    /// The model, with kernels that are exact where that was asked for.
    pub model: Model,
    pub kv: KvType,
    pub sizes: Sizes,
}

impl Demand {
    /// Resolves what the options leave open.
    ///
    /// # Errors
    /// [`SessionError::Context`] or [`SessionError::KvType`].
    pub fn new(model: &Model, options: &SessionOptions) -> Result<Self, SessionError> {
        let (c, exact) = (model.config(), options.exact);
        let n_ctx_train = c.n_ctx_train;
        let n_ctx = options.n_ctx.unwrap_or(n_ctx_train.min(DEFAULT_N_CTX));
        if n_ctx == 0 || n_ctx > n_ctx_train {
            return Err(SessionError::Context {
                wanted: n_ctx,
                n_ctx_train,
            });
        }
        let ty = options.kv.weight_type();
        if !options.kv.takes(c.head_dim) {
            let (kv, wanted) = (options.kv.name(), options.kv.widths());
            let head_dim = c.head_dim;
            return Err(SessionError::KvType {
                wanted,
                kv,
                head_dim,
            });
        }
        let model = if exact && !model.kernels().is_exact() {
            model.clone().with_kernels(Kernels::best_exact())
        } else {
            model.clone()
        };
        let n_threads = options
            .n_threads
            .unwrap_or_else(|| topology::default_threads(&options.cores));
        let forms = if exact {
            Vec::new()
        } else {
            model.activation_forms()
        };
        let sizes = Sizes {
            n_ctx,
            n_batch: options.n_batch.clamp(1, n_ctx),
            n_threads: n_threads.max(1),
            forms,
            query_forms: model
                .kernels()
                .act_types(ty, model.config().head_dim)
                .into(),
            exact,
        };
        let kv = options.kv;
        Ok(Self { model, kv, sizes })
    }

    /// What it needs, and what `device` has for it.
    pub fn plan(&self, model: &Model, device: Device) -> Plan {
        let needs = self.needs(model, self.sizes.n_ctx);
        let has = device.room_beside(needs.weights_bytes);
        let fits = |n_ctx| has.is_none_or(|has| self.needs(model, n_ctx).total_bytes() <= has);
        // Needs grow with the context: the longest that fits is found by halving.
        let (mut fitting, mut too_long) = (0, model.config().n_ctx_train + 1);
        while too_long - fitting > 1 {
            let middle = fitting + (too_long - fitting) / 2;
            if fits(middle) {
                fitting = middle;
            } else {
                too_long = middle;
            }
        }
        Plan {
            needs,
            device,
            has,
            largest_n_ctx: Some(fitting).filter(|n| *n > 0),
        }
    }

    /// What it needs with a context of `n_ctx` tokens.
    fn needs(&self, model: &Model, n_ctx: usize) -> Needs {
        let c = model.config();
        let mut sizes = self.sizes.clone();
        sizes.n_ctx = n_ctx;
        sizes.n_batch = sizes.n_batch.min(n_ctx);
        let mapped = model.gguf().tensor_bytes();
        Needs {
            n_ctx,
            n_batch: sizes.n_batch,
            n_threads: sizes.n_threads,
            kv: self.kv,
            weights_bytes: mapped.saturating_sub(model.rearranged_bytes()),
            kv_bytes: self
                .kv
                .bytes(c, n_ctx)
                .map_or(u64::MAX, |bytes| bytes as u64),
            scratch_bytes: scratch_bytes(c, &sizes),
        }
    }
}

/// Bytes of a session's buffers but its cache: those of the pass, the tokens, the logits and the next ones.
pub(crate) fn scratch_bytes(c: &Config, sizes: &Sizes) -> u64 {
    let tokens = sizes.n_ctx as u64 * size_of::<TokenId>() as u64;
    let logits = 2 * c.n_vocab as u64 * size_of::<f32>() as u64;
    sizes.bytes(c).saturating_add(tokens + logits)
}
