//! What a session is asked for, and what it takes.

use std::path::PathBuf;

use crate::{kv_cache::KvType, placement::Cores};

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
    /// Refuses a session that [`Model::plan`](crate::model::Model::plan) says does not fit this device. `false`:
    /// it is made wherever the system gives the memory, though it may be slow, or the system may end the process.
    pub check_fit: bool,
    /// The folder in which [`Trim::Kv`](super::Trim::Kv) puts the cache, made when it is first needed: on an app's own storage.
    /// `None`: the system's folder for temporary files, which on some systems is itself in memory.
    pub trim_dir: Option<PathBuf>,
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
            check_fit: true,
            trim_dir: None,
        }
    }
}
