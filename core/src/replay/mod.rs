//! The replay twin: a stand-in for a model that tells recorded answers again, with their timing.
//!
//! An app's own tests run with it where there is no model: in emulators and in CI. A [`Script`] is recorded from a real
//! chat, or written by hand; a [`ReplayChat`] answers from it as a [`Conversation`](crate::conversation::Conversation)
//! answers from a model: piece by piece, to be cancelled at any time, one turn after the other.

mod chat;
mod script;

pub use chat::{ReplayChat, ReplayReply};
pub use script::{Fault, Script, ScriptEnd, ScriptError, ScriptPiece, ScriptTurn};

use std::{sync::Arc, time::Duration};

use crate::chat::Message;

/// A script that is ready to be told. Clones share it.
#[derive(Clone, Debug)]
pub struct Replay {
    script: Arc<Script>,
    speed: f64,
}

impl Replay {
    /// Tells `script`, `speed` times as fast as it was recorded; infinitely fast: without any waiting.
    ///
    /// # Errors
    /// [`ScriptError::Speed`] unless it is greater than 0.
    pub fn new(script: Script, speed: f64) -> Result<Self, ScriptError> {
        if speed.is_nan() || speed <= 0.0 {
            return Err(ScriptError::Speed { had: speed });
        }
        Ok(Self {
            script: Arc::new(script),
            speed,
        })
    }

    /// What is told.
    #[must_use]
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// An empty conversation, opened by `system` if given.
    #[must_use]
    pub fn chat(&self, system: Option<&str>) -> ReplayChat {
        ReplayChat::new(self.clone(), system.map(Message::system))
    }

    /// The time that `recorded` takes now.
    fn time(&self, recorded: Duration) -> Duration {
        Duration::try_from_secs_f64(recorded.as_secs_f64() / self.speed).unwrap_or(Duration::ZERO)
    }
}
