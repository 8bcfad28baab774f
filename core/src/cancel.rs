//! A flag, and a deadline, that stop work from any thread.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU8, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::{Duration, Instant},
};

/// Stops the prefill or the answer that was given it, when it is told to or when its deadline passes.
///
/// Clones share the flag; each has a deadline of its own. Work looks at it many times in a layer, so it stops within
/// some milliseconds, however long the prompt is; a call that was stopped leaves its session as it was before.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    limit: Limit,
}

/// What stops work besides the flag.
#[derive(Clone, Debug, Default)]
enum Limit {
    #[default]
    None,
    Deadline(Instant),
    Looks(Arc<Looks>),
}

/// How often it was looked at, and at which time it says stop.
#[derive(Debug)]
struct Looks {
    so_far: AtomicUsize,
    last: usize,
}

/// Why work stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stopped {
    /// [`Cancel::cancel`] was called.
    #[error("cancelled")]
    Cancelled,
    /// The deadline has passed.
    #[error("the deadline has passed")]
    DeadlineExceeded,
}

impl Cancel {
    /// A flag that is not set, without a deadline.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same flag with a deadline: from `at` on, work that is given it stops with
    /// [`Stopped::DeadlineExceeded`]. Takes the place of the deadline that `self` has; `self` keeps its own.
    #[must_use]
    pub fn with_deadline(&self, at: Instant) -> Self {
        Self {
            flag: Arc::clone(&self.flag),
            limit: Limit::Deadline(at),
        }
    }

    /// As [`with_deadline`](Self::with_deadline), `after` from now; none if that is beyond the clock.
    #[must_use]
    pub fn with_timeout(&self, after: Duration) -> Self {
        match Instant::now().checked_add(after) {
            Some(at) => self.with_deadline(at),
            None => Self {
                flag: Arc::clone(&self.flag),
                limit: Limit::None,
            },
        }
    }

    /// One that sets its flag itself when it is looked at for the `n`-th time, counted from 1. With it a test can
    /// stop work at every place where work can be stopped.
    #[must_use]
    pub fn after_looks(n: usize) -> Self {
        Self {
            flag: Arc::default(),
            limit: Limit::Looks(Arc::new(Looks {
                so_far: AtomicUsize::new(0),
                last: n,
            })),
        }
    }

    /// How often work has looked at it; only [`after_looks`](Self::after_looks) counts, others say 0.
    #[must_use]
    pub fn looks(&self) -> usize {
        match &self.limit {
            Limit::Looks(looks) => looks.so_far.load(SeqCst),
            _ => 0,
        }
    }

    /// Asks the work to stop; returns at once. Calling it twice is harmless.
    pub fn cancel(&self) {
        self.flag.store(true, Relaxed);
    }

    /// Makes the flag usable again. A call that has begun to stop stops all the same.
    pub fn reset(&self) {
        self.flag.store(false, Relaxed);
    }

    /// Whether it was asked. A deadline that has passed is none of this.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Relaxed)
    }

    /// The deadline, if there is one.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        match self.limit {
            Limit::Deadline(at) => Some(at),
            _ => None,
        }
    }

    /// Whether work may go on.
    ///
    /// # Errors
    /// [`Stopped`]: why it may not. Where both are so, it was cancelled.
    pub fn check(&self) -> Result<(), Stopped> {
        match &self.limit {
            Limit::Looks(looks) if looks.so_far.fetch_add(1, SeqCst) + 1 >= looks.last => {
                self.cancel();
            }
            _ => {}
        }
        if self.is_cancelled() {
            return Err(Stopped::Cancelled);
        }
        match self.limit {
            Limit::Deadline(at) if Instant::now() >= at => Err(Stopped::DeadlineExceeded),
            _ => Ok(()),
        }
    }
}

/// What one call sees of a [`Cancel`]. Once it has seen a stop it keeps to it: work that was left out would otherwise
/// pass for done when the flag is reset before the call ends.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    cancel: &'a Cancel,
    /// One of the constants below.
    seen: AtomicU8,
}

const NOTHING: u8 = 0;
const CANCELLED: u8 = 1;
const EXCEEDED: u8 = 2;

impl<'a> Watch<'a> {
    pub const fn new(cancel: &'a Cancel) -> Self {
        Self {
            cancel,
            seen: AtomicU8::new(NOTHING),
        }
    }

    /// Looks; whether the work is to stop. To be called before each piece of work, on any thread.
    pub fn stops(&self) -> bool {
        self.check().is_err()
    }

    /// Looks, and says why the work is to stop.
    pub fn check(&self) -> Result<(), Stopped> {
        match self.seen.load(Relaxed) {
            NOTHING => {}
            CANCELLED => return Err(Stopped::Cancelled),
            _ => return Err(Stopped::DeadlineExceeded),
        }
        self.cancel.check().inspect_err(|stopped| {
            let seen = match stopped {
                Stopped::Cancelled => CANCELLED,
                Stopped::DeadlineExceeded => EXCEEDED,
            };
            self.seen.store(seen, Relaxed);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_flag_and_not_the_deadline() {
        let cancel = Cancel::new();
        let timed = cancel.with_timeout(Duration::ZERO);
        assert_eq!(timed.check(), Err(Stopped::DeadlineExceeded));
        assert!(!timed.is_cancelled());
        assert_eq!(cancel.check(), Ok(()));
        timed.cancel();
        assert_eq!(cancel.check(), Err(Stopped::Cancelled));
        assert_eq!(timed.check(), Err(Stopped::Cancelled));
        let later = cancel.with_timeout(Duration::from_secs(3600));
        cancel.reset();
        assert_eq!(later.check(), Ok(()));
        assert_eq!(cancel.with_timeout(Duration::MAX).deadline(), None);
    }

    #[test]
    fn a_watch_keeps_to_the_stop_that_it_saw() {
        let cancel = Cancel::new();
        let watch = Watch::new(&cancel);
        assert!(!watch.stops());
        cancel.cancel();
        assert!(watch.stops());
        cancel.reset();
        assert_eq!(watch.check(), Err(Stopped::Cancelled));
        assert_eq!(Watch::new(&cancel).check(), Ok(()));
        let timed = cancel.with_timeout(Duration::ZERO);
        let watch = Watch::new(&timed);
        assert!(watch.stops());
        timed.cancel();
        assert_eq!(watch.check(), Err(Stopped::DeadlineExceeded));
    }

    #[test]
    fn a_counting_flag_sets_itself_at_its_look() {
        let cancel = Cancel::after_looks(3);
        let stopped: Vec<_> = (0..4).map(|_| cancel.check().is_err()).collect();
        assert_eq!(stopped, [false, false, true, true]);
        assert_eq!(cancel.looks(), 4);
    }
}
