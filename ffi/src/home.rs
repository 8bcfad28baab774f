//! Where a chat's conversation is: at home, lent to the one stream that answers, or gone.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use puna_core::{cancel::Cancel, conversation::Conversation};

use crate::{error::PunaError, stream::AnswerStats};

/// What other threads can ask of a stream while it computes.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Stops it, and takes the turn back.
    pub cancel: Cancel,
    /// Ends the answer where it is.
    pub stop: AtomicBool,
    /// Whether the prompt is computed: before that there is nothing to keep.
    pub answering: AtomicBool,
}

impl Control {
    /// Ends the answer where it is; one that has not begun is cancelled.
    pub fn stop(&self) {
        self.stop.store(true, SeqCst);
        if !self.answering.load(SeqCst) {
            self.cancel.cancel();
        }
    }
}

#[derive(Debug)]
enum Place {
    /// Nobody uses it.
    Here(Box<Conversation>),
    /// A stream has it.
    Lent(Arc<Control>),
    /// The chat was closed.
    Gone,
}

/// A chat, as its handle and its streams share it.
#[derive(Debug)]
pub(crate) struct Home {
    place: Mutex<Place>,
    stats: Mutex<AnswerStats>,
}

impl Home {
    pub fn new(conversation: Conversation) -> Arc<Self> {
        Arc::new(Self {
            place: Mutex::new(Place::Here(Box::new(conversation))),
            stats: Mutex::default(),
        })
    }

    /// Lends the conversation to the stream that `control` belongs to.
    pub fn lend(self: &Arc<Self>, control: &Arc<Control>) -> Result<Lease, PunaError> {
        let mut place = lock(&self.place);
        match std::mem::replace(&mut *place, Place::Lent(Arc::clone(control))) {
            Place::Here(conversation) => Ok(Lease {
                conversation: Some(conversation),
                home: Arc::clone(self),
            }),
            taken => {
                let error = taken.refusal();
                *place = taken;
                Err(error)
            }
        }
    }

    /// Uses the conversation, while no stream has it.
    pub fn with<T>(
        &self,
        work: impl FnOnce(&mut Conversation) -> Result<T, PunaError>,
    ) -> Result<T, PunaError> {
        match &mut *lock(&self.place) {
            Place::Here(conversation) => work(conversation),
            other => Err(other.refusal()),
        }
    }

    /// The control of the stream that answers, if one does.
    pub fn answering(&self) -> Option<Arc<Control>> {
        match &*lock(&self.place) {
            Place::Lent(control) => Some(Arc::clone(control)),
            Place::Here(_) | Place::Gone => None,
        }
    }

    /// Closes the chat: its memory is freed now, or when its stream has stopped.
    pub fn close(&self) {
        let was = std::mem::replace(&mut *lock(&self.place), Place::Gone);
        if let Place::Lent(control) = was {
            control.cancel.cancel();
        }
    }

    pub fn is_closed(&self) -> bool {
        matches!(*lock(&self.place), Place::Gone)
    }

    pub fn stats(&self) -> AnswerStats {
        lock(&self.stats).clone()
    }

    pub fn set_stats(&self, stats: AnswerStats) {
        *lock(&self.stats) = stats;
    }
}

impl Place {
    /// Why the conversation cannot be had, where it is not here.
    const fn refusal(&self) -> PunaError {
        match self {
            Self::Gone => PunaError::Closed,
            Self::Here(_) | Self::Lent(_) => PunaError::Busy,
        }
    }
}

/// A conversation on loan; dropping it brings it home.
#[derive(Debug)]
pub(crate) struct Lease {
    /// There until it is dropped.
    conversation: Option<Box<Conversation>>,
    home: Arc<Home>,
}

impl Deref for Lease {
    type Target = Conversation;

    fn deref(&self) -> &Conversation {
        self.conversation.as_ref().expect("there until the drop")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Conversation {
        self.conversation.as_mut().expect("there until the drop")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let conversation = self.conversation.take();
        let mut place = lock(&self.home.place);
        if matches!(*place, Place::Lent(_))
            && let Some(conversation) = conversation
        {
            *place = Place::Here(conversation);
        }
    }
}

/// Locks, whatever happened to a thread that held the lock: what these locks guard is whole at any time.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
