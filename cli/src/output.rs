//! What programs and people read: stdout.

use std::io::{self, IsTerminal, StdoutLock, Write};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::failure::StdoutClosed;

/// Stdout, whose closing by the reader is told apart from errors.
#[derive(Debug)]
pub struct Out(StdoutLock<'static>);

impl Out {
    /// The process's.
    pub fn stdout() -> Self {
        Self(io::stdout().lock())
    }

    /// Whether a person reads.
    pub fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }

    /// Writes `text` and shows it at once.
    pub fn show(&mut self, text: &str) -> Result<()> {
        written(self.0.write_all(text.as_bytes()))?;
        self.flush()
    }

    /// Shows text that a model made. A terminal gets no control characters but line breaks and tabs,
    /// since a model could be made to write escape sequences.
    pub fn show_made(&mut self, text: &str) -> Result<()> {
        if !self.is_terminal() {
            return self.show(text);
        }
        let harmless = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
        self.show(&text.chars().filter(harmless).collect::<String>())
    }

    /// Writes a line.
    pub fn line(&mut self, text: &str) -> Result<()> {
        written(writeln!(self.0, "{text}"))
    }

    /// Writes `value` as a line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> Result<()> {
        self.line(&serde_json::to_string(value)?)
    }

    /// Hands everything to the reader.
    pub fn flush(&mut self) -> Result<()> {
        written(self.0.flush())
    }
}

fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(StdoutClosed.into()),
        result => result.context("cannot write to stdout"),
    }
}

/// Tells a person `text` on stderr; that nobody may listen there is no error.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// `text` on one line, at most `max` characters of it, control characters as escapes: safe to show,
/// whatever file it comes from.
pub fn shortened(text: &str, max: usize) -> String {
    let visible = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    let mut short: String = text.chars().take(max).map(visible).collect();
    if text.chars().nth(max).is_some() {
        short.push('…');
    }
    short
}
