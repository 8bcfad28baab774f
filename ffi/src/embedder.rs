//! Texts as vectors.

use std::sync::{Arc, Mutex};

use puna_core::{
    cancel::Cancel,
    embed::{EmbedOptions, Embedder as Core, Pooling},
    model::Model,
    session::{SessionOptions, Trim},
};

use crate::{
    cancel::{self, CancelFlag},
    error::{PunaError, guarded},
    home::{Guest, Guests, lock},
};

/// How the tokens of a text become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum VectorPooling {
    /// Their mean.
    Mean,
    /// The first.
    First,
    /// The last.
    Last,
}

/// How texts become vectors.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct EmbedderOptions {
    /// None: what the file says, else the mean.
    #[uniffi(default = None)]
    pub pooling: Option<VectorPooling>,
    /// Scales vectors to length 1, so that their dot product is their likeness.
    #[uniffi(default = true)]
    pub normalize: bool,
    /// Tokens that a text may have; none: what the model was trained for, at most 4,096.
    #[uniffi(default = None)]
    pub n_ctx: Option<u32>,
    /// Threads; none: one for each fast core.
    #[uniffi(default = None)]
    pub n_threads: Option<u32>,
}

/// Makes vectors of texts: texts of like meaning get vectors that point the same way.
#[derive(Debug, uniffi::Object)]
pub struct Embedder(Arc<Desk>);

/// What the model knows of an embedder.
#[derive(Debug)]
struct Desk {
    /// Locked by the call that computes.
    core: Mutex<Option<Core>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    /// What stops the call that computes.
    running: Option<Cancel>,
}

impl Embedder {
    pub(crate) fn new(
        model: &Model,
        guests: &Guests,
        options: &EmbedderOptions,
    ) -> Result<Self, PunaError> {
        let options = EmbedOptions {
            pooling: options.pooling.map(|pooling| match pooling {
                VectorPooling::Mean => Pooling::Mean,
                VectorPooling::First => Pooling::Cls,
                VectorPooling::Last => Pooling::Last,
            }),
            normalize: options.normalize,
            session: SessionOptions {
                n_ctx: options.n_ctx.map(|n| n as usize),
                n_threads: options.n_threads.map(|n| n as usize),
                ..SessionOptions::default()
            },
        };
        let desk = Arc::new(Desk {
            core: Mutex::new(Some(Core::new(model, &options)?)),
            state: Mutex::default(),
        });
        guests.add(&desk)?;
        Ok(Self(desk))
    }
}

#[uniffi::export]
impl Embedder {
    /// The vector of `text`. One text is computed at a time; other threads wait.
    ///
    /// # Errors
    /// [`PunaError::ContextFull`] for a text that is too long, [`PunaError::InvalidOption`] for one without a token,
    /// [`PunaError::Cancelled`], [`PunaError::Closed`].
    #[uniffi::method(default(cancel = None))]
    pub fn embed(
        &self,
        text: String,
        cancel: Option<Arc<CancelFlag>>,
    ) -> Result<Vec<f32>, PunaError> {
        let cancel = cancel::of(cancel);
        guarded(|| {
            let mut core = lock(&self.0.core);
            self.0.begin(&cancel)?;
            let Some(embedder) = &mut *core else {
                return Err(PunaError::Closed);
            };
            let vector = embedder.embed(&text, &cancel);
            let mut state = lock(&self.0.state);
            state.running = None;
            match vector {
                Err(_) if state.closed => Err(PunaError::Closed),
                vector => Ok(vector?),
            }
        })
    }

    /// Frees it. Every later call fails with [`PunaError::Closed`]. Calling it twice is harmless.
    pub fn release(&self) {
        self.0.close();
    }
}

impl Drop for Embedder {
    fn drop(&mut self) {
        self.release();
    }
}

impl Desk {
    fn begin(&self, cancel: &Cancel) -> Result<(), PunaError> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(PunaError::Closed);
        }
        state.running = Some(cancel.clone());
        Ok(())
    }
}

impl Guest for Desk {
    fn close(&self) {
        {
            let mut state = lock(&self.state);
            state.closed = true;
            if let Some(running) = &state.running {
                running.cancel();
            }
        }
        drop(lock(&self.core).take());
    }

    fn trim(&self, level: Trim) -> Result<(), PunaError> {
        // One that computes is not waited for.
        if let Ok(mut core) = self.core.try_lock()
            && let Some(embedder) = &mut *core
        {
            embedder.trim(level)?;
        }
        Ok(())
    }
}
