//! What can go wrong.

use std::ops::Range;

use crate::{cancel::Stopped, gguf::GgufError, kv_cache::Damaged, plan::DoesNotFit};

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
    /// There are no such tokens to be dropped.
    #[error("session: cannot drop {drop} tokens after the first {keep}: it holds {used}")]
    Shift {
        /// Tokens before them.
        keep: usize,
        /// Tokens to be dropped.
        drop: usize,
        /// Tokens held.
        used: usize,
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
    #[error("session: a {kv} cache takes heads of {wanted}, this model's have {head_dim}")]
    KvType {
        /// The type asked for.
        kv: &'static str,
        /// The widths that it takes.
        wanted: &'static str,
        /// Width of a head.
        head_dim: usize,
    },
    /// It needs more memory than this device has.
    #[error("session: {0}")]
    DoesNotFit(#[from] DoesNotFit),
    /// The system has no room for the cache.
    #[error("session: no memory for a cache of {bytes} bytes")]
    NoMemory {
        /// What it would take.
        bytes: usize,
    },
    /// The system has no room for the buffers of the computation.
    #[error("session: no memory for buffers of {bytes} bytes")]
    NoBuffers {
        /// What they would take.
        bytes: u64,
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
    /// The model's file, or that of a saved session, was cut short or cannot be looked at.
    #[error("session: {0}")]
    File(GgufError),
    /// The model's numbers overflowed: broken weights.
    #[error("session: the model computed a logit that is not finite, at token {index}")]
    NotFinite {
        /// The first such logit.
        index: usize,
    },
    /// Keys and values that [`Trim::Kv`](super::Trim::Kv) had put on disk are not what was written. After
    /// [`truncate`](super::Session::truncate) to `from` the tokens can be computed again.
    #[error(
        "session: the keys and values of tokens {from} to {to} are damaged on disk, where a trim had put them"
    )]
    Damaged {
        /// The first token whose rows are lost.
        from: usize,
        /// The token behind the last of them; later ones were not looked at.
        to: usize,
    },
    /// It was asked to stop.
    #[error("session: cancelled")]
    Cancelled,
    /// It was given a deadline, which has passed.
    #[error("session: the deadline has passed")]
    DeadlineExceeded,
}

impl SessionError {
    /// Whether the work was stopped from outside, by a cancel or a deadline: nothing is wrong, and the same call may
    /// be made again.
    #[must_use]
    pub const fn is_stop(&self) -> bool {
        matches!(self, Self::Cancelled | Self::DeadlineExceeded)
    }
}

impl From<Damaged> for SessionError {
    fn from(damaged: Damaged) -> Self {
        match damaged {
            Damaged::Rows(Range { start, end }) => Self::Damaged {
                from: start,
                to: end,
            },
            Damaged::Stopped(stopped) => stopped.into(),
        }
    }
}

impl From<Stopped> for SessionError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Cancelled => Self::Cancelled,
            Stopped::DeadlineExceeded => Self::DeadlineExceeded,
        }
    }
}
