//! Licences that ask for acceptance.

use std::path::Path;

use puna_core::{
    gguf::Gguf,
    licence::{self, LicenceError},
};

use crate::error::{PunaError, guarded};

/// A licence, for a sheet that a person reads.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Licence {
    /// What it goes by, such as `llama2`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where its terms are to be read.
    pub terms: Option<String>,
    /// Where the acceptable-use policy is to be read that comes with it.
    pub use_policy: Option<String>,
    /// What one must know before use: a summary, not the terms.
    pub notice: Option<String>,
}

/// The licence that an error names; none for one that is not known here.
#[uniffi::export]
#[must_use]
pub fn known_licence(id: String) -> Option<Licence> {
    licence::known(&id).map(|known| Licence {
        id: known.id,
        name: known.name,
        terms: known.terms,
        use_policy: known.use_policy.map(str::to_owned),
        notice: known.notice.map(str::to_owned),
    })
}

/// Records in `folder` that `who` accepts the licence: for every model under it that is opened with this folder.
///
/// # Errors
/// [`PunaError::InvalidOption`] for an id that is not known here, [`PunaError::Unwritable`].
#[uniffi::export]
pub fn accept_licence(id: String, who: String, folder: String) -> Result<(), PunaError> {
    guarded(|| {
        let known = licence::known(&id).ok_or_else(|| PunaError::InvalidOption {
            what: format!("no licence goes by {id:?}"),
        })?;
        licence::accept(&known, None, Some(Path::new(&folder)), &who)?;
        Ok(())
    })
}

/// Records beside the file that `who` accepts its licence.
///
/// # Errors
/// As [`Model::open`](crate::Model::open); [`PunaError::InvalidOption`] where its terms ask for nothing,
/// [`PunaError::Unwritable`].
pub(crate) fn accept_beside(file: &Path, who: &str) -> Result<(), PunaError> {
    guarded(|| {
        let licence = licence::of(&Gguf::open(file)?, Some(file));
        let licence = licence.filter(|licence| licence.asks);
        let licence = licence.ok_or_else(|| PunaError::InvalidOption {
            what: "the terms of this file ask for no acceptance".to_owned(),
        })?;
        licence::accept(&licence, Some(file), None, who)?;
        Ok(())
    })
}

impl From<LicenceError> for PunaError {
    fn from(error: LicenceError) -> Self {
        Self::Unwritable {
            reason: error.to_string(),
        }
    }
}
