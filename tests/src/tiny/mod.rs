//! Tiny models of the `llama` architecture with random weights, made in memory.
//!
//! A [`Shape`] says what to make, [`Tiny`] is the made model: its keys and tensors can still be changed
//! before [`Tiny::bytes`] writes the file. [`crate::paper`] computes from the same tensors.

mod vocab;
mod weights;

use puna_core::{
    gguf::{GgmlType, Gguf, OwnedValue, Writer},
    model::{Backend, Model, ModelError, ModelOptions},
    tokenizer::TokenId,
};
use puna_kernels::{Kernels, WeightType};

pub use vocab::keys as vocabulary;
pub use weights::{Rng, ggml_type, random};

/// Tokens in every tiny model's vocabulary.
pub const N_VOCAB: usize = 300;
/// The models' training context, if the shape says nothing else.
pub const N_CTX: usize = 1024;

/// What a tiny model is like. Start from [`Shape::of`] and change what the test is about.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What the weights follow from.
    pub seed: u64,
    /// Layers.
    pub n_layer: usize,
    /// Width of the residual stream.
    pub n_embd: usize,
    /// Query heads.
    pub n_head: usize,
    /// Key and value heads.
    pub n_head_kv: usize,
    /// Width of a head; written as `key_length` where it is not `n_embd / n_head`.
    pub head_dim: usize,
    /// Width of the feed-forward network.
    pub n_ff: usize,
    /// Dimensions of a head that are rotated; written where they are not all.
    pub rope_dim: usize,
    /// Base of the rotation's frequencies.
    pub rope_base: f32,
    /// Factor by which linear scaling stretches the context, and the key that says so.
    pub rope_stretch: Option<(&'static str, f32)>,
    /// Has `rope_freqs.weight`.
    pub rope_freqs: bool,
    /// Has no output matrix of its own.
    pub tied: bool,
    /// Every matrix but the embedding has a bias.
    pub bias: bool,
    /// Types of the matrices, in turn; one that does not fit a matrix's rows is passed over.
    pub types: Vec<WeightType>,
    /// Type of the norms and biases.
    pub vector_type: WeightType,
}

impl Shape {
    /// Two layers of type `ty`, three query heads on each of two key heads, no two widths alike.
    #[must_use]
    pub fn of(ty: WeightType) -> Self {
        let (n_embd, head_dim, n_ff) = match ty.block_len() {
            // No multiples of a SIMD register.
            1 => (120, 20, 77),
            32 => (192, 32, 160),
            _ => (256, 128, 512),
        };
        let (n_head, n_head_kv) = match ty.block_len() {
            256 => (2, 1),
            _ => (6, 2),
        };
        Self {
            seed: 1 + ty as u64,
            n_layer: 2,
            n_embd,
            n_head,
            n_head_kv,
            head_dim,
            n_ff,
            rope_dim: head_dim,
            rope_base: 10_000.0,
            rope_stretch: None,
            rope_freqs: false,
            tied: false,
            bias: false,
            types: vec![ty],
            vector_type: WeightType::F32,
        }
    }

    /// Sets the heads; the head's width stays.
    #[must_use]
    pub const fn heads(mut self, n_head: usize, n_head_kv: usize) -> Self {
        self.n_head = n_head;
        self.n_head_kv = n_head_kv;
        self
    }

    /// Sets the head's width, all of it rotated.
    #[must_use]
    pub const fn head_dim(mut self, head_dim: usize) -> Self {
        self.head_dim = head_dim;
        self.rope_dim = head_dim;
        self
    }

    fn keys(&self) -> Vec<(String, OwnedValue)> {
        let mut keys = vec![
            ("general.architecture".to_owned(), "llama".into()),
            ("general.name".to_owned(), "tiny".into()),
        ];
        let mut llama = |name: &str, value: OwnedValue| keys.push((format!("llama.{name}"), value));
        let count = |n: usize| OwnedValue::U32(n as u32);
        llama("context_length", count(N_CTX));
        llama("embedding_length", count(self.n_embd));
        llama("block_count", count(self.n_layer));
        llama("feed_forward_length", count(self.n_ff));
        llama("attention.head_count", count(self.n_head));
        if self.n_head_kv != self.n_head {
            llama("attention.head_count_kv", count(self.n_head_kv));
        }
        if self.head_dim * self.n_head != self.n_embd {
            llama("attention.key_length", count(self.head_dim));
            llama("attention.value_length", count(self.head_dim));
        }
        if self.rope_dim != self.head_dim {
            llama("rope.dimension_count", count(self.rope_dim));
        }
        llama("rope.freq_base", self.rope_base.into());
        llama("attention.layer_norm_rms_epsilon", 1e-5f32.into());
        if let Some((key, factor)) = self.rope_stretch {
            if key == "rope.scaling.factor" {
                llama("rope.scaling.type", "linear".into());
            }
            llama(key, factor.into());
        }
        keys.extend(vocabulary(N_VOCAB));
        keys
    }
}

/// A tensor of a tiny model.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// GGUF's name.
    pub name: String,
    /// Its type in the file.
    pub ty: GgmlType,
    /// Columns, then rows; a vector has no rows.
    pub dims: Vec<u64>,
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// What the bytes mean.
    pub values: Vec<f32>,
}

/// A made model.
#[derive(Clone, Debug)]
pub struct Tiny {
    /// What it was made from.
    pub shape: Shape,
    /// Its metadata.
    pub keys: Vec<(String, OwnedValue)>,
    /// Its tensors.
    pub tensors: Vec<Tensor>,
}

impl Tiny {
    /// A model for tests of sessions: two heads of queries for one of keys, wide enough for every type of the cache.
    #[must_use]
    pub fn for_sessions() -> Self {
        Self::new(Shape {
            n_embd: 64,
            n_ff: 96,
            ..Shape::of(WeightType::Q8_0).heads(4, 2)
        })
    }

    /// Makes the model of a shape.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let mut tiny = Self {
            keys: shape.keys(),
            tensors: Vec::new(),
            shape: shape.clone(),
        };
        let mut rng = Rng::new(shape.seed);
        let (q, kv) = (
            shape.n_head * shape.head_dim,
            shape.n_head_kv * shape.head_dim,
        );
        // As output it would else find every token most like itself.
        let embedding = if shape.tied {
            2.0 / (shape.n_embd as f32).sqrt()
        } else {
            1.0
        };
        tiny.matrix(&mut rng, "token_embd", shape.n_embd, N_VOCAB, embedding);
        for i in 0..shape.n_layer {
            let name = |part: &str| format!("blk.{i}.{part}");
            let n_embd = shape.n_embd;
            tiny.vector(&mut rng, &name("attn_norm.weight"), n_embd, 1.0);
            tiny.linear(&mut rng, &name("attn_q"), n_embd, q, 1.0);
            tiny.linear(&mut rng, &name("attn_k"), n_embd, kv, 1.0);
            tiny.linear(&mut rng, &name("attn_v"), n_embd, kv, 1.0);
            tiny.linear(&mut rng, &name("attn_output"), q, n_embd, 1.0);
            tiny.vector(&mut rng, &name("ffn_norm.weight"), n_embd, 1.0);
            tiny.linear(&mut rng, &name("ffn_gate"), n_embd, shape.n_ff, 1.0);
            tiny.linear(&mut rng, &name("ffn_up"), n_embd, shape.n_ff, 1.0);
            tiny.linear(&mut rng, &name("ffn_down"), shape.n_ff, n_embd, 1.0);
        }
        tiny.vector(&mut rng, "output_norm.weight", shape.n_embd, 1.0);
        if !shape.tied {
            tiny.linear(&mut rng, "output", shape.n_embd, N_VOCAB, 2.0);
        }
        if shape.rope_freqs {
            tiny.vector(&mut rng, "rope_freqs.weight", shape.rope_dim / 2, 4.0);
        }
        tiny
    }

    fn linear(&mut self, rng: &mut Rng, part: &str, n_in: usize, n_out: usize, gain: f32) {
        // Outputs of about `gain` for inputs of about 1.
        self.matrix(rng, part, n_in, n_out, gain / (n_in as f32).sqrt());
        if self.shape.bias {
            self.vector(rng, &format!("{part}.bias"), n_out, 0.0);
        }
    }

    fn matrix(&mut self, rng: &mut Rng, part: &str, n_in: usize, n_out: usize, rms: f32) {
        let types = &self.shape.types;
        let turn = self.tensors.len();
        let in_turn = types.iter().cycle().skip(turn % types.len());
        let fits = |ty: &&WeightType| n_in.is_multiple_of(ty.block_len());
        let ty = in_turn.take(types.len()).copied().find(|ty| fits(&ty));
        let ty = ty.expect("no type fits the rows");
        let (bytes, values) = random(rng, ty, n_in * n_out, 0.0, rms);
        self.tensors.push(Tensor {
            name: format!("{part}.weight"),
            ty: ggml_type(ty),
            dims: vec![n_in as u64, n_out as u64],
            bytes,
            values,
        });
    }

    fn vector(&mut self, rng: &mut Rng, name: &str, n: usize, mean: f32) {
        let (bytes, values) = random(rng, self.shape.vector_type, n, mean, 0.25);
        self.tensors.push(Tensor {
            name: name.to_owned(),
            ty: ggml_type(self.shape.vector_type),
            dims: vec![n as u64],
            bytes,
            values,
        });
    }

    /// Sets a key, or adds it.
    pub fn set(&mut self, key: &str, value: impl Into<OwnedValue>) -> &mut Self {
        let value = value.into();
        match self.keys.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = value,
            None => self.keys.push((key.to_owned(), value)),
        }
        self
    }

    /// Removes a key or a tensor.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.keys.retain(|(key, _)| key != name);
        self.tensors.retain(|tensor| tensor.name != name);
        self
    }

    /// A tensor to be changed.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn tensor_mut(&mut self, name: &str) -> &mut Tensor {
        let found = self.tensors.iter_mut().find(|t| t.name == name);
        found.unwrap_or_else(|| panic!("no tensor {name}"))
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        Self::file(&self.keys, &self.tensors)
    }

    /// The same model as `n` files, the tensors dealt out evenly.
    ///
    /// # Panics
    /// If `n` is 0.
    #[must_use]
    pub fn shards(&self, n: usize) -> Vec<Vec<u8>> {
        let mut parts = self.tensors.chunks(self.tensors.len().div_ceil(n));
        let shard = |no: usize| {
            let mut keys = if no == 0 {
                self.keys.clone()
            } else {
                Vec::new()
            };
            let count = self.tensors.len() as u64;
            keys.push(("split.no".to_owned(), (no as u16).into()));
            keys.push(("split.count".to_owned(), (n as u16).into()));
            keys.push(("split.tensors.count".to_owned(), count.into()));
            Self::file(&keys, parts.next().unwrap_or_default())
        };
        (0..n).map(shard).collect()
    }

    fn file(keys: &[(String, OwnedValue)], tensors: &[Tensor]) -> Vec<u8> {
        let mut file = Writer::new();
        for (key, value) in keys {
            file.kv(key.as_str(), value.clone());
        }
        for t in tensors {
            file.tensor(t.name.as_str(), t.ty, &t.dims, t.bytes.clone());
        }
        file.to_bytes()
    }

    /// Opens the file.
    ///
    /// # Errors
    /// As [`Model::from_gguf`].
    pub fn open(&self) -> Result<Model, ModelError> {
        self.open_with(Backend::Puna)
    }

    /// Opens the file for a backend.
    ///
    /// # Errors
    /// As [`Model::from_gguf_with`].
    pub fn open_with(&self, backend: Backend) -> Result<Model, ModelError> {
        let gguf = Gguf::from_bytes(self.bytes())?;
        let options = ModelOptions {
            backend,
            ..ModelOptions::default()
        };
        Model::from_gguf_with(gguf, &options)
    }

    /// Opens the file of a model that is as it was made.
    ///
    /// # Panics
    /// If it is refused.
    #[must_use]
    pub fn model(&self) -> Model {
        self.open()
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.shape))
    }

    /// [`model`](Self::model), on kernels whose bits do not depend on how many tokens are computed at once.
    ///
    /// # Panics
    /// If it is refused.
    #[must_use]
    pub fn exact_model(&self) -> Model {
        self.model().with_kernels(Kernels::best_exact())
    }

    /// `n` tokens of the vocabulary.
    #[must_use]
    pub fn tokens(&self, n: usize) -> Vec<TokenId> {
        let mut rng = Rng::new(self.shape.seed ^ 0xfeed);
        let any = || TokenId(rng.below(N_VOCAB) as u32);
        std::iter::repeat_with(any).take(n).collect()
    }
}
