//! Under which licence a model is, and whether somebody has accepted it.
//!
//! A licence travels with its model: it is read from the file's own keys, from a side-car
//! `FILE.licence.json`, or, for families whose files often say nothing, from a small table ([`KNOWN`]).
//! [`Model::open`](crate::model::Model::open) refuses a model whose terms ask for acceptance until the app
//! has called [`accept`]. All others pass, and nothing here judges whether a use is allowed.
//! docs/adr/0011 says how a family is recognised.

mod known;
mod record;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use known::{KNOWN, Known};
pub use record::{Acceptance, LicenceError, accept, accepted};

use crate::gguf::{Gguf, shown};

/// The licence of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Licence {
    /// What it goes by, such as `llama2` or `apache-2.0`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where its terms are to be read, if that is known.
    pub terms: Option<String>,
    /// Of which day the terms are that [`notice`](Self::notice) sums up.
    pub version: Option<&'static str>,
    /// Where the acceptable-use policy is to be read that comes with it.
    pub use_policy: Option<&'static str>,
    /// What one must know before use: our summary, not the terms.
    pub notice: Option<&'static str>,
    /// Whether the terms ask for acceptance before use.
    pub asks: bool,
}

impl Licence {
    /// One line: what it is, and where to read it.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut line = self.name.clone();
        if let Some(terms) = &self.terms {
            line = format!("{line}, {terms}");
        }
        if let Some(policy) = self.use_policy {
            line = format!("{line}; its acceptable-use policy, {policy}");
        }
        line
    }
}

/// What a side-car says.
#[derive(Debug, Deserialize)]
struct SideCar {
    id: String,
    name: Option<String>,
    terms: Option<String>,
}

/// The licence of a model, if it says one or is of a known family. `path`: of its file, for the side-car.
///
/// What the file says goes before what lies beside it, and both before what the name and the shape tell.
#[must_use]
pub fn of(gguf: &Gguf, path: Option<&Path>) -> Option<Licence> {
    let key = |key| {
        gguf.str(key)
            .ok()
            .flatten()
            .map(str::trim)
            .filter(|t| !t.is_empty())
    };
    let name = key("general.license.name");
    let id = match key("general.license") {
        // So converters write what is not in their list.
        Some(id) if id.eq_ignore_ascii_case("other") => name.or(Some(id)),
        id => id.or(name),
    };
    let link = key("general.license.link");
    if let Some(id) = id {
        return Some(called(id, name, link));
    }
    if let Some(said) = path.and_then(beside) {
        return Some(called(
            &said.id,
            said.name.as_deref(),
            said.terms.as_deref(),
        ));
    }
    known::family(gguf).map(Known::licence)
}

/// The licence of the [table](KNOWN) that goes by `id`, however it is written.
#[must_use]
pub fn known(id: &str) -> Option<Licence> {
    known::by_id(id).map(Known::licence)
}

/// The licence of an id.
fn called(id: &str, name: Option<&str>, terms: Option<&str>) -> Licence {
    if let Some(known) = known::by_id(id) {
        return known.licence();
    }
    Licence {
        id: shown(id),
        name: shown(name.unwrap_or(id)),
        terms: terms.map(shown),
        version: None,
        use_policy: None,
        notice: None,
        asks: false,
    }
}

/// What the side-car of a file says; one that cannot be read says nothing.
fn beside(path: &Path) -> Option<SideCar> {
    let json = std::fs::read(with_ending(path, ".licence.json")).ok()?;
    serde_json::from_slice(&json).ok()
}

/// `path` with something behind its name.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
