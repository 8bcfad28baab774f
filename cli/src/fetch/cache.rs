//! Where fetched models are kept.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};

/// The folder for what can be fetched again: `PUNA_CACHE`, else `puna` in the user's cache folder.
pub fn folder() -> Result<PathBuf> {
    if let Some(folder) = variable("PUNA_CACHE") {
        return Ok(folder);
    }
    let user =
        users().context("cannot tell the user's cache folder: set PUNA_CACHE to a folder")?;
    Ok(user.join("puna"))
}

#[cfg(windows)]
fn users() -> Option<PathBuf> {
    variable("LOCALAPPDATA")
}

#[cfg(target_vendor = "apple")]
fn users() -> Option<PathBuf> {
    Some(env::home_dir()?.join("Library/Caches"))
}

#[cfg(not(any(windows, target_vendor = "apple")))]
fn users() -> Option<PathBuf> {
    // The XDG specification has relative paths ignored.
    let xdg = variable("XDG_CACHE_HOME").filter(|folder| folder.is_absolute());
    xdg.or_else(|| Some(env::home_dir()?.join(".cache")))
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<PathBuf> {
    let value = env::var_os(name).filter(|value| !value.is_empty())?;
    Some(value.into())
}
