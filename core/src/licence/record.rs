//! That somebody accepted a licence: who, when, which version.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{Licence, with_ending};

/// What the names of records end in.
const ENDING: &str = ".licence-accepted.json";

/// That somebody accepted a licence.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Acceptance {
    /// [`Licence::id`].
    pub id: String,
    /// [`Licence::version`]: other terms are to be accepted anew.
    pub version: Option<String>,
    /// Who, as the app names them.
    pub who: String,
    /// When, in seconds since 1970.
    pub when: u64,
}

/// Why an acceptance could not be recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LicenceError {
    /// Neither the model's folder nor another one was given.
    #[error("licence: nowhere to record that {id} is accepted")]
    Nowhere {
        /// The licence.
        id: String,
    },
    /// The disk.
    #[error("licence: {}: {source}", path.display())]
    Io {
        /// The record.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Records that `who` accepts `licence`: beside the model's file, or, where that cannot be written or has no
/// path, in `folder`, where it holds for every model under this licence.
///
/// # Errors
/// [`LicenceError`].
pub fn accept(
    licence: &Licence,
    file: Option<&Path>,
    folder: Option<&Path>,
    who: &str,
) -> Result<Acceptance, LicenceError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let acceptance = Acceptance {
        id: licence.id.clone(),
        version: licence.version.map(str::to_owned),
        who: who.to_owned(),
        when: since.map_or(0, |since| since.as_secs()),
    };
    let mut result = Err(LicenceError::Nowhere {
        id: licence.id.clone(),
    });
    for path in places(licence, file, folder) {
        result = write(&path, &acceptance).map_err(|source| LicenceError::Io { path, source });
        if result.is_ok() {
            break;
        }
    }
    result.map(|()| acceptance)
}

/// The record that this version of `licence` is accepted, looked for where [`accept`] writes it.
#[must_use]
pub fn accepted(
    licence: &Licence,
    file: Option<&Path>,
    folder: Option<&Path>,
) -> Option<Acceptance> {
    let read = |path: PathBuf| serde_json::from_slice::<Acceptance>(&fs::read(path).ok()?).ok();
    let is_it =
        |had: &Acceptance| had.id == licence.id && had.version.as_deref() == licence.version;
    let mut records = places(licence, file, folder).filter_map(read);
    records.find(is_it)
}

fn places(
    licence: &Licence,
    file: Option<&Path>,
    folder: Option<&Path>,
) -> impl Iterator<Item = PathBuf> {
    let beside = file.map(|file| with_ending(file, ENDING));
    // Only ids of the table are asked for, and those are names of files; others could be anything.
    let id: String = licence
        .id
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
        .collect();
    let among = folder.map(|folder| folder.join(format!("{id}{ENDING}")));
    beside.into_iter().chain(among)
}

/// Writes a record: whole, or not at all.
fn write(path: &Path, acceptance: &Acceptance) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = with_ending(path, ".new");
    fs::write(&new, serde_json::to_vec_pretty(acceptance)?)?;
    fs::rename(&new, path)
}
