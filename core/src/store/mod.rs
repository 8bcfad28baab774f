//! Models that were fetched: a folder in which every file lies under its SHA-256.
//!
//! ```text
//! models/<sha256>/NAME.gguf     a whole file whose hash was right when it was put there, by one rename
//! models/<sha256>/source.json   where it came from
//! models/.partial/<key>         what has arrived of a file; <key>.json: which version of it
//! models/.locks/<key>           held by the process that fetches it
//! ```
//!
//! Nothing here opens a connection: [`Store::fetch`] asks a [`Connection`] that it is given. The one that Puna has,
//! `Https`, is behind the feature `https`.

mod address;
mod connection;
mod disk;
mod error;
mod fetch;
#[cfg(feature = "https")]
mod https;
mod partial;
mod remote;

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use connection::{Connection, ConnectionError, Head, Request};
pub use disk::{free_bytes, sha256};
pub use error::StoreError;
pub use fetch::{Fetch, Phase, Progress};
#[cfg(feature = "https")]
pub use https::Https;

/// The file beside a model that says where it came from.
const SOURCE: &str = "source.json";
/// Digits of a hash in hex.
const HASH_DIGITS: usize = 64;
/// The fewest first digits of a hash that a model goes by.
const FEWEST_DIGITS: usize = 8;

/// A folder of fetched models. Several processes may use it at once.
#[derive(Clone, Debug)]
pub struct Store {
    models: PathBuf,
}

/// A model in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What it goes by: the file's name without `.gguf`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its hash when it was put there, in hex.
    pub sha256: String,
    /// Where it came from, if it was fetched from an address.
    pub url: Option<String>,
}

/// Where a file came from.
#[derive(Debug, Deserialize, Serialize)]
struct Source {
    url: String,
}

impl Store {
    /// The store in `folder`, which need not exist.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            models: folder.join("models"),
        }
    }

    /// The folder of the models.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.models
    }

    /// What is there, by name. Files are judged by their place and length; [`verify`](Self::verify)
    /// reads them.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let folders = match fs::read_dir(&self.models) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            folders => folders.map_err(StoreError::at(&self.models))?,
        };
        let mut entries = Vec::new();
        for folder in folders {
            let folder = folder.map_err(StoreError::at(&self.models))?;
            let name = folder.file_name();
            if let Some(sha256) = name.to_str().filter(|name| is_hash(name)) {
                entries.extend(entry(&folder.path(), sha256));
            }
        }
        entries.sort_by(|a, b| (&a.name, &a.sha256).cmp(&(&b.name, &b.sha256)));
        Ok(entries)
    }

    /// The model of a name (with or without `.gguf`), of a hash, or of at least eight first digits of one.
    ///
    /// # Errors
    /// [`StoreError::Name`] if there is none or more than one; [`StoreError::Io`].
    pub fn find(&self, name: &str) -> Result<Entry, StoreError> {
        let plain = name.strip_suffix(".gguf").unwrap_or(name);
        let goes_by = |entry: &Entry| {
            let digits = name.len() >= FEWEST_DIGITS && entry.sha256.starts_with(name);
            entry.name == plain || digits
        };
        let mut found = self.list()?;
        found.retain(goes_by);
        match <[Entry; 1]>::try_from(found) {
            Ok([entry]) => Ok(entry),
            Err(found) => Err(StoreError::Name {
                name: name.to_owned(),
                found: found.len(),
            }),
        }
    }

    /// Removes a model and all that lies with it.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn remove(&self, name: &str) -> Result<Entry, StoreError> {
        let entry = self.find(name)?;
        let folder = self.models.join(&entry.sha256);
        fs::remove_dir_all(&folder).map_err(StoreError::at(&folder))?;
        Ok(entry)
    }

    /// Reads a model and compares its hash with that of its place.
    ///
    /// # Errors
    /// As [`find`](Self::find); [`StoreError::WrongHash`]. The file stays, for [`remove`](Self::remove).
    pub fn verify(&self, name: &str) -> Result<Entry, StoreError> {
        let entry = self.find(name)?;
        let had = sha256(&entry.path)?;
        if had != entry.sha256 {
            return Err(StoreError::WrongHash {
                what: entry.path.display().to_string(),
                had,
                wanted: entry.sha256,
            });
        }
        Ok(entry)
    }
}

/// The model in the folder of a hash, if there is one.
fn entry(folder: &Path, sha256: &str) -> Option<Entry> {
    let mut files = fs::read_dir(folder).ok()?.flatten().map(|file| file.path());
    let path = files.find(|path| path.extension().is_some_and(|e| e == "gguf"))?;
    let name = path.file_stem()?.to_str()?.to_owned();
    let bytes = fs::metadata(&path)
        .ok()
        .filter(fs::Metadata::is_file)?
        .len();
    let source = fs::read(folder.join(SOURCE)).ok();
    let source = source.and_then(|json| serde_json::from_slice::<Source>(&json).ok());
    Some(Entry {
        name,
        path,
        bytes,
        sha256: sha256.to_owned(),
        url: source.map(|source| source.url),
    })
}

fn is_hash(text: &str) -> bool {
    let is_digit = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    text.len() == HASH_DIGITS && text.bytes().all(is_digit)
}
