//! Arguments that several commands share: which model, and how it computes.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use anyhow::Result;
use clap::{
    ValueEnum,
    builder::{PathBufValueParser, TypedValueParser},
};
use puna_core::{
    cancel::Cancel,
    gguf::Gguf,
    kv_cache::KvType,
    model::{self, Model, ModelError, ModelOptions},
    placement::Cores,
    session::{Session, SessionOptions},
    tokenizer::{TokenId, Tokenizer},
};

use crate::{fetch, licence};

/// Takes a path, or the name of a model in the store, as `puna models list` tells it. What is neither
/// stays as it is, for the error of who opens it.
pub fn model_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| {
        let bare = path.components().count() == 1 && !path.exists();
        let name = path.to_str().filter(|_| bare);
        let entry = name.and_then(|name| fetch::store().ok()?.find(name).ok());
        entry.map_or(path, |entry| entry.path)
    })
}

/// How a session computes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Computation")]
pub struct ComputeArgs {
    /// Threads [default: one a fast core]
    #[arg(short, long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Cores to run on: fast (not the slow ones of a phone), any, or a list such as 4-7
    #[arg(long, value_name = "LIST", default_value = "fast")]
    pub cores: Cores,
    /// How the KV cache stores its numbers [default: f16; with --exact f32]
    #[arg(long, value_enum, value_name = "TYPE")]
    pub kv: Option<Kv>,
    /// Computes even if the session needs more memory than there is: slowly, or until the system ends it
    #[arg(long)]
    pub no_fit_check: bool,
    /// Prompt tokens that are computed together
    #[arg(short, long, value_name = "N", default_value = "512")]
    pub batch: NonZeroUsize,
    /// Computes with dequantized weights in f32: slow, for checking
    #[arg(long)]
    pub exact: bool,
    /// What multiplies matrices; ggml has more types, and needs a build with `--features ggml`
    #[arg(long, value_enum, value_name = "NAME", default_value = "puna")]
    pub backend: Backend,
    /// Accepts the licence of this name, if the model is under it and its terms ask for that
    #[arg(long, value_name = "ID")]
    pub accept_licence: Option<String>,
}

/// [`model::Backend`] by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Backend {
    Puna,
    Ggml,
}

impl From<Backend> for model::Backend {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Puna => Self::Puna,
            Backend::Ggml => Self::Ggml,
        }
    }
}

/// [`KvType`] by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kv {
    #[value(name = "f16")]
    F16,
    #[value(name = "q8_0")]
    Q8_0,
    #[value(name = "f32")]
    F32,
    #[value(name = "q4_0")]
    Q4_0,
}

impl From<Kv> for KvType {
    fn from(kv: Kv) -> Self {
        match kv {
            Kv::F16 => Self::F16,
            Kv::Q8_0 => Self::Q8_0,
            Kv::F32 => Self::F32,
            Kv::Q4_0 => Self::Q4_0,
        }
    }
}

impl ComputeArgs {
    /// Opens a model for the backend.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn model(&self, path: &Path) -> Result<Model> {
        let options = ModelOptions {
            backend: self.backend.into(),
            licences: licence::folder(),
        };
        let opened = match Model::open_with(path, &options) {
            Err(ModelError::LicenceNotAccepted { .. }) => {
                licence::settle(path, self.accept_licence.as_deref())?;
                Model::open_with(path, &options)
            }
            opened => opened,
        };
        opened.map_err(|error| naming(path, error))
    }

    /// The type of the cache.
    pub fn kv(&self) -> KvType {
        match self.kv {
            Some(kv) => kv.into(),
            None if self.exact => KvType::F32,
            None => KvType::F16,
        }
    }

    /// Options of a session of `n_ctx` tokens; `None`: the model's own, within reason.
    pub fn options(&self, n_ctx: Option<usize>) -> SessionOptions {
        SessionOptions {
            n_ctx,
            kv: self.kv(),
            n_threads: self.threads.map(NonZeroUsize::get),
            cores: self.cores.clone(),
            n_batch: self.batch.get(),
            exact: self.exact,
            check_fit: !self.no_fit_check,
            trim_dir: None,
        }
    }

    /// A session of `n_ctx` tokens; `None`: the model's own, within reason.
    pub fn session(&self, model: &Model, n_ctx: Option<usize>) -> Result<Session> {
        Ok(Session::new(model, &self.options(n_ctx))?)
    }
}

/// How long an answer may take.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Computation")]
pub struct DeadlineArgs {
    /// Ends an answer that many seconds after its question, wherever it is then; the exit code is then 124
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    deadline: Option<Duration>,
}

impl DeadlineArgs {
    /// `cancel`, with the deadline of an answer that begins now.
    pub fn limit(&self, cancel: &Cancel) -> Cancel {
        match self.deadline {
            Some(after) => cancel.with_timeout(after),
            None => cancel.clone(),
        }
    }
}

/// A time such as `2` or `0.5`.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map_err(|_| "no number".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// The context of a session that makes text.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Computation")]
pub struct ContextArgs {
    /// Tokens of context; 0: all that the model was trained for [default: those, at most 4096]
    #[arg(short, long, visible_alias = "n-ctx", value_name = "N")]
    pub ctx: Option<usize>,
}

impl ContextArgs {
    /// The number for [`ComputeArgs::session`].
    pub fn n_ctx(&self, model: &Model) -> Option<usize> {
        match self.ctx {
            Some(0) => Some(model.config().n_ctx_train),
            n_ctx => n_ctx,
        }
    }
}

/// Token ids, as in `1,2,3` or `[1, 2, 3]`.
#[derive(Clone, Debug)]
pub struct Tokens(pub Vec<TokenId>);

impl FromStr for Tokens {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let list = text.trim();
        let inside = list.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
        let ids = inside
            .unwrap_or(list)
            .split([',', ' '])
            .filter(|id| !id.is_empty());
        let ids = ids.map(|id| {
            let id = id.parse().map_err(|_| format!("`{id}` is no token id"))?;
            Ok(TokenId(id))
        });
        ids.collect::<Result<Vec<_>, String>>().map(Self)
    }
}

/// Opens a GGUF file.
///
/// # Errors
/// What is wrong with which file.
pub fn gguf(path: &Path) -> Result<Gguf> {
    Gguf::open(path).map_err(|error| naming(path, error))
}

/// Opens only the vocabulary of a model, for files that may have nothing else.
///
/// # Errors
/// What is wrong with which file.
pub fn vocabulary(path: &Path) -> Result<(Gguf, Tokenizer)> {
    let gguf = gguf(path)?;
    let tokenizer = Tokenizer::from_gguf(&gguf).map_err(|error| naming(path, error))?;
    Ok((gguf, tokenizer))
}

/// `error`, with the file that it is about.
fn naming(path: &Path, error: impl Into<anyhow::Error>) -> anyhow::Error {
    let (error, path) = (error.into(), path.display().to_string());
    if error.to_string().contains(&path) {
        error
    } else {
        error.context(path)
    }
}

/// The numbers of `tokens`, as JSON wants them.
pub fn numbers(tokens: &[TokenId]) -> Vec<u32> {
    tokens.iter().map(|token| token.0).collect()
}
