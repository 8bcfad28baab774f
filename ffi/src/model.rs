//! An open model.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use puna_core::{
    gguf::{Gguf, Map, TensorInfo},
    model::{self, ModelOptions},
    replay::{Replay, Script},
    session::SessionOptions,
    tokenizer::{EncodeOptions, TokenId},
};

use crate::{
    cancel::{self, CancelFlag},
    chat::Chat,
    embedder::{Embedder, EmbedderOptions},
    error::{PunaError, guarded},
    home::{Guests, lock},
    options::{ChatOptions, TrimLevel},
    prefix::Prefix,
    source::{ByteSource, ProgressListener, tell},
};

/// What a model is.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ModelInfo {
    /// What its file calls it.
    pub name: Option<String>,
    /// The architecture.
    pub architecture: String,
    /// The licence, as its file has it.
    pub license: Option<String>,
    /// Numbers that it was trained to.
    pub n_params: u64,
    /// Bytes of its weights, mapped from the file.
    pub weights_bytes: u64,
    /// Tokens that it was trained to look back.
    pub n_ctx_train: u64,
    /// Tokens that it knows.
    pub n_vocab: u64,
}

/// What a chat would need, and what the device has, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Plan {
    /// Tokens that the chat can hold.
    pub n_ctx: u64,
    /// Threads that compute.
    pub n_threads: u64,
    /// The weights, mapped from the file.
    pub weights_bytes: u64,
    /// The cache of keys and values, when full.
    pub kv_bytes: u64,
    /// Every other buffer.
    pub scratch_bytes: u64,
    /// All of it.
    pub needs: u64,
    /// What the process may come to hold; none where the system does not tell.
    pub has: Option<u64>,
    /// Whether it fits; where the system does not tell, it is said to.
    pub fits: bool,
    /// The longest context that fits, with everything else as asked, if one does.
    pub largest_n_ctx: Option<u64>,
}

impl Plan {
    /// A replay needs nothing.
    fn of_replay(replay: &Replay) -> Self {
        let n_ctx = replay.script().n_ctx as u64;
        Self {
            n_ctx,
            n_threads: 1,
            weights_bytes: 0,
            kv_bytes: 0,
            scratch_bytes: 0,
            needs: 0,
            has: None,
            fits: true,
            largest_n_ctx: Some(n_ctx),
        }
    }
}

/// An open model: a mapped file. Chats on it share the weights.
#[derive(Debug, uniffi::Object)]
pub struct Model {
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open {
        engine: Engine,
        /// Closed with the model.
        guests: Arc<Guests>,
    },
    Closed,
}

/// What computes the answers.
#[derive(Clone, Debug)]
enum Engine {
    Model(model::Model),
    Replay(Replay),
}

impl Model {
    fn mapped(map: Map, licences: Option<String>) -> Result<Arc<Self>, PunaError> {
        let gguf = Gguf::from_map(map)?;
        let model = model::Model::from_gguf_with(gguf, &options(licences))?;
        Ok(Self::on(Engine::Model(model)))
    }

    fn on(engine: Engine) -> Arc<Self> {
        let guests = Arc::default();
        Arc::new(Self {
            state: Mutex::new(State::Open { engine, guests }),
        })
    }

    fn engine(&self) -> Result<(Engine, Arc<Guests>), PunaError> {
        match &*lock(&self.state) {
            State::Open { engine, guests } => Ok((engine.clone(), Arc::clone(guests))),
            State::Closed => Err(PunaError::Closed),
        }
    }

    /// The model, for what a replay cannot do.
    fn model(&self, what: &str) -> Result<(model::Model, Arc<Guests>), PunaError> {
        match self.engine()? {
            (Engine::Model(model), guests) => Ok((model, guests)),
            (Engine::Replay(_), _) => Err(PunaError::UnsupportedModel {
                what: format!("a replay has no {what}"),
            }),
        }
    }
}

#[uniffi::export]
impl Model {
    /// Opens a GGUF file (of a split model: its first part). The weights stay in the file, mapped. `licences`: the
    /// folder where [`accept_licence`](crate::accept_licence) keeps what was accepted.
    ///
    /// # Errors
    /// [`PunaError::Unreadable`], [`PunaError::InvalidModel`], [`PunaError::UnsupportedModel`],
    /// [`PunaError::LicenceNotAccepted`], [`PunaError::DoesNotFit`].
    #[uniffi::constructor(default(licences = None))]
    pub fn open(path: String, licences: Option<String>) -> Result<Arc<Self>, PunaError> {
        guarded(|| {
            // By its path, so that what lies beside it is seen: a licence that was accepted.
            let model = model::Model::open_with(Path::new(&path), &options(licences))?;
            Ok(Self::on(Engine::Model(model)))
        })
    }

    /// Opens `length` bytes (none: all) from `offset` of an open file: a whole file, or one that lies
    /// uncompressed inside another. The descriptor stays the caller's, who may close it at once.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`PunaError::InvalidOption`] on systems without descriptors.
    #[uniffi::constructor(default(licences = None))]
    pub fn open_descriptor(
        descriptor: i32,
        offset: u64,
        length: Option<u64>,
        licences: Option<String>,
    ) -> Result<Arc<Self>, PunaError> {
        #[cfg(unix)]
        return guarded(|| {
            Self::mapped(Map::from_descriptor(descriptor, offset, length)?, licences)
        });
        #[cfg(not(unix))]
        {
            let _ = (offset, length, licences);
            let what = format!("a file by its descriptor {descriptor}: this system has none");
            Err(PunaError::InvalidOption { what })
        }
    }

    /// Opens a model whose bytes the app gives. They are copied, once, into a file without a name in `folder`, which
    /// should be the app's own cache: it is gone with the model.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`PunaError::Unreadable`] with what the source says.
    #[uniffi::constructor(default(licences = None))]
    pub fn open_source(
        source: Arc<dyn ByteSource>,
        folder: String,
        licences: Option<String>,
    ) -> Result<Arc<Self>, PunaError> {
        guarded(|| {
            let read = |offset, length| Ok(source.read(offset, length)?);
            let map = Map::spool(Path::new(&folder), source.length(), read)?;
            Self::mapped(map, licences)
        })
    }

    /// Opens the replay twin: a stand-in that answers from `script`, `speed` times as fast as it was recorded
    /// (infinitely fast: without waiting), for an app's own tests. See [`Chat::script`] for where scripts come from.
    ///
    /// # Errors
    /// [`PunaError::InvalidOption`].
    #[uniffi::constructor]
    pub fn open_replay(script: String, speed: f64) -> Result<Arc<Self>, PunaError> {
        guarded(|| {
            let replay = Replay::new(Script::from_json(&script)?, speed)?;
            Ok(Self::on(Engine::Replay(replay)))
        })
    }

    /// What it is.
    ///
    /// # Errors
    /// [`PunaError::Closed`].
    pub fn info(&self) -> Result<ModelInfo, PunaError> {
        let model = match self.engine()?.0 {
            Engine::Model(model) => model,
            Engine::Replay(replay) => {
                return Ok(ModelInfo {
                    name: Some(replay.script().name.clone()),
                    architecture: "replay".to_owned(),
                    license: None,
                    n_params: 0,
                    weights_bytes: 0,
                    n_ctx_train: replay.script().n_ctx as u64,
                    n_vocab: 0,
                });
            }
        };
        let gguf = model.gguf();
        let text = |key| gguf.str(key).ok().flatten().map(str::to_owned);
        Ok(ModelInfo {
            name: text("general.name"),
            architecture: text("general.architecture").unwrap_or_default(),
            license: text("general.license"),
            n_params: gguf.tensors().map(TensorInfo::n_elements).sum(),
            weights_bytes: gguf.tensor_bytes(),
            n_ctx_train: model.config().n_ctx_train as u64,
            n_vocab: model.config().n_vocab as u64,
        })
    }

    /// What a chat with these options would need, and what the device has at the moment. Allocates nothing.
    ///
    /// # Errors
    /// [`PunaError::InvalidOption`], [`PunaError::Closed`].
    pub fn plan(&self, options: ChatOptions) -> Result<Plan, PunaError> {
        guarded(|| {
            let model = match self.engine()?.0 {
                Engine::Model(model) => model,
                Engine::Replay(replay) => return Ok(Plan::of_replay(&replay)),
            };
            let plan = model.plan(&SessionOptions::from(&options))?;
            let needs = plan.needs;
            Ok(Plan {
                n_ctx: needs.n_ctx as u64,
                n_threads: needs.n_threads as u64,
                weights_bytes: needs.weights_bytes,
                kv_bytes: needs.kv_bytes,
                scratch_bytes: needs.scratch_bytes,
                needs: needs.total_bytes(),
                has: plan.has,
                fits: plan.check().is_ok(),
                largest_n_ctx: plan.largest_n_ctx.map(|n| n as u64),
            })
        })
    }

    /// Reads the weights from storage once, so that the first answer does not wait for them. Worth its time where
    /// the device has memory for them all.
    ///
    /// # Errors
    /// [`PunaError::Cancelled`], [`PunaError::Closed`].
    #[uniffi::method(default(progress = None, cancel = None))]
    pub fn preload(
        &self,
        progress: Option<Arc<dyn ProgressListener>>,
        cancel: Option<Arc<CancelFlag>>,
    ) -> Result<(), PunaError> {
        guarded(|| {
            let tell = |done, total| tell(progress.as_deref(), done, total);
            match self.engine()?.0 {
                Engine::Model(model) => Ok(model.preload(&cancel::of(cancel), tell)?),
                Engine::Replay(_) => Ok(()),
            }
        })
    }

    /// Begins a conversation; or, where the options name the folder of a journal that has one, goes on with that.
    ///
    /// # Errors
    /// [`PunaError::DoesNotFit`], [`PunaError::InvalidOption`], [`PunaError::UnsupportedModel`] for a model
    /// that cannot chat, [`PunaError::Closed`]; with a journal [`PunaError::InUse`], [`PunaError::InvalidState`],
    /// [`PunaError::Unwritable`].
    pub fn chat(&self, options: ChatOptions) -> Result<Arc<Chat>, PunaError> {
        guarded(|| match self.engine()? {
            (Engine::Model(model), guests) => Chat::new(&model, &guests, &options, None),
            (Engine::Replay(replay), guests) => Chat::replay(&replay, &guests, &options, None),
        })
    }

    /// Goes on with the conversation that [`Chat::save`] wrote; nothing is computed. The options' system message
    /// does not count: the file has one.
    ///
    /// # Errors
    /// As [`chat`](Self::chat); [`PunaError::InvalidState`] for a file that is no chat of this model,
    /// [`PunaError::Unreadable`].
    pub fn restore_chat(&self, path: String, options: ChatOptions) -> Result<Arc<Chat>, PunaError> {
        guarded(|| {
            let path = Some(Path::new(&path));
            match self.engine()? {
                (Engine::Model(model), guests) => Chat::new(&model, &guests, &options, path),
                (Engine::Replay(replay), guests) => Chat::replay(&replay, &guests, &options, path),
            }
        })
    }

    /// Computes the system message of the options, for any number of chats. `folder`: where it is kept for the next
    /// start, if anywhere. The options must name no journal: a folder has one chat.
    ///
    /// # Errors
    /// As [`chat`](Self::chat); [`PunaError::Cancelled`].
    #[uniffi::method(default(folder = None, cancel = None))]
    pub fn prefix(
        &self,
        options: ChatOptions,
        folder: Option<String>,
        cancel: Option<Arc<CancelFlag>>,
    ) -> Result<Arc<Prefix>, PunaError> {
        guarded(|| {
            if options.journal.is_some() {
                let what = "a journal has one chat, and a prefix any number".to_owned();
                return Err(PunaError::InvalidOption { what });
            }
            match self.engine()? {
                (Engine::Model(model), guests) => {
                    Prefix::new(&model, &guests, options, folder, cancel)
                }
                (Engine::Replay(replay), guests) => Prefix::replay(&replay, &guests, options),
            }
        })
    }

    /// Makes vectors of texts.
    ///
    /// # Errors
    /// As [`chat`](Self::chat).
    pub fn embedder(&self, options: EmbedderOptions) -> Result<Arc<Embedder>, PunaError> {
        guarded(|| {
            let (model, guests) = self.model("vectors")?;
            Ok(Arc::new(Embedder::new(&model, &guests, &options)?))
        })
    }

    /// The tokens of `text`, without those that begin or end a text; names of special tokens are plain text.
    ///
    /// # Errors
    /// [`PunaError::Closed`].
    pub fn tokenize(&self, text: String) -> Result<Vec<u32>, PunaError> {
        guarded(|| {
            let plain = EncodeOptions {
                add_special: false,
                parse_special: false,
            };
            let (model, _) = self.model("tokens")?;
            let tokens = model.tokenizer().encode(&text, plain);
            Ok(tokens.into_iter().map(|token| token.0).collect())
        })
    }

    /// How many tokens `text` is.
    ///
    /// # Errors
    /// [`PunaError::Closed`].
    pub fn count_tokens(&self, text: String) -> Result<u64, PunaError> {
        Ok(self.tokenize(text)?.len() as u64)
    }

    /// The text of `tokens`; special tokens have none.
    ///
    /// # Errors
    /// [`PunaError::InvalidOption`] for a number that is no token, [`PunaError::Closed`].
    pub fn detokenize(&self, tokens: Vec<u32>) -> Result<String, PunaError> {
        guarded(|| {
            let (model, _) = self.model("tokens")?;
            let (tokenizer, tokens) = (model.tokenizer(), tokens.into_iter().map(TokenId));
            let tokens: Vec<_> = tokens.collect();
            let n_vocab = tokenizer.n_vocab();
            if let Some(unknown) = tokens.iter().find(|token| token.0 as usize >= n_vocab) {
                let what = format!("token {}, wanted 0 to {}", unknown.0, n_vocab - 1);
                return Err(PunaError::InvalidOption { what });
            }
            Ok(tokenizer.detokenize(&tokens, false))
        })
    }

    /// Gives memory back, of every chat and embedder that nobody uses at the moment; what comes next is the same
    /// without it. From [`TrimLevel::Cache`] on it takes as long as writing the caches to the disk does.
    ///
    /// # Errors
    /// [`PunaError::Unwritable`]: what could not be written is then still in memory, and all else is given back.
    /// [`PunaError::Closed`].
    pub fn trim(&self, level: TrimLevel) -> Result<(), PunaError> {
        guarded(|| self.engine()?.1.trim(level.into()))
    }

    /// Closes the model, its chats and embedders; an answer in the making is cancelled, and the memory freed as soon as it
    /// has stopped. Every later call fails with [`PunaError::Closed`]. Calling it twice is harmless.
    pub fn release(&self) {
        let was = std::mem::replace(&mut *lock(&self.state), State::Closed);
        let _ = guarded(|| {
            if let State::Open { guests, .. } = was {
                guests.close();
            }
            Ok(())
        });
    }
}

fn options(licences: Option<String>) -> ModelOptions {
    ModelOptions {
        licences: licences.map(PathBuf::from),
        ..ModelOptions::default()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.release();
    }
}
