//! Tensor names to matrices.

use std::collections::HashSet;

use puna_kernels::{WeightType, dequantize};

use super::{Backend, Config, ModelError};
use crate::{
    ggml,
    gguf::{Gguf, TensorInfo, shown},
    tensor::{QMatrix, weight_type},
};

/// A matrix and, where the file has one, a bias: `y = W x + b`.
#[derive(Clone, Debug)]
pub struct Linear {
    /// Shape `(n_out, n_in)`.
    pub weight: QMatrix,
    /// `n_out` numbers.
    pub bias: Option<Vec<f32>>,
    /// The matrix as ggml takes it, with [`Backend::Ggml`].
    pub(super) ggml: Option<ggml::Matrix>,
}

impl Linear {
    /// The type of a matrix that our kernels multiply.
    pub(super) fn weight_type(&self) -> WeightType {
        let ty = self.weight.weight_type();
        ty.expect("every matrix of Backend::Puna has kernels")
    }
}

/// One layer; GGUF calls it a block.
#[derive(Clone, Debug)]
pub struct Layer {
    /// `n_embd`: gains of the norm before attention.
    pub attn_norm: Vec<f32>,
    /// `n_embd → n_head * head_dim`.
    pub attn_q: Linear,
    /// `n_embd → n_head_kv * head_dim`.
    pub attn_k: Linear,
    /// `n_embd → n_head_kv * head_dim`.
    pub attn_v: Linear,
    /// `n_head * head_dim → n_embd`.
    pub attn_output: Linear,
    /// `n_embd`: gains of the norm before the feed-forward network.
    pub ffn_norm: Vec<f32>,
    /// `n_embd → n_ff`.
    pub ffn_gate: Linear,
    /// `n_embd → n_ff`.
    pub ffn_up: Linear,
    /// `n_ff → n_embd`.
    pub ffn_down: Linear,
}

/// Every weight of a model: matrices as places in the mapped file, the small vectors copied.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Shape `(n_vocab, n_embd)`; a token's row is read in place.
    pub token_embd: QMatrix,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
    /// `n_embd`: gains of the last norm.
    pub output_norm: Vec<f32>,
    /// `n_embd → n_vocab`; the embedding itself where the file has no own matrix.
    pub output: Linear,
    /// `rope_dim / 2` divisors of the rotation's frequencies (Llama 3.1), if the file has them.
    pub rope_freqs: Option<Vec<f32>>,
}

impl Weights {
    /// Finds and checks every tensor of the architecture.
    ///
    /// # Errors
    /// [`ModelError`] for a tensor that is missing, of the wrong shape or type, or unknown; and where
    /// the backend is not in this build, or has no memory for what it rearranges.
    pub fn from_gguf(gguf: &Gguf, config: &Config, backend: Backend) -> Result<Self, ModelError> {
        if !backend.is_available() {
            return Err(ModelError::NoBackend { backend });
        }
        if gguf.tensors().len() == 0 {
            return Err(ModelError::NoTensors);
        }
        let mut file = Finder {
            gguf,
            backend,
            seen: HashSet::new(),
        };
        let c = config;
        let token_embd = file.matrix("token_embd.weight", c.n_embd, c.n_vocab)?;
        let mut layers = Vec::new();
        for i in 0..c.n_layer {
            let name = |part: &str| format!("blk.{i}.{part}");
            layers.push(Layer {
                attn_norm: file.vector(&name("attn_norm.weight"), c.n_embd)?,
                attn_q: file.linear(&name("attn_q"), c.n_embd, c.n_embd_q())?,
                attn_k: file.linear(&name("attn_k"), c.n_embd, c.n_embd_kv())?,
                attn_v: file.linear(&name("attn_v"), c.n_embd, c.n_embd_kv())?,
                attn_output: file.linear(&name("attn_output"), c.n_embd_q(), c.n_embd)?,
                ffn_norm: file.vector(&name("ffn_norm.weight"), c.n_embd)?,
                ffn_gate: file.linear(&name("ffn_gate"), c.n_embd, c.n_ff)?,
                ffn_up: file.linear(&name("ffn_up"), c.n_embd, c.n_ff)?,
                ffn_down: file.linear(&name("ffn_down"), c.n_ff, c.n_embd)?,
            });
            // Files of 2023 carry the rotation's base frequencies, which follow from `rope_base`.
            file.seen.insert(name("attn_rot_embd.weight"));
        }
        let output_norm = file.vector("output_norm.weight", c.n_embd)?;
        let output = match gguf.tensor("output.weight") {
            Some(_) => file.linear("output", c.n_embd, c.n_vocab)?,
            None => file.with_bias("token_embd.weight", token_embd.clone(), None)?,
        };
        let rope_freqs = match gguf.tensor("rope_freqs.weight") {
            Some(_) => Some(file.vector("rope_freqs.weight", c.rope_dim / 2)?),
            None => None,
        };
        if let Some(t) = gguf.tensors().find(|t| !file.seen.contains(t.name())) {
            return Err(ModelError::UnknownTensor {
                name: shown(t.name()),
            });
        }
        Ok(Self {
            token_embd,
            layers,
            output_norm,
            output,
            rope_freqs,
        })
    }
}

impl Weights {
    /// The matrices that meet activations: all but the embedding.
    pub(super) fn matrices(&self) -> impl Iterator<Item = &Linear> {
        let layers = self.layers.iter().flat_map(Layer::matrices);
        layers.chain([&self.output])
    }
}

impl Layer {
    /// Its matrices, in the order in which they are used.
    pub(super) fn matrices(&self) -> impl Iterator<Item = &Linear> {
        let attention = [&self.attn_q, &self.attn_k, &self.attn_v, &self.attn_output];
        let ffn = [&self.ffn_gate, &self.ffn_up, &self.ffn_down];
        attention.into_iter().chain(ffn)
    }
}

struct Finder<'a> {
    gguf: &'a Gguf,
    backend: Backend,
    seen: HashSet<String>,
}

impl<'a> Finder<'a> {
    fn tensor(&mut self, name: &str, shape: [usize; 2]) -> Result<&'a TensorInfo, ModelError> {
        let info = self
            .gguf
            .tensor(name)
            .ok_or_else(|| ModelError::MissingTensor {
                name: name.to_owned(),
            })?;
        self.seen.insert(name.to_owned());
        let had = [info.ne(0), info.n_rows()];
        if had != shape.map(|n| n as u64) {
            return Err(ModelError::TensorShape {
                name: name.to_owned(),
                wanted: shape,
                had,
            });
        }
        Ok(info)
    }

    fn matrix(&mut self, name: &str, n_in: usize, n_out: usize) -> Result<QMatrix, ModelError> {
        let info = self.tensor(name, [n_in, n_out])?;
        QMatrix::new(info, self.backend).ok_or_else(|| ModelError::TensorType {
            name: name.to_owned(),
            ty: info.ty(),
            by: info.ty().ggml_multiplies().then_some(Backend::Ggml),
        })
    }

    fn linear(&mut self, part: &str, n_in: usize, n_out: usize) -> Result<Linear, ModelError> {
        let name = format!("{part}.weight");
        let weight = self.matrix(&name, n_in, n_out)?;
        let bias = format!("{part}.bias");
        let bias = match self.gguf.tensor(&bias) {
            Some(_) => Some(self.vector(&bias, n_out)?),
            None => None,
        };
        self.with_bias(&name, weight, bias)
    }

    /// The matrix of tensor `name`, ready for the backend.
    fn with_bias(
        &self,
        name: &str,
        weight: QMatrix,
        bias: Option<Vec<f32>>,
    ) -> Result<Linear, ModelError> {
        let ggml = match self.backend {
            Backend::Puna => None,
            Backend::Ggml => {
                Some(
                    weight
                        .for_ggml(self.gguf)
                        .ok_or_else(|| ModelError::NoMemory {
                            name: name.to_owned(),
                            bytes: weight.rows(self.gguf, 0..weight.n_rows()).len() as u64,
                        })?,
                )
            }
        };
        Ok(Linear { weight, bias, ggml })
    }

    fn vector(&mut self, name: &str, n: usize) -> Result<Vec<f32>, ModelError> {
        let info = self.tensor(name, [n, 1])?;
        let ty = match weight_type(info.ty()) {
            Some(ty @ (WeightType::F32 | WeightType::F16 | WeightType::BF16)) => ty,
            _ => {
                return Err(ModelError::TensorType {
                    name: name.to_owned(),
                    ty: info.ty(),
                    by: None,
                });
            }
        };
        let mut values = vec![0.0; n];
        dequantize(ty, self.gguf.bytes(info), &mut values);
        match values.iter().position(|v| !v.is_finite()) {
            Some(index) => Err(ModelError::NotFinite {
                name: name.to_owned(),
                index,
            }),
            None => Ok(values),
        }
    }
}
