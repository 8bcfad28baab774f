//! Errors to one line and an exit code.

use std::process::ExitCode;

use clap::{CommandFactory, error::ErrorKind};

use crate::output::say;

/// Arguments that each are fine but make no sense here; exits as clap's own errors do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Nobody reads stdout any more, which is no error.
#[derive(Debug, thiserror::Error)]
#[error("stdout is closed")]
pub struct StdoutClosed;

/// An answer was cut off by `--deadline`; what there was of it has been shown.
#[derive(Debug, thiserror::Error)]
#[error("the deadline has passed before the answer was whole")]
pub struct DeadlinePassed;

/// The exit code of an answer that its deadline ended, by the custom of timeout(1).
const DEADLINE_EXIT_CODE: u8 = 124;

/// Says what went wrong, if anything did.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if error.is::<StdoutClosed>() {
        return ExitCode::SUCCESS;
    }
    if let Some(usage) = error.downcast_ref::<Usage>() {
        crate::Cli::command()
            .error(ErrorKind::ValueValidation, usage)
            .exit();
    }
    say(&format!("error: {}", one_line(error)));
    if error.is::<DeadlinePassed>() {
        ExitCode::from(DEADLINE_EXIT_CODE)
    } else {
        ExitCode::FAILURE
    }
}

/// The error and its causes, those left out that the text before them already tells.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string().replace(['\n', '\r'], " ");
        if line.is_empty() {
            line = text;
        } else if !line.contains(text.as_str()) {
            line = format!("{line}: {text}");
        }
    }
    line
}
