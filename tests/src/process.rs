//! What this process holds, as Linux tells it.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

/// What a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Resident bytes of its own: the heap, stacks.
    pub anon_bytes: u64,
    /// Resident bytes of mapped files.
    pub file_bytes: u64,
    /// Open file descriptors, the one that counts them left out.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
}

impl Held {
    /// That of this process, now.
    ///
    /// # Panics
    /// Where there is no `/proc` as Linux has it: a test that cannot see must not pass.
    #[must_use]
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("/proc");
        let number = |key: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let word = line.and_then(|line| line.split_whitespace().next());
            word.and_then(|word| word.parse().ok()).expect(key)
        };
        let descriptors = fs::read_dir("/proc/self/fd").expect("/proc").count();
        Self {
            anon_bytes: number("RssAnon:") * 1024,
            file_bytes: number("RssFile:") * 1024,
            descriptors: descriptors - 1,
            threads: number("Threads:") as usize,
        }
    }

    /// As [`now`](Self::now), once there are only `threads` threads or a second has passed: the system still counts a
    /// thread for a moment after it was joined.
    ///
    /// # Panics
    /// As [`now`](Self::now).
    #[must_use]
    pub fn settled(threads: usize) -> Self {
        let started = Instant::now();
        loop {
            let held = Self::now();
            if held.threads <= threads || started.elapsed() > Duration::from_secs(1) {
                return held;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// All resident bytes.
    #[must_use]
    pub const fn rss_bytes(&self) -> u64 {
        self.anon_bytes + self.file_bytes
    }
}
