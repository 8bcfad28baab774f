//! Shares of a loop: each thread gets units in a row, as many as its speed says; who is done early steals
//! from what the others have left.
//!
//! A share is taken in pieces, each half of what is left of it: long runs through the weights at first,
//! short ones at the end, so that all threads end together.

use std::{
    ops::Range,
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
    time::Duration,
};

/// How much of a speed one loop teaches.
const LEARNING: f32 = 1.0 / 16.0;
/// No thread is believed to be slower or faster than the others' mean by more than this.
const SPEEDS: (f32, f32) = (1.0 / 8.0, 8.0);
/// A part that took less says nothing about speed.
const SHORT: Duration = Duration::from_micros(3);

/// The units of one loop, dealt to the threads.
#[derive(Debug)]
pub(super) struct Shares(Box<[Share]>);

/// Units of a piece, at least and at most; at least 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub least: u32,
    pub most: u32,
}

/// What one thread has left, and what it did. On cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Share {
    /// Units nobody took yet: the first in the low half, one past the last in the high half.
    left: AtomicU64,
    /// Units that this thread did in the loop, stolen ones included.
    done: AtomicU32,
    /// How long it took, in nanoseconds.
    nanos: AtomicU64,
}

fn pack(range: &Range<u32>) -> u64 {
    u64::from(range.end) << 32 | u64::from(range.start)
}

fn unpack(left: u64) -> Range<u32> {
    left as u32..(left >> 32) as u32
}

impl Share {
    /// Takes half of what is left, within `sizes` if there is as much: the owner at the front, a thief at the back.
    fn take(&self, sizes: Sizes, front: bool) -> Option<Range<usize>> {
        let mut left = self.left.load(Acquire);
        loop {
            let all = unpack(left);
            if all.is_empty() {
                return None;
            }
            let left_over = all.end - all.start;
            let half = left_over.div_ceil(2);
            let n = half.max(sizes.least).min(sizes.most).min(left_over);
            let (piece, rest) = if front {
                (all.start..all.start + n, all.start + n..all.end)
            } else {
                (all.end - n..all.end, all.start..all.end - n)
            };
            match (self.left).compare_exchange_weak(left, pack(&rest), AcqRel, Acquire) {
                Ok(_) => return Some(piece.start as usize..piece.end as usize),
                Err(now) => left = now,
            }
        }
    }

    fn n_left(&self) -> usize {
        unpack(self.left.load(Relaxed)).len()
    }
}

impl Shares {
    pub fn new(n_threads: usize) -> Self {
        Self((0..n_threads).map(|_| Share::default()).collect())
    }

    /// Deals `n` units, `speeds` parts to each thread. Nobody may be taking meanwhile.
    ///
    /// # Panics
    /// If `n` is beyond 32 bits.
    pub fn deal(&self, n: usize, speeds: &[f32]) {
        let n = u32::try_from(n).expect("units of a loop");
        let sum: f32 = speeds.iter().sum();
        let (mut first, mut before) = (0, 0.0);
        for (i, (share, speed)) in self.0.iter().zip(speeds).enumerate() {
            before += speed;
            let last = i + 1 == self.0.len();
            let end = if last {
                n
            } else {
                (n as f32 * before / sum).round() as u32
            };
            let end = end.clamp(first, n);
            share.left.store(pack(&(first..end)), Release);
            share.done.store(0, Relaxed);
            first = end;
        }
    }

    /// The next piece for `thread`: of its own share, else of the fullest.
    pub fn take(&self, thread: usize, sizes: Sizes) -> Option<Range<usize>> {
        if let Some(piece) = self.0[thread].take(sizes, true) {
            return Some(piece);
        }
        loop {
            let fullest = self.0.iter().max_by_key(|share| share.n_left())?;
            if fullest.n_left() == 0 {
                return None;
            }
            if let Some(piece) = fullest.take(sizes, false) {
                return Some(piece);
            }
        }
    }

    /// `thread` did `units` in `time`.
    pub fn report(&self, thread: usize, units: usize, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0[thread].nanos.store(nanos, Relaxed);
        // Last, and read first: a count says that the time is there.
        self.0[thread].done.store(units as u32, Release);
    }

    /// What the threads reported, `(units, nanoseconds)` each; nothing from those that had no part.
    pub fn reports(&self) -> impl Iterator<Item = Option<(u32, u64)>> + Clone {
        self.0.iter().map(|share| {
            let units = share.done.load(Acquire);
            let nanos = share.nanos.load(Relaxed);
            (units > 0 && u128::from(nanos) >= SHORT.as_nanos()).then_some((units, nanos))
        })
    }
}

/// Moves each speed a little towards what a loop showed: units by time, over the mean of those who reported.
/// One report alone compares with nothing and changes nothing.
pub(super) fn learn(speeds: &mut [f32], reports: impl Iterator<Item = Option<(u32, u64)>> + Clone) {
    let rates = reports.map(|report| report.map(|(units, nanos)| units as f32 / nanos as f32));
    let known = rates.clone().flatten().count();
    if known < 2 {
        return;
    }
    let mean = rates.clone().flatten().sum::<f32>() / known as f32;
    for (speed, rate) in speeds.iter_mut().zip(rates) {
        if let Some(rate) = rate {
            let seen = (rate / mean).clamp(SPEEDS.0, SPEEDS.1);
            *speed += (seen - *speed) * LEARNING;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Units of each thread, before any stealing.
    fn dealt(n: usize, speeds: &[f32]) -> Vec<usize> {
        let shares = Shares::new(speeds.len());
        shares.deal(n, speeds);
        shares.0.iter().map(Share::n_left).collect()
    }

    #[test]
    fn shares_follow_the_speeds() {
        assert_eq!(dealt(100, &[1.0, 1.0]), [50, 50]);
        assert_eq!(dealt(100, &[3.0, 1.0]), [75, 25]);
        assert_eq!(dealt(90, &[2.0, 1.0, 1.5]), [40, 20, 30]);
        assert_eq!(dealt(1, &[1.0, 1.0, 1.0]).iter().sum::<usize>(), 1);
        assert_eq!(dealt(0, &[1.0, 9.0]), [0, 0]);
    }

    #[test]
    fn every_unit_is_taken_once_whoever_takes() {
        for n in [0, 1, 2, 7, 64, 1000] {
            for most in [1, 3, 1000] {
                let shares = Shares::new(3);
                shares.deal(n, &[1.0, 2.0, 0.5]);
                let mut seen = BTreeSet::new();
                let mut turn = 0;
                let sizes = Sizes {
                    least: most.min(2),
                    most,
                };
                while let Some(piece) = shares.take(turn % 3, sizes) {
                    assert!(!piece.is_empty() && piece.len() <= most as usize);
                    piece.for_each(|unit| assert!(seen.insert(unit), "unit {unit} twice"));
                    // Thread 2 is seldom there: the others take its share.
                    turn += if turn % 3 == 1 && turn % 7 != 0 { 2 } else { 1 };
                }
                assert_eq!(seen.len(), n);
            }
        }
    }

    #[test]
    fn a_share_goes_in_halves_and_thieves_take_its_end() {
        let shares = Shares::new(2);
        shares.deal(32, &[1.0, 1.0]);
        let any = Sizes {
            least: 1,
            most: 100,
        };
        assert_eq!(shares.take(0, any), Some(0..8));
        assert_eq!(shares.take(0, any), Some(8..12));
        for _ in 0..5 {
            shares.take(1, any);
        }
        assert_eq!(
            shares.take(1, any),
            Some(14..16),
            "half of what thread 0 has left"
        );
        assert_eq!(shares.take(0, any), Some(12..13));
    }

    #[test]
    fn speeds_settle_where_all_threads_end_together() {
        // The first thread does a unit in 1 ns, the second in 3.
        let mut speeds = vec![1.0, 1.0];
        for _ in 0..200 {
            learn(
                &mut speeds,
                [Some((100, 100)), Some((100, 300))].into_iter(),
            );
        }
        assert_eq!(dealt(1000, &speeds), [750, 250]);
        // The second one again as fast as the first: forgotten as soon.
        for _ in 0..200 {
            learn(&mut speeds, [Some((100, 100)), Some((50, 50))].into_iter());
        }
        assert_eq!(dealt(1000, &speeds), [500, 500]);
    }

    #[test]
    fn who_had_no_part_is_not_judged() {
        let mut speeds = vec![1.0, 0.5, 2.0];
        learn(&mut speeds, [Some((10, 10)), None, None].into_iter());
        assert_eq!(speeds, [1.0, 0.5, 2.0]);
        learn(
            &mut speeds,
            [Some((10, 10)), None, Some((10, 10))].into_iter(),
        );
        assert_eq!(speeds[1], 0.5);
        // A thread that lost its core for long does not lose its share for ever.
        learn(
            &mut speeds,
            [Some((10, 1)), None, Some((1, u64::MAX))].into_iter(),
        );
        assert!(speeds.iter().all(|s| s.is_finite() && *s > 0.1));
    }
}
