//! A corpus of files that lie, and what must become of each.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use crate::tiny::Rng;

pub mod gguf;
pub mod model;
pub mod template;

/// A file and what must become of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is wrong with it.
    pub name: Cow<'static, str>,
    /// The file.
    pub bytes: Vec<u8>,
    /// What must become of it.
    pub outcome: Outcome,
}

/// What must become of a file.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// It is refused, with a message of one line that contains this.
    Refused(&'static str),
    /// Strange, but nothing is wrong with it.
    Loads,
    /// Its numbers are broken: it is refused, or what it computes is finite or an error of one line.
    Survives,
}

impl Case {
    /// A file that must be refused with a message that contains `says`.
    #[must_use]
    pub fn refused(
        name: impl Into<Cow<'static, str>>,
        bytes: impl Into<Vec<u8>>,
        says: &'static str,
    ) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            outcome: Outcome::Refused(says),
        }
    }

    /// A file that must load.
    #[must_use]
    pub fn loads(name: impl Into<Cow<'static, str>>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            outcome: Outcome::Loads,
        }
    }

    /// A file whose numbers are broken.
    #[must_use]
    pub fn survives(name: impl Into<Cow<'static, str>>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            outcome: Outcome::Survives,
        }
    }

    /// What is wrong with the result of reading the file; `None` if it is as it must be.
    #[must_use]
    pub fn complaint(&self, result: Result<(), &str>) -> Option<String> {
        match (self.outcome, result) {
            (Outcome::Loads | Outcome::Survives, Ok(())) => None,
            (Outcome::Loads, Err(error)) => Some(format!("must load: {error}")),
            (Outcome::Refused(_), Ok(())) => Some("must be refused".to_owned()),
            (_, Err(error)) if error.contains(char::is_control) => {
                Some("more than a line".to_owned())
            }
            (Outcome::Refused(says), Err(error)) if !error.contains(says) => {
                Some(format!("must say {says:?}"))
            }
            (Outcome::Refused(_) | Outcome::Survives, Err(_)) => None,
        }
    }
}

/// Longest that a file may keep its reader: a second, and more on an emulated CPU and under AddressSanitizer.
#[must_use]
pub fn most_time() -> Duration {
    let set = |name: &str| std::env::var_os(name).is_some();
    let slow = set("QEMU_CPU") || set("ASAN_OPTIONS");
    Duration::from_secs(if slow { 30 } else { 1 })
}

/// The time that a file took, which was `first`, or, if that was too long, the least of three: others may have used
/// the machine meanwhile.
#[must_use]
pub fn least_time(first: Duration, mut again: impl FnMut()) -> Duration {
    let mut least = first;
    for _ in 0..2 {
        if least > most_time() {
            let start = Instant::now();
            again();
            least = least.min(start.elapsed());
        }
    }
    least
}

/// A mutant of `bytes`: some bytes changed, cut out, doubled, or taken from elsewhere. Its first `head` bytes are hit as
/// often as all the rest.
#[must_use]
pub fn mutant(bytes: &[u8], head: usize, rng: &mut Rng) -> Vec<u8> {
    let mut mutant = bytes.to_vec();
    for _ in 0..1 + rng.below(3) {
        let reach = if rng.below(2) == 0 {
            mutant.len().min(head)
        } else {
            mutant.len()
        };
        let (at, from) = (rng.below(reach.max(1)), rng.below(mutant.len().max(1)));
        let n = (1 + rng.below(16))
            .min(mutant.len() - at)
            .min(mutant.len() - from);
        match rng.below(5) {
            0 => mutant[at] ^= 1 << rng.below(8),
            1 => mutant[at..at + n].fill([0, 0xff][rng.below(2)]),
            2 => drop(mutant.drain(at..at + n)),
            3 => mutant.copy_within(from..from + n, at),
            _ => {
                let part = mutant[from..from + n].to_vec();
                drop(mutant.splice(at..at, part));
            }
        }
        if mutant.is_empty() {
            break;
        }
    }
    mutant
}
