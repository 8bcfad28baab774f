//! The `llama` architecture: LLaMA 1, Llama 2 and 3, TinyLlama, Mistral, SmolLM2.

mod attention;
mod backend;
mod config;
mod error;
mod fingerprint;
pub(crate) mod forward;
mod linear;
mod preload;
pub(crate) mod read_ahead;
pub(crate) mod rope;
pub(crate) mod scratch;
mod weights;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use puna_kernels::{ActType, Kernels, race};

pub use backend::Backend;
pub use config::Config;
pub use error::{IsaError, ModelError};
pub use fingerprint::Fingerprint;
pub use weights::{Layer, Linear, Weights};

use self::read_ahead::ReadAhead;
use crate::{gguf::Gguf, licence, tokenizer::Tokenizer};

/// How a model is opened.
#[derive(Clone, Debug, Default)]
pub struct ModelOptions {
    /// What multiplies its matrices.
    pub backend: Backend,
    /// Where acceptances of licences are looked for, besides beside the file: for files that lie where
    /// nothing can be written, or have no path.
    pub licences: Option<PathBuf>,
}

/// An open model: the mapped file, its vocabulary, and where each weight lies.
///
/// Cheap to clone; clones share everything. Sessions keep the model open.
#[derive(Clone, Debug)]
pub struct Model {
    file: Arc<File>,
    kernels: Arc<Kernels>,
}

#[derive(Debug)]
struct File {
    gguf: Gguf,
    config: Config,
    weights: Weights,
    tokenizer: Tokenizer,
    backend: Backend,
    read_ahead: ReadAhead,
    fingerprint: OnceLock<Fingerprint>,
}

impl Model {
    /// Opens a GGUF file (of a split model: its first part). The weights stay in the file, mapped.
    ///
    /// # Errors
    /// [`ModelError`]: the file cannot be read, is not valid, or is not a model that can be run here; or
    /// its licence asks for acceptance ([`ModelError::LicenceNotAccepted`]).
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        Self::open_with(path, &ModelOptions::default())
    }

    /// As [`open`](Self::open), with options.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`ModelError::NoBackend`].
    pub fn open_with(path: &Path, options: &ModelOptions) -> Result<Self, ModelError> {
        Self::licensed(Gguf::open(path)?, Some(path), options)
    }

    /// As [`open`](Self::open), of a file that is already mapped. It has no path, so nothing that lies
    /// beside it is looked at.
    ///
    /// The kernels are the best for this CPU, or those that the environment variable `PUNA_ISA` names.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_gguf(gguf: Gguf) -> Result<Self, ModelError> {
        Self::from_gguf_with(gguf, &ModelOptions::default())
    }

    /// As [`from_gguf`](Self::from_gguf), with options.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn from_gguf_with(gguf: Gguf, options: &ModelOptions) -> Result<Self, ModelError> {
        Self::licensed(gguf, None, options)
    }

    /// Opens a model whose licence needs no acceptance, or has it.
    fn licensed(
        gguf: Gguf,
        path: Option<&Path>,
        options: &ModelOptions,
    ) -> Result<Self, ModelError> {
        let backend = options.backend;
        let config = Config::from_gguf(&gguf)?;
        if let Some(licence) = licence::of(&gguf, path)
            && licence.asks
            && licence::accepted(&licence, path, options.licences.as_deref()).is_none()
        {
            return Err(ModelError::LicenceNotAccepted {
                summary: licence.summary(),
                id: licence.id,
            });
        }
        let weights = Weights::from_gguf(&gguf, &config, backend)?;
        let tokenizer = Tokenizer::from_gguf(&gguf)?;
        let kernels = match std::env::var("PUNA_ISA") {
            Ok(name) => Kernels::named(&name).map_err(IsaError)?,
            Err(_) => Kernels::best(),
        };
        log::debug!(
            "backend {}, kernels: {}",
            backend.name(),
            kernels.isa().name()
        );
        log::debug!("times of the tiers: {:?}", race::times());
        Ok(Self {
            file: Arc::new(File {
                gguf,
                config,
                weights,
                tokenizer,
                backend,
                read_ahead: ReadAhead::default(),
                fingerprint: OnceLock::new(),
            }),
            kernels: Arc::new(kernels),
        })
    }

    /// The same model with other kernels; clones keep theirs.
    #[must_use]
    pub fn with_kernels(self, kernels: Kernels) -> Self {
        Self {
            kernels: Arc::new(kernels),
            ..self
        }
    }

    /// The file.
    #[must_use]
    pub fn gguf(&self) -> &Gguf {
        &self.file.gguf
    }

    /// Hyperparameters.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.file.config
    }

    /// Where each weight lies.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.file.weights
    }

    /// How far the weights were asked for.
    pub(crate) fn read_ahead(&self) -> &ReadAhead {
        &self.file.read_ahead
    }

    /// Gives the memory of the mapped file back to the system, for every clone. It is read again, layer by layer, by
    /// the next call that computes.
    pub fn release_pages(&self) {
        self.file.gguf.release_pages();
        self.file.read_ahead.forget();
    }

    /// The vocabulary.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.file.tokenizer
    }

    /// What multiplies the matrices.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.file.backend
    }

    /// What tells this model from others; computed when first asked for.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let fingerprint = &self.file.fingerprint;
        *fingerprint.get_or_init(|| Fingerprint::of(self.gguf()))
    }

    /// The kernels in use.
    #[must_use]
    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// The forms in which activations meet this model's matrices, each once; none where our kernels do
    /// not multiply them.
    #[must_use]
    pub fn activation_forms(&self) -> Vec<ActType> {
        let mut forms = Vec::new();
        if self.backend() == Backend::Puna {
            for linear in self.weights().matrices() {
                let k = linear.weight.n_cols();
                for form in self.kernels.act_types(linear.weight_type(), k) {
                    if form != ActType::F32 && !forms.contains(&form) {
                        forms.push(form);
                    }
                }
            }
        }
        forms
    }

    /// Bytes of the weights that the backend keeps rearranged, besides those in the file.
    #[must_use]
    pub fn rearranged_bytes(&self) -> u64 {
        let matrices = self.weights().matrices();
        let bytes = matrices.filter_map(|linear| linear.ggml.as_ref());
        bytes.map(|matrix| matrix.bytes() as u64).sum()
    }
}
