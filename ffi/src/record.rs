//! Answers that are recorded as they are made, for a replay.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use puna_core::{
    generate::{StopReason, Timings},
    replay::{ScriptPiece, ScriptTurn},
};

use crate::home::lock;

/// The whole turns of a chat that is recorded.
#[derive(Debug, Default)]
pub(crate) struct Tape(Mutex<Vec<ScriptTurn>>);

impl Tape {
    /// The turns so far.
    pub fn turns(&self) -> Vec<ScriptTurn> {
        lock(&self.0).clone()
    }

    /// Adds an answer to `question`; none: the last one again.
    pub fn add(&self, question: Option<String>, recorder: Recorder, end: StopReason) {
        let mut turns = lock(&self.0);
        let last = || turns.last().and_then(|turn| turn.ask.clone());
        let ask = question.or_else(last);
        turns.push(ScriptTurn {
            ask,
            end: end.into(),
            prompt_tokens: recorder.prompt_tokens,
            pieces: recorder.pieces,
            ..ScriptTurn::default()
        });
    }
}

/// An answer that is recorded.
#[derive(Debug)]
pub(crate) struct Recorder {
    prompt_tokens: usize,
    pieces: Vec<ScriptPiece>,
    /// Since when it is computed, without the time that nobody pulled.
    begun: Instant,
}

impl Recorder {
    /// An answer whose question is computed now.
    pub fn new() -> Self {
        Self {
            prompt_tokens: 0,
            pieces: Vec::new(),
            begun: Instant::now(),
        }
    }

    /// The next pull begins.
    pub fn resume(&mut self) {
        self.begun = Instant::now();
    }

    /// Its pull ended with `text`.
    pub fn piece(&mut self, text: &str, timings: &Timings) {
        self.prompt_tokens = timings.prefill_tokens;
        self.pieces.push(ScriptPiece {
            text: text.to_owned(),
            after_ms: millis(self.begun.elapsed()),
        });
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
