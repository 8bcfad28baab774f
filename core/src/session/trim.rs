//! Giving memory back when the system is short of it.

use super::{Session, ahead::Ahead};

/// How much memory is given back. Each level gives back what those before it do, and takes longer to come back.
///
/// Whatever was given back returns by itself in the next call that needs it, and the numbers are then the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Trim {
    /// The buffers of the computation. They are made anew in less than a millisecond.
    Scratch,
    /// The pages of the mapped weights, of every session on the same model. They come back from the system's cache of
    /// files, or from storage where the system has dropped them there too.
    Weights,
}

impl Trim {
    /// Every level, the mildest first.
    pub const ALL: [Self; 2] = [Self::Scratch, Self::Weights];

    /// Its name: `"scratch"` or `"weights"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scratch => "scratch",
            Self::Weights => "weights",
        }
    }
}

impl Session {
    /// Gives memory back, as far as `level` says. The tokens and the logits stay; guesses that were computed
    /// [ahead](Self::ahead) are forgotten.
    pub fn trim(&mut self, level: Trim) {
        self.scratch = None;
        self.next_logits = Vec::new();
        self.ahead = Ahead::default();
        if level >= Trim::Weights {
            self.model.release_pages();
        }
    }
}
