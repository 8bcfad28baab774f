//! The rate of some work that several threads do at once.

use std::sync::Barrier;
use std::time::{Duration, Instant};

/// How long each try takes, and how many there are: the best counts, as load only takes away.
const TRY: Duration = Duration::from_millis(120);
const TRIES: usize = 4;

/// What `threads` threads get done in a second together; `work` does a piece on the thread of that number
/// and says how much it was.
pub fn best_rate(threads: usize, work: impl Fn(usize) -> f64 + Sync) -> f64 {
    let start = Barrier::new(threads);
    let rate = |thread| {
        work(thread);
        start.wait();
        let (begin, mut done) = (Instant::now(), 0.0);
        while begin.elapsed() < TRY {
            done += work(thread);
        }
        done / begin.elapsed().as_secs_f64()
    };
    let rate = &rate;
    let once = || -> f64 {
        std::thread::scope(|scope| {
            let threads = (0..threads).map(|thread| scope.spawn(move || rate(thread)));
            let threads: Vec<_> = threads.collect();
            let rates = threads.into_iter().map(|thread| thread.join());
            rates.map(|rate| rate.expect("no panic")).sum()
        })
    };
    (0..TRIES).map(|_| once()).fold(0.0, f64::max)
}
