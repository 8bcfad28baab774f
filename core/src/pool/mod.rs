//! Worker threads that share one loop at a time.
//!
//! The loops over a matrix deal its rows to the threads by their measured speed, and the idle steal
//! ([`Pool::for_columns`]); other loops hand out their items one by one ([`Pool::for_each`]). So a slow or
//! descheduled thread holds back only the piece it has; the caller waits for the workers that joined, never
//! for one that did not wake in time. Workers spin for a moment after a loop, since the next one follows
//! within microseconds, then sleep on a futex.
//!
//! On a machine that is busy with other work a worker may lose its core in the middle of an item, and
//! the caller then waits a whole time slice for a microsecond's work. A loop in which that happened is
//! followed by some that the caller runs alone, twice as many each time it happens again; and whole steps are run
//! alone where that has shown to be faster (`pace`).

mod columns;
mod pace;
mod shares;
#[cfg(test)]
mod tests;

use std::{
    cell::UnsafeCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release, SeqCst},
        },
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use puna_kernels::TileMut;

use self::{columns::Columns, pace::Pace, shares::Shares};
use crate::placement::{self, Placement, Visit};

/// Rounds of waiting by spinning (about 20 µs) before a thread sleeps.
const SPINS: u32 = 2_000;
/// Bit of [`Shared::gate`]: nobody may join any more.
const CLOSED: u32 = 1 << 31;

type Job<'a> = dyn Fn(usize) + Sync + 'a;

/// Threads that run one loop at a time; the calling thread is worker 0.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// One loop at a time: several sessions may share a pool.
    turn: Mutex<Turn>,
    shares: Shares,
    loops: AtomicU64,
    placement: Placement,
}

/// What the last loops say about the machine's load.
#[derive(Debug)]
struct Turn {
    /// Of each thread, relative to the others.
    speeds: Vec<f32>,
    /// Loops that the caller runs alone from here.
    alone: u32,
    /// How many that was last; halved by every loop that goes well.
    penalty: u32,
    /// Whether the caller runs this step alone.
    step_alone: bool,
    /// Time that this step lost to stalls.
    lost: Duration,
    pace: Pace,
}

/// A wait for the others that is longer than this, and than [`STALL_PARTS`] times the caller's own part,
/// means that one of them lost its core: items do not differ that much.
const STALL: Duration = Duration::from_micros(500);
const STALL_PARTS: u32 = 4;
/// A caller's part that is shorter than this says nothing: the others may have taken every item.
const PART: Duration = Duration::from_micros(5);
/// Loops run alone after the first stall, and at most.
const ALONE: (u32, u32) = (16, 1024);

struct Shared {
    /// The running loop. Written only while the gate is closed and nobody is inside.
    job: UnsafeCell<Option<*const Job<'static>>>,
    /// How many workers are inside the loop, and [`CLOSED`].
    gate: AtomicU32,
    /// Counts the loops and the end; a change wakes spinning workers.
    epoch: AtomicU32,
    quit: AtomicBool,
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
    caller_waits: AtomicU32,
    done: Condvar,
    panic: Mutex<Option<Box<dyn std::any::Any + Send>>>,
}

// SAFETY: `job` is written by the one caller that holds `turn` while the gate is closed and empty, and
// read by workers only between joining and leaving, which the caller waits for.
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `job` is only followed under the protocol above.
unsafe impl Send for Shared {}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// A pool of `n_threads` (at least 1) including the caller's, placed nowhere.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(n_threads: usize) -> std::io::Result<Self> {
        Self::on(n_threads, None)
    }

    /// A pool of `n_threads` (at least 1) including the caller's; the others run on `cores` alone, if any are
    /// named and the system agrees, and the caller's does during a [`visit`](Self::visit).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn on(n_threads: usize, cores: Option<Vec<usize>>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            job: UnsafeCell::new(None),
            gate: AtomicU32::new(CLOSED),
            epoch: AtomicU32::new(0),
            quit: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
            caller_waits: AtomicU32::new(0),
            done: Condvar::new(),
            panic: Mutex::new(None),
        });
        let mut pool = Self {
            shared,
            workers: Vec::new(),
            turn: Mutex::new(Turn {
                speeds: vec![1.0; n_threads.max(1)],
                alone: 0,
                penalty: 0,
                step_alone: false,
                lost: Duration::ZERO,
                pace: Pace::default(),
            }),
            shares: Shares::new(n_threads.max(1)),
            loops: AtomicU64::new(0),
            placement: Placement {
                asked: cores,
                got: None,
            },
        };
        let (ready, started) = mpsc::channel();
        for id in 1..n_threads {
            let (shared, cores) = (Arc::clone(&pool.shared), pool.placement.asked.clone());
            let ready = ready.clone();
            let thread = std::thread::Builder::new().name(format!("puna-{id}"));
            pool.workers.push(thread.spawn(move || {
                // Nobody listens any more where another thread could not be started.
                let _ = ready.send(cores.as_deref().map(placement::place));
                drop((ready, cores));
                shared.work(id);
            })?);
        }
        drop(ready);
        // A thread that is still being born would do so in the middle of a first token.
        for place in started.iter().flatten() {
            pool.placement.got = place.ok();
        }
        if n_threads > 1 {
            pool.placement.tell();
        }
        Ok(pool)
    }

    /// Where the threads run.
    #[must_use]
    pub const fn placement(&self) -> &Placement {
        &self.placement
    }

    /// The calling thread joins the others on their cores until the result is dropped.
    pub(crate) fn visit(&self) -> Option<Visit> {
        Visit::to(Some(self.placement.asked.as_deref()?))
    }

    /// Marks the loops until the result is dropped as one step: one of many that are alike. Where steps lose time to
    /// threads without a core, the caller may be left to run some alone.
    pub(crate) fn step(&self) -> Step<'_> {
        let mut turn = lock(&self.turn);
        turn.step_alone = !self.workers.is_empty() && turn.pace.alone();
        turn.lost = Duration::ZERO;
        Step {
            pool: self,
            start: Instant::now(),
        }
    }

    /// Loops run so far on more than one thread's behalf: each is one barrier.
    #[must_use]
    pub fn n_loops(&self) -> u64 {
        self.loops.load(Relaxed)
    }

    /// Threads, the caller's included.
    #[must_use]
    pub fn n_threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `f(worker, item)` for every item, on all threads; returns when all calls have ended.
    ///
    /// `worker` is below [`n_threads`](Self::n_threads) and no two calls with the same one overlap.
    /// Allocates nothing.
    ///
    /// # Panics
    /// If `f` panics on any thread; the other calls that have begun still end first.
    pub fn for_each<T, I>(&self, items: I, f: impl Fn(usize, T) + Sync)
    where
        T: Send,
        I: Iterator<Item = T> + Send,
    {
        let items = Mutex::new(items);
        self.run(0, &|worker| {
            loop {
                let Some(item) = lock(&items).next() else {
                    break;
                };
                f(worker, item);
            }
        });
    }

    /// Calls `f(worker, group, first column, tiles)` until every column of the matrices has been in one call;
    /// returns when all calls have ended.
    ///
    /// `outs` are `N` groups of `Z` matrices, shapes `(n, m)` each with the `m` beside them; `tiles` are the same
    /// columns of each matrix of one group. The columns are dealt in units of 32: to each thread as many in a row
    /// as it has shown to be fast, and what is left to the idle. `worker` is as in
    /// [`for_each`](Self::for_each). Allocates nothing.
    ///
    /// # Panics
    /// If a matrix is not whole rows, and as `for_each`.
    pub fn for_columns<const N: usize, const Z: usize>(
        &self,
        outs: [([&mut [f32]; Z], usize); N],
        f: impl Fn(usize, usize, usize, [TileMut<'_>; Z]) + Sync,
    ) {
        let columns = Columns::new(outs);
        let sizes = columns.sizes(self.n_threads());
        self.run(columns.n_units(), &|worker| {
            let (mut done, mut start) = (0, None);
            while let Some(units) = self.shares.take(worker, sizes) {
                start.get_or_insert_with(Instant::now);
                done += units.len();
                // SAFETY: the shares give each unit once a loop, and the loop ends before `columns` does.
                unsafe {
                    columns.each(units, |group, first, tiles| f(worker, group, first, tiles))
                };
            }
            if let Some(start) = start {
                self.shares.report(worker, done, start.elapsed());
            }
        });
    }

    /// Runs `job` on all threads at once, with `units` dealt to them.
    fn run(&self, units: usize, job: &Job<'_>) {
        let mut turn = lock(&self.turn);
        self.loops.fetch_add(1, Relaxed);
        self.shares.deal(units, &turn.speeds);
        if self.workers.is_empty() {
            return job(0);
        }
        if turn.step_alone {
            return job(0);
        }
        if turn.alone > 0 {
            turn.alone -= 1;
            return job(0);
        }
        let shared = &*self.shared;
        // SAFETY: the lifetime is erased only until `Gate` below has closed and emptied the gate.
        let erased = unsafe { std::mem::transmute::<*const Job<'_>, *const Job<'static>>(job) };
        // SAFETY: the gate is closed and empty, and this caller holds `turn`: nobody reads `job`.
        unsafe { *shared.job.get() = Some(erased) };
        shared.gate.store(0, Release);
        shared.epoch.fetch_add(1, SeqCst);
        if shared.sleepers.load(SeqCst) > 0 {
            let _guard = lock(&shared.sleep);
            shared.wake.notify_all();
        }
        let gate = Gate(shared);
        let start = Instant::now();
        job(0);
        let own = start.elapsed();
        drop(gate);
        let waited = start.elapsed() - own;
        if waited > STALL && own > PART && waited > own * STALL_PARTS {
            turn.penalty = (turn.penalty * 2).clamp(ALONE.0, ALONE.1);
            turn.alone = turn.penalty;
            turn.lost += waited;
        } else {
            turn.penalty /= 2;
            if units > 0 {
                shares::learn(&mut turn.speeds, self.shares.reports());
            }
        }
        if let Some(panic) = lock(&shared.panic).take() {
            resume_unwind(panic);
        }
    }
}

/// A step on a pool, until it is dropped.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pool: &'a Pool,
    start: Instant,
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        let turn = &mut *lock(&self.pool.turn);
        turn.pace
            .note(turn.step_alone, self.start.elapsed(), turn.lost);
        turn.step_alone = false;
    }
}

/// Closes the gate and waits for those inside, also when the caller's own part panics.
struct Gate<'a>(&'a Shared);

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        let shared = self.0;
        shared.gate.fetch_or(CLOSED, SeqCst);
        for _ in 0..SPINS {
            if shared.gate.load(Acquire) == CLOSED {
                return;
            }
            std::hint::spin_loop();
        }
        let mut guard = lock(&shared.sleep);
        shared.caller_waits.store(1, SeqCst);
        while shared.gate.load(SeqCst) != CLOSED {
            guard = shared
                .done
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
        shared.caller_waits.store(0, Relaxed);
    }
}

impl Shared {
    fn work(&self, id: usize) {
        let mut seen = 0;
        loop {
            seen = self.next_epoch(seen);
            if self.quit.load(SeqCst) {
                return;
            }
            if !self.join() {
                continue;
            }
            // SAFETY: this worker has joined, so the caller keeps the job alive until it leaves.
            let job = unsafe { (*self.job.get()).map(|job| &*job) };
            if let Some(job) = job
                && let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(id)))
            {
                *lock(&self.panic) = Some(panic);
            }
            if self.gate.fetch_sub(1, SeqCst) == CLOSED | 1 && self.caller_waits.load(SeqCst) == 1 {
                let _guard = lock(&self.sleep);
                self.done.notify_all();
            }
        }
    }

    /// Waits until the epoch differs from `seen`: spinning first, then asleep.
    fn next_epoch(&self, seen: u32) -> u32 {
        for _ in 0..SPINS {
            let epoch = self.epoch.load(SeqCst);
            if epoch != seen {
                return epoch;
            }
            std::hint::spin_loop();
        }
        let mut guard = lock(&self.sleep);
        self.sleepers.fetch_add(1, SeqCst);
        let epoch = loop {
            let epoch = self.epoch.load(SeqCst);
            if epoch != seen {
                break epoch;
            }
            guard = self
                .wake
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        };
        self.sleepers.fetch_sub(1, SeqCst);
        epoch
    }

    /// Steps inside unless the gate is closed.
    fn join(&self) -> bool {
        self.gate
            .fetch_update(SeqCst, SeqCst, |gate| {
                (gate & CLOSED == 0).then_some(gate + 1)
            })
            .is_ok()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.quit.store(true, SeqCst);
        self.shared.epoch.fetch_add(1, SeqCst);
        {
            let _guard = lock(&self.shared.sleep);
            self.shared.wake.notify_all();
        }
        for worker in self.workers.drain(..) {
            // A worker's panic was already handed to the caller.
            let _ = worker.join();
        }
    }
}
