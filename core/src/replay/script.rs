//! What was recorded.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{chat::Role, generate::StopReason};

/// Recorded turns, as JSON:
///
/// ```json
/// {
///   "name": "SmolLM2 135M Instruct",
///   "n_ctx": 4096,
///   "turns": [
///     { "ask": "Where in May?", "prompt_tokens": 31,
///       "pieces": [{ "text": "Lis", "after_ms": 180 }, { "text": "bon.", "after_ms": 21 }] },
///     { "answer": "To any other question, in words that come every 40 ms." },
///     { "ask": "Too long", "fault": "context_full" }
///   ]
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What the model is called.
    pub name: String,
    /// Tokens that its chats can hold.
    #[serde(default = "default_n_ctx")]
    pub n_ctx: usize,
    /// What is answered to what. A question that is here more often is answered in this order, the last answer then
    /// again and again; turns without one answer all others, in turn.
    pub turns: Vec<ScriptTurn>,
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptTurn {
    /// The question; `None`: any that no other turn has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
    /// Tokens of the question that were computed.
    #[serde(default)]
    pub prompt_tokens: usize,
    /// The answer, piece by piece.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<ScriptPiece>,
    /// The answer in one piece, where nobody recorded its timing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Why it ended.
    #[serde(default)]
    pub end: ScriptEnd,
    /// What goes wrong after the last piece, if something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptPiece {
    /// Whole characters.
    pub text: String,
    /// Milliseconds after the piece before, or after the question.
    pub after_ms: u64,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptEnd {
    /// The model ended it.
    #[default]
    Eos,
    /// The most tokens were made.
    Length,
    /// A stop string was reached.
    StopString,
    /// No token more fitted the context.
    ContextFull,
}

/// What can go wrong in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The question does not fit.
    ContextFull,
    /// The deadline has passed.
    DeadlineExceeded,
    /// The model's numbers overflow.
    NotFinite,
}

/// Why a script cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// It is not the JSON that is wanted.
    #[error("script: {0}")]
    Json(#[from] serde_json::Error),
    /// A turn has neither an answer nor a fault, or two answers.
    #[error("script: turn {turn} wants either `pieces` or `answer`, or a `fault`")]
    Answer {
        /// Which, from 0.
        turn: usize,
    },
    /// The speed is not greater than 0.
    #[error("script: a speed of {had}, wanted more than 0")]
    Speed {
        /// What was given.
        had: f64,
    },
}

/// For answers whose timing nobody recorded: until the first piece, and between pieces.
const FIRST_MS: u64 = 200;
const NEXT_MS: u64 = 40;

const fn default_n_ctx() -> usize {
    4_096
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// [`ScriptError::Json`], [`ScriptError::Answer`].
    pub fn from_json(json: &str) -> Result<Self, ScriptError> {
        let mut script: Self = serde_json::from_str(json)?;
        for (i, turn) in script.turns.iter_mut().enumerate() {
            if turn.pieces.is_empty() == turn.answer.is_none() && turn.fault.is_none() {
                return Err(ScriptError::Answer { turn: i });
            }
            if let Some(answer) = turn.answer.take() {
                turn.pieces = words(&answer);
            }
        }
        Ok(script)
    }

    /// The script as [`from_json`](Self::from_json) reads it.
    ///
    /// # Panics
    /// Never: it has nothing that JSON lacks.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("texts and numbers are JSON")
    }

    /// The answer to `question`, which was asked `times` times before, as question `number` of its chat.
    pub(super) fn turn(&self, question: &str, times: usize, number: usize) -> Option<&ScriptTurn> {
        let of = |ask: Option<&str>| -> Vec<&ScriptTurn> {
            let turns = self.turns.iter();
            turns.filter(|turn| turn.ask.as_deref() == ask).collect()
        };
        let own = of(Some(question));
        if let Some(last) = own.len().checked_sub(1) {
            return own.get(times.min(last)).copied();
        }
        let any = of(None);
        (!any.is_empty()).then(|| any[number % any.len()])
    }
}

impl ScriptPiece {
    pub(super) const fn after(&self) -> Duration {
        Duration::from_millis(self.after_ms)
    }
}

/// An answer word by word.
fn words(answer: &str) -> Vec<ScriptPiece> {
    let mut pieces: Vec<ScriptPiece> = Vec::new();
    for word in answer.split_inclusive(' ') {
        pieces.push(ScriptPiece {
            text: word.to_owned(),
            after_ms: if pieces.is_empty() { FIRST_MS } else { NEXT_MS },
        });
    }
    pieces
}

impl From<ScriptEnd> for StopReason {
    fn from(end: ScriptEnd) -> Self {
        match end {
            ScriptEnd::Eos => Self::Eos,
            ScriptEnd::Length => Self::Length,
            ScriptEnd::StopString => Self::StopString,
            ScriptEnd::ContextFull => Self::ContextFull,
        }
    }
}

impl From<StopReason> for ScriptEnd {
    fn from(reason: StopReason) -> Self {
        match reason {
            StopReason::Eos => Self::Eos,
            StopReason::Length => Self::Length,
            StopReason::StopString => Self::StopString,
            StopReason::ContextFull => Self::ContextFull,
        }
    }
}

/// A conversation's messages, as a replay keeps them.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Kept {
    /// `"puna replay"`, so that nothing else is taken for one.
    pub kind: String,
    /// Roles and words.
    pub messages: Vec<(String, String)>,
}

impl Kept {
    pub const KIND: &str = "puna replay";

    pub fn role(name: &str) -> Option<Role> {
        Role::from_name(name)
    }
}
