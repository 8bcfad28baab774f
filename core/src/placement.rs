//! Which cores a session's threads run on: set, and read back.

use std::{collections::BTreeSet, io, str::FromStr};

use crate::topology::Topology;

/// Cores that threads may run on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cores {
    /// All but the slow ones of a phone; nothing is set where all are alike.
    #[default]
    Fast,
    /// Wherever the system likes.
    Any,
    /// The cores of these numbers, as Linux counts them.
    These(Vec<usize>),
}

/// A text that names no cores.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cores: {text:?} is neither \"fast\" nor \"any\" nor a list such as 4-6,7")]
pub struct CoresError {
    text: String,
}

/// Cores that a list may name; Linux builds know no more.
const MOST_CORES: usize = 8192;

impl FromStr for Cores {
    type Err = CoresError;

    /// `fast`, `any`, or numbers and ranges such as `0,4-7`.
    fn from_str(text: &str) -> Result<Self, CoresError> {
        let wrong = || CoresError {
            text: text.to_owned(),
        };
        match text {
            "fast" => return Ok(Self::Fast),
            "any" => return Ok(Self::Any),
            _ => {}
        }
        let mut cores = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |digits: &str| digits.trim().parse::<usize>().map_err(|_| wrong());
            let range = number(first)?..=number(last)?;
            if range.is_empty() || *range.end() >= MOST_CORES {
                return Err(wrong());
            }
            cores.extend(range);
        }
        Ok(Self::These(cores.into_iter().collect()))
    }
}

/// What the system made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The cores that were asked for; `None`: nothing was set.
    pub asked: Option<Vec<usize>>,
    /// The cores that the threads may use, as the system says afterwards; fewer or others than asked for
    /// where it has its own mind (Android confines apps in the background). `None` where nothing was set,
    /// and where the system does not say.
    pub got: Option<Vec<usize>>,
}

impl Cores {
    /// The cores to ask for, of those that this thread may use now; `None`: leave it as it is.
    #[must_use]
    pub fn to_ask(&self, topology: &Topology) -> Option<Vec<usize>> {
        match self {
            Self::Any => None,
            Self::These(cores) => Some(cores.clone()),
            Self::Fast => {
                let fast = topology.fast_cores();
                let confines = !fast.is_empty() && fast.len() < topology.n_cores();
                confines.then_some(fast)
            }
        }
    }
}

impl Placement {
    /// Warns where it is not as asked.
    pub(crate) fn tell(&self) {
        match (&self.asked, &self.got) {
            (Some(asked), Some(got)) if asked != got => {
                log::warn!("threads run on the cores {got:?}; {asked:?} were asked for");
            }
            (Some(asked), None) => log::warn!("threads cannot be placed on the cores {asked:?}"),
            _ => {}
        }
    }
}

/// Lets the calling thread run on `cores` alone, and asks where it then may run.
///
/// # Errors
/// The system's answer; [`io::ErrorKind::Unsupported`] where threads cannot be placed.
pub fn place(cores: &[usize]) -> io::Result<Vec<usize>> {
    system::set(cores)?;
    system::get()
}

/// The cores that the calling thread may run on, in order.
///
/// # Errors
/// As [`place`].
pub fn current() -> io::Result<Vec<usize>> {
    system::get()
}

/// The calling thread on other cores, until this is dropped.
#[derive(Debug)]
pub(crate) struct Visit {
    home: Vec<usize>,
}

impl Visit {
    /// Moves the calling thread to `cores`; nothing where the system refuses.
    pub fn to(cores: Option<&[usize]>) -> Option<Self> {
        let home = current().ok()?;
        let cores = cores.filter(|cores| **cores != *home)?;
        place(cores).ok()?;
        Some(Self { home })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Err(e) = place(&self.home) {
            log::debug!("the caller's thread stays on other cores: {e}");
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use nix::{
        sched::{CpuSet, sched_getaffinity, sched_setaffinity},
        unistd::Pid,
    };
    use std::io;

    /// The calling thread.
    const THIS: Pid = Pid::from_raw(0);

    pub fn set(cores: &[usize]) -> io::Result<()> {
        let mut set = CpuSet::new();
        for core in cores {
            set.set(*core)?;
        }
        Ok(sched_setaffinity(THIS, &set)?)
    }

    pub fn get() -> io::Result<Vec<usize>> {
        let set = sched_getaffinity(THIS)?;
        let is_set = |core: &usize| set.is_set(*core).unwrap_or(false);
        Ok((0..CpuSet::count()).filter(is_set).collect())
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use std::io;

    pub fn set(_: &[usize]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn get() -> io::Result<Vec<usize>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_by_name_and_number() {
        assert_eq!("fast".parse(), Ok(Cores::Fast));
        assert_eq!("any".parse(), Ok(Cores::Any));
        assert_eq!("4-6,7,0".parse(), Ok(Cores::These(vec![0, 4, 5, 6, 7])));
        assert_eq!("3".parse(), Ok(Cores::These(vec![3])));
        for bad in ["", ",", "4-", "6-4", "-1", "0-99999999999", "slow", "1;2"] {
            assert!(bad.parse::<Cores>().is_err(), "{bad:?}");
        }
    }
}
