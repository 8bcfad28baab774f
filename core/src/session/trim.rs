//! Giving memory back when the system is short of it.

use super::{Session, ahead::Ahead};
use crate::saved::{self, StateError};

/// How much memory is given back. Each level gives back what those before it do, and takes longer to come back.
///
/// Whatever was given back returns by itself in the next call that needs it, and the numbers are then the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Trim {
    /// The buffers of the computation. They are made anew in less than a millisecond.
    Scratch,
    /// The cache. What of it is not in a file yet is written to one without a name, in the folder of
    /// [`SessionOptions::trim_dir`](super::SessionOptions::trim_dir), where it is read again, and the file goes when
    /// the session has no use for it. Pages that another session holds too stay in memory until that one trims as
    /// well or is gone; it writes them no second time.
    Kv,
    /// The pages of the mapped weights, of every session on the same model. They come back from the system's cache of
    /// files, or from storage where the system has dropped them there too.
    Weights,
}

impl Trim {
    /// Every level, the mildest first.
    pub const ALL: [Self; 3] = [Self::Scratch, Self::Kv, Self::Weights];

    /// Its name: `"scratch"`, `"kv"` or `"weights"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scratch => "scratch",
            Self::Kv => "kv",
            Self::Weights => "weights",
        }
    }
}

impl Session {
    /// Gives memory back, as far as `level` says. The tokens and the logits stay; guesses that were computed
    /// [ahead](Self::ahead) are forgotten.
    ///
    /// From [`Trim::Kv`] on it takes as long as writing the cache to the disk does.
    ///
    /// # Errors
    /// [`StateError::Io`] when the cache cannot be written, as on a full disk. It then stays in memory; all else is
    /// given back as `level` says, and nothing is lost.
    pub fn trim(&mut self, level: Trim) -> Result<(), StateError> {
        self.scratch = None;
        self.next_logits = Vec::new();
        self.ahead = Ahead::default();
        let mut parked = Ok(());
        if level >= Trim::Kv {
            let system = std::env::temp_dir;
            let dir = self.trim_dir.clone().unwrap_or_else(system);
            parked = saved::park(&mut self.kv, self.tokens.len(), &dir);
        }
        if level >= Trim::Weights {
            self.model.release_pages();
        }
        parked
    }
}
