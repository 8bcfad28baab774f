//! One answer, pulled piece by piece.

use std::{
    sync::{Arc, Mutex, TryLockError, atomic::Ordering::SeqCst},
    time::Duration,
};

use puna_core::{
    conversation::{Ask, Conversation, Reply},
    generate::{GenerateOptions, StopReason, Timings},
};

use crate::{
    error::{PunaError, guarded},
    home::{Control, Home, Lease},
};

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum AnswerEnd {
    /// The model ended it.
    Complete,
    /// The most tokens that were asked for were made.
    Length,
    /// One of the texts that end an answer was reached.
    StopText,
    /// No token more fits the context.
    ContextFull,
    /// The app ended it.
    Stopped,
}

/// How long an answer took.
#[derive(Clone, Debug, Default, PartialEq, uniffi::Record)]
pub struct AnswerStats {
    /// Tokens of the prompt that had to be computed; what the chat held already is not among them.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub tokens: u64,
    /// From the question to the first token.
    pub time_to_first_token: Duration,
    /// Tokens a second of the prompt; 0 before there is one.
    pub prompt_tokens_per_second: f64,
    /// Tokens a second after the first; 0 before there is a second.
    pub tokens_per_second: f64,
    /// Why it ended, once it has.
    pub end: Option<AnswerEnd>,
}

impl AnswerStats {
    fn new(timings: &Timings, tokens: usize, end: Option<AnswerEnd>) -> Self {
        Self {
            prompt_tokens: timings.prefill_tokens as u64,
            tokens: tokens as u64,
            time_to_first_token: timings.first_token,
            prompt_tokens_per_second: timings.prefill_tps(),
            tokens_per_second: timings.decode_tps(),
            end,
        }
    }
}

/// One answer in the making. It has the chat for itself until it ends, is cancelled or is freed.
#[derive(Debug, uniffi::Object)]
pub struct TokenStream {
    home: Arc<Home>,
    control: Arc<Control>,
    phase: Mutex<Phase>,
}

/// How far the answer has come.
#[derive(Debug, Default)]
enum Phase {
    /// The question is not computed yet.
    Asked {
        lease: Lease,
        text: String,
        options: Box<GenerateOptions>,
    },
    Answering(Box<Reply<Lease>>),
    /// The answer ended by itself or was kept.
    Whole,
    /// It failed or was cancelled, or a call panicked.
    #[default]
    Broken,
}

impl TokenStream {
    pub(crate) fn new(
        home: &Arc<Home>,
        text: String,
        options: GenerateOptions,
    ) -> Result<Arc<Self>, PunaError> {
        let control = Arc::<Control>::default();
        let lease = home.lend(&control)?;
        home.set_stats(AnswerStats::default());
        Ok(Arc::new(Self {
            home: Arc::clone(home),
            control,
            phase: Mutex::new(Phase::Asked {
                lease,
                text,
                options: Box::new(options),
            }),
        }))
    }

    /// Goes on to the next piece of text that is not empty. After an error the phase is broken, and the
    /// conversation back home, as it was before the turn.
    fn advance(&self, phase: &mut Phase) -> Result<Option<String>, PunaError> {
        let mut reply = match std::mem::take(phase) {
            Phase::Whole => {
                *phase = Phase::Whole;
                return Ok(None);
            }
            Phase::Broken => return Err(PunaError::Cancelled),
            Phase::Answering(reply) => reply,
            Phase::Asked {
                lease,
                text,
                options,
            } => {
                let cancel = &self.control.cancel;
                let reply = Conversation::answer(lease, Ask::Send(&text), &options, cancel)?;
                self.control.answering.store(true, SeqCst);
                Box::new(reply)
            }
        };
        let piece = loop {
            if self.control.stop.load(SeqCst) && !self.control.cancel.is_cancelled() {
                self.note(&reply, Some(AnswerEnd::Stopped));
                reply.keep()?;
                *phase = Phase::Whole;
                return Ok(None);
            }
            match reply.next_piece()? {
                Some(piece) if piece.is_empty() => {}
                piece => break piece,
            }
        };
        self.note(&reply, reply.stop_reason().map(AnswerEnd::from));
        *phase = match piece {
            Some(_) => Phase::Answering(reply),
            None => Phase::Whole,
        };
        Ok(piece)
    }

    fn note(&self, reply: &Reply<Lease>, end: Option<AnswerEnd>) {
        let stats = AnswerStats::new(&reply.timings(), reply.tokens().len(), end);
        self.home.set_stats(stats);
    }

    /// Gives the conversation back where the stream was cancelled and nobody is computing.
    fn let_go(&self) {
        if let Ok(mut phase) = self.phase.try_lock()
            && !matches!(*phase, Phase::Whole)
        {
            *phase = Phase::Broken;
        }
    }
}

#[uniffi::export]
impl TokenStream {
    /// The next piece of the answer, computed by this call; nothing after the last, when the turn has become
    /// part of the conversation. Pieces are whole characters and never empty.
    ///
    /// # Errors
    /// [`PunaError::Cancelled`], [`PunaError::Closed`], [`PunaError::Busy`] while another thread is in this
    /// call, [`PunaError::ContextFull`] and others. The turn is then taken back.
    pub fn next(&self) -> Result<Option<String>, PunaError> {
        let piece = {
            let mut phase = match self.phase.try_lock() {
                Ok(phase) => phase,
                Err(TryLockError::WouldBlock) => return Err(PunaError::Busy),
                Err(TryLockError::Poisoned(phase)) => phase.into_inner(),
            };
            guarded(|| self.advance(&mut phase))
        };
        // Whoever cancelled while this call had the phase could not let go of it.
        if self.control.cancel.is_cancelled() {
            self.let_go();
        }
        match piece {
            Err(PunaError::Cancelled) if self.home.is_closed() => Err(PunaError::Closed),
            piece => piece,
        }
    }

    /// Stops the answer and takes the turn back, from any thread, while it reads the question too. Returns at
    /// once: a [`next`](Self::next) that computes fails within some milliseconds. Calling it twice is harmless.
    pub fn cancel(&self) {
        self.control.cancel.cancel();
        self.let_go();
    }

    /// Ends the answer where it is, from any thread: the next call of [`next`](Self::next) gives nothing, and the
    /// turn is part of the conversation as far as it has come. Before the first token it is a
    /// [`cancel`](Self::cancel).
    pub fn stop(&self) {
        self.control.stop();
    }

    /// How long it took so far.
    pub fn stats(&self) -> AnswerStats {
        self.home.stats()
    }
}

impl Drop for TokenStream {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl From<StopReason> for AnswerEnd {
    fn from(reason: StopReason) -> Self {
        match reason {
            StopReason::Length => Self::Length,
            StopReason::StopString => Self::StopText,
            StopReason::ContextFull => Self::ContextFull,
            _ => Self::Complete,
        }
    }
}
