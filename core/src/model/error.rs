//! Why a model cannot be run.

use super::Backend;
use crate::{gguf::GgmlType, gguf::GgufError, tokenizer::TokenizerError};

/// Why a file that is valid GGUF is not a model that this crate runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file itself.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// Its vocabulary.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Another architecture.
    #[error("model: general.architecture is \"{had}\", wanted \"llama\"")]
    Architecture {
        /// What the file says, escaped and shortened.
        had: String,
    },
    /// A hyperparameter that makes no sense or is not supported.
    #[error("model: {key} is {had}, wanted {wanted}")]
    Config {
        /// The metadata key.
        key: &'static str,
        /// What it should be.
        wanted: String,
        /// What the file says.
        had: String,
    },
    /// Its terms ask for acceptance, and nobody has accepted them: [`crate::licence::accept`].
    #[error("model: the licence {id} is not accepted: {summary}")]
    LicenceNotAccepted {
        /// [`Licence::id`](crate::licence::Licence::id).
        id: String,
        /// What it is, and where to read it.
        summary: String,
    },
    /// The file has only a vocabulary.
    #[error("model: the file has no tensors, only a vocabulary")]
    NoTensors,
    /// A tensor is not in the file.
    #[error("model: tensor {name} is missing")]
    MissingTensor {
        /// Its name.
        name: String,
    },
    /// A tensor of another shape.
    #[error("model: tensor {name} has shape {had:?}, wanted {wanted:?}")]
    TensorShape {
        /// Its name.
        name: String,
        /// Columns and rows wanted.
        wanted: [usize; 2],
        /// Columns and rows in the file.
        had: [u64; 2],
    },
    /// A tensor of a type without kernels, or one that makes no sense at its place.
    #[error("model: tensor {name} has type {ty}, which cannot be run here{}", remedy(*by))]
    TensorType {
        /// Its name.
        name: String,
        /// Its type.
        ty: GgmlType,
        /// The backend that can run it, if there is one.
        by: Option<Backend>,
    },
    /// A tensor that this architecture does not use: ignoring it would compute something else.
    #[error("model: tensor {name} is not part of the llama architecture")]
    UnknownTensor {
        /// Its name, escaped and shortened.
        name: String,
    },
    /// A backend that was left out of this build.
    #[error(
        "model: this build has no backend {name}; `cargo build --release --features {name}` makes one",
        name = backend.name()
    )]
    NoBackend {
        /// What was asked for.
        backend: Backend,
    },
    /// The system has no room for the form in which the backend wants a matrix.
    #[error("model: no memory to rearrange the {bytes} bytes of tensor {name}")]
    NoMemory {
        /// Its name.
        name: String,
        /// Its bytes in the file.
        bytes: u64,
    },
    /// The norms or biases hold NaN or an infinity.
    #[error("model: tensor {name} is not finite at element {index}")]
    NotFinite {
        /// Its name.
        name: String,
        /// The first such element.
        index: usize,
    },
    /// `PUNA_ISA` names an instruction set that is not there.
    #[error("PUNA_ISA: {0}")]
    Isa(#[from] IsaError),
}

/// What to do about a type without kernels.
fn remedy(by: Option<Backend>) -> String {
    match by.map(Backend::name) {
        Some(name) => format!("; `--backend {name}` of a build with `--features {name}` can"),
        None => String::new(),
    }
}

/// A forced instruction set that this CPU does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IsaError(pub puna_kernels::UnavailableIsa);
