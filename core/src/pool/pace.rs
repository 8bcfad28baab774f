//! All threads, or the caller alone: whichever makes the steps faster on a machine that is busy with other work.
//!
//! Where another program, or the host of a virtual machine, takes a core away again and again, every loop waits
//! for the thread that lost it, and one thread alone may be faster than two. How long a wait is to be expected
//! cannot be known; how long whole steps took can. So while steps lose time, both ways are tried in turn and the
//! faster is kept.

use std::time::Duration;

/// Steps that are watched after one that lost time.
const WATCH: u32 = 256;
/// While watching, the slower way is tried for `TRIAL` steps of every `PERIOD`.
const PERIOD: u32 = 64;
const TRIAL: u32 = 4;
/// How much of the mean the newest step is.
const NEWEST: f32 = 1.0 / 8.0;
/// A step that lost this part of its time waiting for a thread without a core starts the watch.
const LOST: f32 = 0.1;

/// The choice for the next step, and what the last ones say.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Mean time of a step in seconds: on all threads, and alone.
    means: [Option<f32>; 2],
    /// Steps still watched.
    watch: u32,
    /// Steps since the watch began.
    step: u32,
}

impl Pace {
    /// Whether the next step is for the caller alone.
    pub fn alone(&self) -> bool {
        if self.watch == 0 {
            return false;
        }
        let best = matches!(self.means, [Some(all), Some(alone)] if alone < all);
        let trial = self.step % PERIOD < TRIAL;
        best != trial
    }

    /// A step, `alone` or not, took `time`, of which `lost` went by waiting for threads without a core.
    pub fn note(&mut self, alone: bool, time: Duration, lost: Duration) {
        let time = time.as_secs_f32();
        let busy = lost.as_secs_f32() > time * LOST;
        if self.watch == 0 {
            if !busy {
                return;
            }
            *self = Self::default();
        } else {
            self.watch -= 1;
            self.step += 1;
        }
        let mean = &mut self.means[usize::from(alone)];
        *mean = Some(mean.map_or(time, |mean| mean + (time - mean) * NEWEST));
        if busy {
            self.watch = WATCH;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps that `pace` gives to the caller alone of `n`, where a step takes `all` or `alone` milliseconds, and
    /// every third one on all threads loses `lost`.
    fn steps_alone(pace: &mut Pace, n: u32, all: u64, alone: u64, lost: u64) -> u32 {
        let mut count = 0;
        for i in 0..n {
            let is_alone = pace.alone();
            count += u32::from(is_alone);
            let lost = if !is_alone && i % 3 == 0 { lost } else { 0 };
            let time = if is_alone { alone } else { all + lost };
            pace.note(
                is_alone,
                Duration::from_millis(time),
                Duration::from_millis(lost),
            );
        }
        count
    }

    #[test]
    fn a_quiet_machine_is_never_alone() {
        assert_eq!(steps_alone(&mut Pace::default(), 1000, 5, 9, 0), 0);
    }

    #[test]
    fn the_faster_way_is_kept() {
        // All threads: 5 ms and a third of the time 20 more, 11.7 on average.
        let alone = steps_alone(&mut Pace::default(), 1000, 5, 9, 20);
        assert!((900..1000).contains(&alone), "alone is faster: {alone}");
        // 5 ms and a third of the time 3 more, 6 on average.
        let alone = steps_alone(&mut Pace::default(), 1000, 5, 9, 3);
        assert!(alone < 80, "all are faster: {alone}");
    }

    #[test]
    fn the_end_of_the_load_is_noticed() {
        let mut pace = Pace::default();
        steps_alone(&mut pace, 500, 5, 9, 20);
        steps_alone(&mut pace, 300, 5, 9, 0);
        assert_eq!(steps_alone(&mut pace, 1000, 5, 9, 0), 0);
    }
}
