//! The line that a person types.

use anyhow::{Context, Result};
use rustyline::{Config, Editor, error::ReadlineError, history::MemHistory};

/// What was typed.
pub enum Line {
    /// A line, without its end.
    Text(String),
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D.
    End,
}

/// A line editor, which remembers earlier lines until the program ends, and writes them nowhere.
pub struct LineEditor(Editor<(), MemHistory>);

impl LineEditor {
    /// An editor on the terminal.
    pub fn new() -> Result<Self> {
        let config = Config::builder().auto_add_history(true).build();
        let editor = Editor::with_history(config, MemHistory::new());
        Ok(Self(editor.context("cannot use the terminal")?))
    }

    /// Asks for a line.
    pub fn read(&mut self) -> Result<Line> {
        match self.0.readline("> ") {
            Ok(line) => Ok(Line::Text(line)),
            Err(ReadlineError::Interrupted) => Ok(Line::Interrupt),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(error).context("cannot read the terminal"),
        }
    }
}
