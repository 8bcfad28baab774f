//! One answer, pulled piece by piece.

use std::{
    sync::{Arc, Mutex, TryLockError, atomic::Ordering::SeqCst},
    time::Duration,
};

use puna_core::{
    cancel::Cancel,
    conversation::{Ask, Conversation, ConversationError, Reply},
    generate::{GenerateOptions, StopReason, Timings},
    replay::{ReplayChat, ReplayReply},
};

use crate::{
    error::{PunaError, guarded},
    home::{Control, Home, Lease, Lent, either, lock},
    options::AnswerOptions,
    record::Recorder,
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

/// What a chat is asked, in words that the stream owns.
#[derive(Debug)]
pub(crate) enum Question {
    Send(String),
    EditLast(String),
    Regenerate,
}

impl Question {
    fn ask(&self) -> Ask<'_> {
        match self {
            Self::Send(text) => Ask::Send(text),
            Self::EditLast(text) => Ask::EditLast(text),
            Self::Regenerate => Ask::Regenerate,
        }
    }

    /// Its words, where it has some of its own.
    fn text(self) -> Option<String> {
        match self {
            Self::Send(text) | Self::EditLast(text) => Some(text),
            Self::Regenerate => None,
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
        lent: Lent,
        question: Question,
        options: Box<GenerateOptions>,
        timeout: Option<Duration>,
    },
    Answering(Box<Running>),
    /// The answer ended by itself or was kept.
    Whole,
    /// It failed or was cancelled, or a call panicked.
    #[default]
    Broken,
}

/// An answer, and what it is recorded with, if it is.
#[derive(Debug)]
struct Running {
    answer: Answer,
    recorder: Option<(Recorder, Option<String>)>,
}

/// An answer in the making, of either speaker.
#[derive(Debug)]
enum Answer {
    Model(Box<Reply<Lease<Conversation>>>),
    Replay(Box<ReplayReply<Lease<ReplayChat>>>),
}

impl Answer {
    fn begin(
        lent: Lent,
        ask: Ask<'_>,
        options: &GenerateOptions,
        cancel: &Cancel,
    ) -> Result<Self, ConversationError> {
        Ok(match lent {
            Lent::Model(lease) => {
                Self::Model(Box::new(Conversation::answer(lease, ask, options, cancel)?))
            }
            Lent::Replay(lease) => {
                Self::Replay(Box::new(ReplayChat::answer(lease, ask, options, cancel)?))
            }
        })
    }

    fn next_piece(&mut self) -> Result<Option<String>, ConversationError> {
        either!(Self, self, reply => reply.next_piece())
    }

    fn keep(self) -> Result<(), ConversationError> {
        either!(Self, self, reply => reply.keep())
    }

    fn stop_reason(&self) -> Option<StopReason> {
        either!(Self, self, reply => reply.stop_reason())
    }

    fn timings(&self) -> Timings {
        either!(Self, self, reply => reply.timings())
    }

    fn n_tokens(&self) -> usize {
        match self {
            Self::Model(reply) => reply.tokens().len(),
            Self::Replay(reply) => reply.n_tokens(),
        }
    }
}

impl TokenStream {
    pub(crate) fn new(
        home: &Arc<Home>,
        question: Question,
        options: &AnswerOptions,
    ) -> Result<Arc<Self>, PunaError> {
        let control = Arc::<Control>::default();
        let lent = home.lend(&control)?;
        home.set_stats(AnswerStats::default());
        Ok(Arc::new(Self {
            home: Arc::clone(home),
            control,
            phase: Mutex::new(Phase::Asked {
                lent,
                question,
                options: Box::new(options.into()),
                timeout: options.timeout,
            }),
        }))
    }

    /// Goes on to the next piece of text that is not empty. After an error the phase is broken, and the
    /// conversation back home, as it was before the turn.
    fn advance(&self, phase: &mut Phase) -> Result<Option<String>, PunaError> {
        let mut running = match std::mem::take(phase) {
            Phase::Whole => {
                *phase = Phase::Whole;
                return Ok(None);
            }
            Phase::Broken => return Err(PunaError::Cancelled),
            Phase::Answering(mut running) => {
                if let Some((recorder, _)) = &mut running.recorder {
                    recorder.resume();
                }
                running
            }
            Phase::Asked {
                lent,
                question,
                options,
                timeout,
            } => {
                let cancel = match timeout {
                    Some(timeout) => self.control.cancel.with_timeout(timeout),
                    None => self.control.cancel.clone(),
                };
                let recorder = self.home.tape().map(|_| Recorder::new());
                let answer = Answer::begin(lent, question.ask(), &options, &cancel)?;
                self.control.answering.store(true, SeqCst);
                let recorder = recorder.map(|recorder| (recorder, question.text()));
                Box::new(Running { answer, recorder })
            }
        };
        let piece = loop {
            if self.control.stop.load(SeqCst) && !self.control.cancel.is_cancelled() {
                self.note(&running.answer, Some(AnswerEnd::Stopped));
                self.record(running.recorder, StopReason::Eos);
                running.answer.keep()?;
                *phase = Phase::Whole;
                return Ok(None);
            }
            match running.answer.next_piece()? {
                Some(piece) if piece.is_empty() => {}
                piece => break piece,
            }
        };
        let end = running.answer.stop_reason();
        self.note(&running.answer, end.map(AnswerEnd::from));
        *phase = match &piece {
            Some(text) => {
                if let Some((recorder, _)) = &mut running.recorder {
                    recorder.piece(text, &running.answer.timings());
                }
                Phase::Answering(running)
            }
            None => {
                self.record(running.recorder, end.unwrap_or(StopReason::Eos));
                Phase::Whole
            }
        };
        Ok(piece)
    }

    fn record(&self, recorder: Option<(Recorder, Option<String>)>, end: StopReason) {
        if let (Some(tape), Some((recorder, question))) = (self.home.tape(), recorder) {
            tape.add(question, recorder, end);
        }
    }

    fn note(&self, reply: &Answer, end: Option<AnswerEnd>) {
        let stats = AnswerStats::new(&reply.timings(), reply.n_tokens(), end);
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
    /// [`PunaError::Cancelled`], [`PunaError::DeadlineExceeded`], [`PunaError::Closed`], [`PunaError::Busy`] while
    /// another thread is in this call, [`PunaError::ContextFull`] and others. The turn is then taken back.
    pub fn next(&self) -> Result<Option<String>, PunaError> {
        let piece = {
            let mut phase = match self.phase.try_lock() {
                Ok(phase) => phase,
                // Whoever cancels is letting go of it: then the chat is free.
                Err(TryLockError::WouldBlock) if self.control.cancel.is_cancelled() => {
                    lock(&self.phase)
                }
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
