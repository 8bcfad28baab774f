//! Texts as vectors: texts of like meaning get vectors that point the same way.

use crate::{
    cancel::Cancel,
    gguf::GgufError,
    model::Model,
    saved::StateError,
    session::{Session, SessionError, SessionOptions, Trim},
    tokenizer::{EncodeOptions, TokenId},
};

/// How the hidden states of a text's tokens become one vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// Their mean.
    #[default]
    Mean,
    /// The first. It has seen no other token, as attention looks back only: for models that were trained so.
    Cls,
    /// The last, which has seen all others.
    Last,
}

impl Pooling {
    /// `"mean"`, `"cls"` or `"last"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::Last => "last",
        }
    }

    /// What the file says a model was trained for (`{architecture}.pooling_type`), if it does.
    ///
    /// # Errors
    /// [`EmbedError::Gguf`] where the key is no integer, [`EmbedError::Pooling`] for a number that is none of
    /// these.
    pub fn of_model(model: &Model) -> Result<Option<Self>, EmbedError> {
        let gguf = model.gguf();
        let architecture = gguf.str("general.architecture")?.unwrap_or("llama");
        // llama.cpp's numbers.
        match gguf.u32(&format!("{architecture}.pooling_type"))? {
            None | Some(0) => Ok(None),
            Some(1) => Ok(Some(Self::Mean)),
            Some(2) => Ok(Some(Self::Cls)),
            Some(3) => Ok(Some(Self::Last)),
            Some(had) => Err(EmbedError::Pooling { had }),
        }
    }
}

/// How texts become vectors.
#[derive(Clone, Debug)]
pub struct EmbedOptions {
    /// `None`: what the file says, else the mean.
    pub pooling: Option<Pooling>,
    /// Scales vectors to length 1, so that the cosine of two is their dot product.
    pub normalize: bool,
    /// How it computes; a text must fit its context.
    pub session: SessionOptions,
}

impl Default for EmbedOptions {
    fn default() -> Self {
        Self {
            pooling: None,
            normalize: true,
            session: SessionOptions::default(),
        }
    }
}

/// Why a text has no vector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The computation.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The file.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The file asks for a pooling that is not supported.
    #[error("embed: pooling_type {had}, wanted 0 (none), 1 (mean), 2 (cls) or 3 (last)")]
    Pooling {
        /// What the file says.
        had: u32,
    },
    /// The model's numbers overflowed: broken weights.
    #[error("embed: the model computed a number that is not finite, at {index} of the vector")]
    NotFinite {
        /// The first such number.
        index: usize,
    },
}

/// Makes vectors of texts, one after the other.
#[derive(Debug)]
pub struct Embedder {
    session: Session,
    pooling: Pooling,
    normalize: bool,
}

impl Embedder {
    /// For the texts of one model.
    ///
    /// # Errors
    /// [`EmbedError`]: that of [`Pooling::of_model`], unless the options have a pooling, or
    /// [`Session::new`]'s.
    pub fn new(model: &Model, options: &EmbedOptions) -> Result<Self, EmbedError> {
        let pooling = match options.pooling {
            Some(pooling) => pooling,
            None => Pooling::of_model(model)?.unwrap_or_default(),
        };
        Ok(Self {
            session: Session::new(model, &options.session)?,
            pooling,
            normalize: options.normalize,
        })
    }

    /// How the states become a vector.
    #[must_use]
    pub const fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// The session that computes.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Gives memory back, as far as `level` says; the next vector is the same without it.
    ///
    /// # Errors
    /// As [`Session::trim`].
    pub fn trim(&mut self, level: Trim) -> Result<(), StateError> {
        self.session.trim(level)
    }

    /// The tokens of a text, with BOS and EOS where the model wants them; names of special tokens are text.
    #[must_use]
    pub fn tokens(&self, text: &str) -> Vec<TokenId> {
        let options = EncodeOptions {
            add_special: true,
            parse_special: false,
        };
        self.session.model().tokenizer().encode(text, options)
    }

    /// The vector of a text: `n_embd` numbers.
    ///
    /// # Errors
    /// As [`embed_tokens`](Self::embed_tokens).
    pub fn embed(&mut self, text: &str, cancel: &Cancel) -> Result<Vec<f32>, EmbedError> {
        let tokens = self.tokens(text);
        self.embed_tokens(&tokens, cancel)
    }

    /// The vector of some tokens: `n_embd` numbers. Equal tokens have equal vectors, to the bit.
    ///
    /// # Errors
    /// [`EmbedError::Session`]: among others [`SessionError::Empty`] where there are no tokens, and
    /// [`SessionError::ContextFull`] where they do not fit; [`EmbedError::NotFinite`].
    pub fn embed_tokens(
        &mut self,
        tokens: &[TokenId],
        cancel: &Cancel,
    ) -> Result<Vec<f32>, EmbedError> {
        let n_embd = self.session.model().config().n_embd;
        let (pooling, last) = (self.pooling, tokens.len().saturating_sub(1));
        let mut sum = vec![0.0f64; n_embd];
        self.session.peek_hidden(tokens, cancel, |i, state| {
            let counts = match pooling {
                Pooling::Mean => true,
                Pooling::Cls => i == 0,
                Pooling::Last => i == last,
            };
            if counts {
                let pairs = sum.iter_mut().zip(state);
                pairs.for_each(|(sum, &x)| *sum += f64::from(x));
            }
        })?;
        let length = match (self.normalize, pooling) {
            (true, _) => sum.iter().map(|x| x * x).sum::<f64>().sqrt(),
            (false, Pooling::Mean) => tokens.len() as f64,
            (false, Pooling::Cls | Pooling::Last) => 1.0,
        };
        // A vector of zeros has no direction, and stays.
        let length = if length == 0.0 { 1.0 } else { length };
        let vector: Vec<f32> = sum.iter().map(|x| (x / length) as f32).collect();
        match vector.iter().position(|x| !x.is_finite()) {
            Some(index) => Err(EmbedError::NotFinite { index }),
            None => Ok(vector),
        }
    }
}
