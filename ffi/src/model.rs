//! An open model.

use std::{
    path::Path,
    sync::{Arc, Mutex, Weak},
};

use puna_core::{
    gguf::{Gguf, Map, TensorInfo},
    model,
    tokenizer::EncodeOptions,
};

use crate::{
    chat::Chat,
    error::{PunaError, guarded},
    home::{Home, lock},
    options::ChatOptions,
    source::ByteSource,
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

/// An open model: a mapped file. Chats on it share the weights.
#[derive(Debug, uniffi::Object)]
pub struct Model {
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open {
        model: model::Model,
        /// Closed with the model.
        chats: Vec<Weak<Home>>,
    },
    Closed,
}

impl Model {
    fn new(gguf: Gguf) -> Result<Arc<Self>, PunaError> {
        let model = model::Model::from_gguf(gguf)?;
        let chats = Vec::new();
        Ok(Arc::new(Self {
            state: Mutex::new(State::Open { model, chats }),
        }))
    }

    fn model(&self) -> Result<model::Model, PunaError> {
        match &*lock(&self.state) {
            State::Open { model, .. } => Ok(model.clone()),
            State::Closed => Err(PunaError::Closed),
        }
    }
}

#[uniffi::export]
impl Model {
    /// Opens a GGUF file (of a split model: its first part). The weights stay in the file, mapped.
    ///
    /// # Errors
    /// [`PunaError::Unreadable`], [`PunaError::InvalidModel`], [`PunaError::UnsupportedModel`],
    /// [`PunaError::DoesNotFit`].
    #[uniffi::constructor]
    pub fn open(path: String) -> Result<Arc<Self>, PunaError> {
        guarded(|| Self::new(Gguf::open(Path::new(&path))?))
    }

    /// Opens `length` bytes (none: all) from `offset` of an open file: a whole file, or one that lies
    /// uncompressed inside another. The descriptor stays the caller's, who may close it at once.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`PunaError::InvalidOption`] on systems without descriptors.
    #[uniffi::constructor]
    pub fn open_descriptor(
        descriptor: i32,
        offset: u64,
        length: Option<u64>,
    ) -> Result<Arc<Self>, PunaError> {
        #[cfg(unix)]
        return guarded(|| {
            let map = Map::from_descriptor(descriptor, offset, length)?;
            Self::new(Gguf::from_map(map)?)
        });
        #[cfg(not(unix))]
        {
            let _ = (offset, length);
            let what = format!("a file by its descriptor {descriptor}: this system has none");
            Err(PunaError::InvalidOption { what })
        }
    }

    /// Opens a model whose bytes the app gives. They are copied, once, into a file without a name in `folder`, which
    /// should be the app's own cache: it is gone with the model.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`PunaError::Unreadable`] with what the source says.
    #[uniffi::constructor]
    pub fn open_source(
        source: Arc<dyn ByteSource>,
        folder: String,
    ) -> Result<Arc<Self>, PunaError> {
        guarded(|| {
            let read = |offset, length| Ok(source.read(offset, length)?);
            let map = Map::spool(Path::new(&folder), source.length(), read)?;
            Self::new(Gguf::from_map(map)?)
        })
    }

    /// What it is.
    ///
    /// # Errors
    /// [`PunaError::Closed`].
    pub fn info(&self) -> Result<ModelInfo, PunaError> {
        let model = self.model()?;
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

    /// Begins a conversation.
    ///
    /// # Errors
    /// [`PunaError::DoesNotFit`], [`PunaError::InvalidOption`], [`PunaError::UnsupportedModel`] for a model
    /// that cannot chat, [`PunaError::Closed`].
    pub fn chat(&self, options: ChatOptions) -> Result<Arc<Chat>, PunaError> {
        guarded(|| {
            let chat = Chat::new(&self.model()?, options)?;
            match &mut *lock(&self.state) {
                State::Open { chats, .. } => {
                    chats.retain(|chat| chat.strong_count() > 0);
                    chats.push(Arc::downgrade(chat.home()));
                }
                State::Closed => return Err(PunaError::Closed),
            }
            Ok(Arc::new(chat))
        })
    }

    /// How many tokens `text` is.
    ///
    /// # Errors
    /// [`PunaError::Closed`].
    pub fn count_tokens(&self, text: String) -> Result<u64, PunaError> {
        guarded(|| {
            let plain = EncodeOptions {
                add_special: false,
                parse_special: false,
            };
            Ok(self.model()?.tokenizer().encode(&text, plain).len() as u64)
        })
    }

    /// Closes the model and its chats; an answer in the making is cancelled, and the memory freed as soon as it
    /// has stopped. Every later call fails with [`PunaError::Closed`]. Calling it twice is harmless.
    pub fn release(&self) {
        let was = std::mem::replace(&mut *lock(&self.state), State::Closed);
        let _ = guarded(|| {
            if let State::Open { chats, .. } = was {
                let chats = chats.iter().filter_map(Weak::upgrade);
                chats.for_each(|chat| chat.close());
            }
            Ok(())
        });
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.release();
    }
}
