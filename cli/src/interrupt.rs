//! Ctrl-C: ends the answer that is being made, else the program.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use puna_core::cancel::Cancel;

/// The exit code of a program that Ctrl-C ended, by the shells' custom: 128 + SIGINT.
const EXIT_CODE: i32 = 130;

/// What stops the answer that is being made.
static ANSWER: Mutex<Option<Cancel>> = Mutex::new(None);

fn answer() -> MutexGuard<'static, Option<Cancel>> {
    ANSWER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on Ctrl-C ends the answer; a second one, or one when there is none, the program.
pub fn install() -> Result<()> {
    ctrlc::set_handler(|| match &*answer() {
        Some(cancel) if !cancel.is_cancelled() => cancel.cancel(),
        _ => std::process::exit(EXIT_CODE),
    })
    .context("cannot watch for Ctrl-C")
}

/// Makes an answer that Ctrl-C ends.
pub fn during<T>(make: impl FnOnce(&Cancel) -> T) -> T {
    let cancel = Cancel::new();
    *answer() = Some(cancel.clone());
    let made = make(&cancel);
    *answer() = None;
    made
}
