//! Where a chat's conversation is: at home, lent to the one stream that answers, or gone.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use puna_core::{cancel::Cancel, conversation::Conversation, replay::ReplayChat, session::Trim};

use crate::{error::PunaError, record::Tape, stream::AnswerStats};

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

/// What answers in a chat.
#[derive(Debug)]
pub(crate) enum Speaker {
    Model(Box<Conversation>),
    Replay(Box<ReplayChat>),
}

/// The same expression for either speaker, or for what either lends or answers.
macro_rules! either {
    ($kind:ident, $value:expr, $name:ident => $body:expr) => {
        match $value {
            $kind::Model($name) => $body,
            $kind::Replay($name) => $body,
        }
    };
}
pub(crate) use either;

impl From<Box<Conversation>> for Speaker {
    fn from(conversation: Box<Conversation>) -> Self {
        Self::Model(conversation)
    }
}

impl From<Box<ReplayChat>> for Speaker {
    fn from(chat: Box<ReplayChat>) -> Self {
        Self::Replay(chat)
    }
}

#[derive(Debug)]
enum Place {
    /// Nobody uses it.
    Here(Speaker),
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
    /// What the chat's turns are recorded on, if they are.
    tape: Option<Tape>,
}

impl Home {
    pub fn new(speaker: Speaker, is_recorded: bool) -> Arc<Self> {
        Arc::new(Self {
            place: Mutex::new(Place::Here(speaker)),
            stats: Mutex::default(),
            tape: is_recorded.then(Tape::default),
        })
    }

    pub const fn tape(&self) -> Option<&Tape> {
        self.tape.as_ref()
    }

    /// Lends the conversation to the stream that `control` belongs to.
    pub fn lend(self: &Arc<Self>, control: &Arc<Control>) -> Result<Lent, PunaError> {
        let mut place = lock(&self.place);
        match std::mem::replace(&mut *place, Place::Lent(Arc::clone(control))) {
            Place::Here(Speaker::Model(conversation)) => {
                Ok(Lent::Model(Lease::new(conversation, self)))
            }
            Place::Here(Speaker::Replay(chat)) => Ok(Lent::Replay(Lease::new(chat, self))),
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
        work: impl FnOnce(&mut Speaker) -> Result<T, PunaError>,
    ) -> Result<T, PunaError> {
        match &mut *lock(&self.place) {
            Place::Here(speaker) => work(speaker),
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

/// What a model closes when it is closed, and trims when memory is short.
pub(crate) trait Guest: Send + Sync {
    /// Frees it now, or as soon as the call that uses it has stopped.
    fn close(&self);

    /// Gives memory back, if nobody uses it at the moment.
    fn trim(&self, level: Trim) -> Result<(), PunaError>;
}

impl Guest for Home {
    fn close(&self) {
        let was = std::mem::replace(&mut *lock(&self.place), Place::Gone);
        if let Place::Lent(control) = was {
            control.cancel.cancel();
        }
    }

    fn trim(&self, level: Trim) -> Result<(), PunaError> {
        match &mut *lock(&self.place) {
            Place::Here(Speaker::Model(conversation)) => Ok(conversation.trim(level)?),
            // A replay has nothing to give.
            _ => Ok(()),
        }
    }
}

/// All that stands on one model; nothing can be added once it is closed.
#[derive(Default)]
pub(crate) struct Guests(Mutex<Book>);

#[derive(Default)]
struct Book {
    closed: bool,
    guests: Vec<Weak<dyn Guest>>,
}

impl Guests {
    pub fn add<G: Guest + 'static>(&self, guest: &Arc<G>) -> Result<(), PunaError> {
        let mut book = lock(&self.0);
        if book.closed {
            return Err(PunaError::Closed);
        }
        book.guests.retain(|guest| guest.strong_count() > 0);
        let guest: Weak<G> = Arc::downgrade(guest);
        book.guests.push(guest);
        Ok(())
    }

    /// Trims all; then tells the first that failed.
    pub fn trim(&self, level: Trim) -> Result<(), PunaError> {
        let guests = self.all();
        let trimmed: Vec<_> = guests.iter().map(|guest| guest.trim(level)).collect();
        trimmed.into_iter().collect()
    }

    pub fn close(&self) {
        lock(&self.0).closed = true;
        self.all().iter().for_each(|guest| guest.close());
    }

    fn all(&self) -> Vec<Arc<dyn Guest>> {
        let book = lock(&self.0);
        book.guests.iter().filter_map(Weak::upgrade).collect()
    }
}

impl std::fmt::Debug for Guests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guests({})", lock(&self.0).guests.len())
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

/// What was lent.
#[derive(Debug)]
pub(crate) enum Lent {
    Model(Lease<Conversation>),
    Replay(Lease<ReplayChat>),
}

/// A conversation on loan; dropping it brings it home.
#[derive(Debug)]
pub(crate) struct Lease<T>
where
    Speaker: From<Box<T>>,
{
    /// There until it is dropped.
    conversation: Option<Box<T>>,
    home: Arc<Home>,
}

impl<T> Lease<T>
where
    Speaker: From<Box<T>>,
{
    fn new(conversation: Box<T>, home: &Arc<Home>) -> Self {
        Self {
            conversation: Some(conversation),
            home: Arc::clone(home),
        }
    }
}

impl<T> Deref for Lease<T>
where
    Speaker: From<Box<T>>,
{
    type Target = T;

    fn deref(&self) -> &T {
        self.conversation.as_ref().expect("there until the drop")
    }
}

impl<T> DerefMut for Lease<T>
where
    Speaker: From<Box<T>>,
{
    fn deref_mut(&mut self) -> &mut T {
        self.conversation.as_mut().expect("there until the drop")
    }
}

impl<T> Drop for Lease<T>
where
    Speaker: From<Box<T>>,
{
    fn drop(&mut self) {
        let conversation = self.conversation.take();
        let mut place = lock(&self.home.place);
        if matches!(*place, Place::Lent(_))
            && let Some(conversation) = conversation
        {
            *place = Place::Here(conversation.into());
        }
    }
}

/// Locks, whatever happened to a thread that held the lock: what these locks guard is whole at any time.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
