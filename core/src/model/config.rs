//! Hyperparameters, by GGUF's names.

use super::ModelError;
use crate::gguf::{Gguf, shown};

/// The shape of a model of the `llama` architecture.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The longest context that it was trained for, in tokens.
    pub n_ctx_train: usize,
    /// Width of the residual stream.
    pub n_embd: usize,
    /// Layers.
    pub n_layer: usize,
    /// Query heads.
    pub n_head: usize,
    /// Key and value heads; each serves `n_head / n_head_kv` query heads (Ainslie et al. 2023).
    pub n_head_kv: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Width of the feed-forward network.
    pub n_ff: usize,
    /// Tokens in the vocabulary.
    pub n_vocab: usize,
    /// Dimensions of a head that are rotated, from the first; even.
    pub rope_dim: usize,
    /// Base of the rotation's frequencies.
    pub rope_base: f32,
    /// Factor on positions: below 1 for a context stretched by linear scaling (Chen et al. 2023).
    pub rope_scale: f32,
    /// Added to the mean square in RMSNorm.
    pub rms_eps: f32,
}

/// More layers than any model has: a file that claims more is broken.
const MAX_LAYERS: usize = 1_024;
/// A bound on widths that keeps every product of two of them far from overflow.
const MAX_WIDTH: usize = 1 << 24;

impl Config {
    /// Reads and checks the keys `llama.*`.
    ///
    /// # Errors
    /// [`ModelError`] for another architecture, and for keys that are absent, of the wrong type, or
    /// that do not fit each other.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, ModelError> {
        let architecture = gguf.require_str("general.architecture")?;
        if architecture != "llama" {
            return Err(ModelError::Architecture {
                had: shown(architecture),
            });
        }
        let n_embd = width(gguf, "llama.embedding_length", None)?;
        let n_head = width(gguf, "llama.attention.head_count", None)?;
        let n_head_kv = width(gguf, "llama.attention.head_count_kv", Some(n_head))?;
        if n_head % n_head_kv != 0 {
            return Err(config(
                "llama.attention.head_count_kv",
                format!("a divisor of head_count {n_head}"),
                n_head_kv,
            ));
        }
        if gguf.u32("llama.attention.key_length")?.is_none() && n_embd % n_head != 0 {
            return Err(config(
                "llama.attention.head_count",
                format!("a divisor of embedding_length {n_embd}"),
                n_head,
            ));
        }
        let head_dim = width(gguf, "llama.attention.key_length", Some(n_embd / n_head))?;
        let value_length = width(gguf, "llama.attention.value_length", Some(head_dim))?;
        if value_length != head_dim {
            let wanted = format!("key_length {head_dim}");
            return Err(config("llama.attention.value_length", wanted, value_length));
        }
        let rope_dim = width(gguf, "llama.rope.dimension_count", Some(head_dim))?;
        if rope_dim > head_dim || rope_dim % 2 != 0 {
            let wanted = format!("an even number up to the head's {head_dim}");
            return Err(config("llama.rope.dimension_count", wanted, rope_dim));
        }
        let n_layer = width(gguf, "llama.block_count", None)?;
        if n_layer > MAX_LAYERS {
            return Err(config(
                "llama.block_count",
                format!("up to {MAX_LAYERS}"),
                n_layer,
            ));
        }
        let experts = gguf.u32("llama.expert_count")?.unwrap_or(0);
        if experts != 0 {
            let wanted = "0 (mixtures of experts are not supported)".to_owned();
            return Err(config("llama.expert_count", wanted, experts));
        }
        Ok(Self {
            n_ctx_train: gguf.require_u32("llama.context_length")?.max(1) as usize,
            n_embd,
            n_layer,
            n_head,
            n_head_kv,
            head_dim,
            n_ff: width(gguf, "llama.feed_forward_length", None)?,
            n_vocab: gguf.require_strings("tokenizer.ggml.tokens")?.len(),
            rope_dim,
            rope_base: positive(gguf, "llama.rope.freq_base", Some(10_000.0))?,
            rope_scale: rope_scale(gguf)?,
            rms_eps: positive(gguf, "llama.attention.layer_norm_rms_epsilon", None)?,
        })
    }

    /// Width of all query heads together.
    #[must_use]
    pub const fn n_embd_q(&self) -> usize {
        self.n_head * self.head_dim
    }

    /// Width of all key (or value) heads together.
    #[must_use]
    pub const fn n_embd_kv(&self) -> usize {
        self.n_head_kv * self.head_dim
    }

    /// Query heads that share a key head.
    #[must_use]
    pub const fn n_group(&self) -> usize {
        self.n_head / self.n_head_kv
    }
}

fn config(key: &'static str, wanted: String, had: impl ToString) -> ModelError {
    ModelError::Config {
        key,
        wanted,
        had: had.to_string(),
    }
}

fn width(gguf: &Gguf, key: &'static str, default: Option<usize>) -> Result<usize, ModelError> {
    let value = match (gguf.u32(key)?, default) {
        (Some(value), _) => value as usize,
        (None, Some(default)) => default,
        (None, None) => gguf.require_u32(key)? as usize,
    };
    if value == 0 || value > MAX_WIDTH {
        return Err(config(key, format!("1 to {MAX_WIDTH}"), value));
    }
    Ok(value)
}

fn positive(gguf: &Gguf, key: &'static str, default: Option<f32>) -> Result<f32, ModelError> {
    let value = match (gguf.f32(key)?, default) {
        (Some(value), _) => value,
        (None, Some(default)) => default,
        (None, None) => gguf.require_f32(key)?,
    };
    if !(value.is_finite() && value > 0.0) {
        return Err(config(key, "a positive number".to_owned(), value));
    }
    Ok(value)
}

/// `llama.rope.scaling.*`, or the older `llama.rope.scale_linear`.
fn rope_scale(gguf: &Gguf) -> Result<f32, ModelError> {
    let key = "llama.rope.scaling.type";
    match gguf.str(key)? {
        Some("none") => Ok(1.0),
        None | Some("linear") => {
            let old = positive(gguf, "llama.rope.scale_linear", Some(1.0))?;
            Ok(1.0 / positive(gguf, "llama.rope.scaling.factor", Some(old))?)
        }
        Some(other) => Err(config(
            key,
            "\"none\" or \"linear\"".to_owned(),
            format!("\"{}\"", shown(other)),
        )),
    }
}
