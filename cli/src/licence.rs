//! Licences that ask for acceptance: asked for once.

use std::{
    env,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use puna_core::licence::{self, Licence};

use crate::{args, fetch, output::say};

/// Where acceptances are kept for models that lie where nothing can be written.
pub fn folder() -> Option<PathBuf> {
    Some(fetch::folder().ok()?.join("licences"))
}

/// Records that the licence of a model is accepted, if the command line says so, or the person at the
/// terminal.
///
/// # Errors
/// That it is not accepted, and how it can be.
pub fn settle(path: &Path, accepted: Option<&str>) -> Result<()> {
    let gguf = args::gguf(path)?;
    let Some(licence) = licence::of(&gguf, Some(path)) else {
        return Ok(());
    };
    match accepted {
        Some(id) if id == licence.id => {}
        Some(id) => bail!("--accept-licence {id}: the model is under {}", licence.id),
        None if ask(&licence)? => {}
        None => bail!(
            "the model's licence is not accepted: {}; `--accept-licence {}` accepts it",
            licence.summary(),
            licence.id
        ),
    }
    licence::accept(&licence, Some(path), folder().as_deref(), &who())?;
    Ok(())
}

/// Whether the person at the terminal accepts; nobody there accepts nothing.
fn ask(licence: &Licence) -> Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    say(&format!(
        "This model is under a licence: {}",
        licence.summary()
    ));
    if let Some(notice) = licence.notice {
        say(&format!(
            "In short, and not in place of the terms: {notice}"
        ));
    }
    say("Have you read the terms, and do you accept them? Type yes or no.");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}

/// The user's name, as the system tells it.
fn who() -> String {
    let name = ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|key| env::var(key).ok());
    name.unwrap_or_else(|| "unknown".to_owned())
}
