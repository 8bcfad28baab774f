//! Times and bytes, for programs and for people.

use std::time::Duration;

use indicatif::DecimalBytes;
use puna_core::{
    generate::{self, StopReason},
    session::{Session, SessionError},
};
use serde::Serialize;

/// How long a text took.
#[derive(Clone, Debug, Serialize)]
pub struct Timings {
    load_ms: f64,
    /// From the start of prefill to the first new token.
    ttft_ms: f64,
    prefill_tokens: usize,
    prefill_ms: f64,
    /// New tokens after the first.
    decode_tokens: usize,
    decode_ms: f64,
    prefill_tps: f64,
    decode_tps: f64,
    /// Guesses that were computed, with `--draft`.
    drafted_tokens: usize,
    /// Those that were right.
    accepted_tokens: usize,
}

impl Timings {
    /// `load`: the time to open the model.
    pub fn new(load: Duration, t: &generate::Timings) -> Self {
        Self {
            load_ms: millis(load),
            ttft_ms: millis(t.first_token),
            prefill_tokens: t.prefill_tokens,
            prefill_ms: millis(t.prefill),
            decode_tokens: t.decode_tokens,
            decode_ms: millis(t.decode),
            prefill_tps: t.prefill_tps(),
            decode_tps: t.decode_tps(),
            drafted_tokens: t.drafted,
            accepted_tokens: t.accepted,
        }
    }
}

/// What a session holds.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    weights_bytes: u64,
    rearranged_bytes: u64,
    kv_bytes: u64,
    scratch_bytes: u64,
    /// `null` where the system does not say.
    peak_rss_bytes: Option<u64>,
}

impl From<&Session> for Memory {
    fn from(session: &Session) -> Self {
        let memory = session.memory();
        Self {
            weights_bytes: memory.weights_bytes,
            rearranged_bytes: memory.rearranged_bytes,
            kv_bytes: memory.kv_bytes,
            scratch_bytes: memory.scratch_bytes,
            peak_rss_bytes: peak_rss(),
        }
    }
}

/// How a text ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Made(StopReason),
    /// By Ctrl-C.
    #[default]
    Cancelled,
    /// By `--deadline`.
    Deadline,
}

impl End {
    /// Its name, for programs: `"eos"`, `"length"`, which a full context is too, `"stop_string"`, `"cancelled"` or
    /// `"deadline"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Made(StopReason::ContextFull) => StopReason::Length.name(),
            Self::Made(reason) => reason.name(),
            Self::Cancelled => "cancelled",
            Self::Deadline => "deadline",
        }
    }

    /// That of a text which `error` stopped; the error itself where it is no stop.
    pub fn of(error: SessionError) -> Result<Self, SessionError> {
        match error {
            SessionError::Cancelled => Ok(Self::Cancelled),
            SessionError::DeadlineExceeded => Ok(Self::Deadline),
            other => Err(other),
        }
    }
}

/// One line for people.
pub fn line(timings: &Timings, memory: &Memory) -> String {
    let t = timings;
    let peak = memory.peak_rss_bytes.map_or(String::new(), |bytes| {
        format!(", peak memory {}", DecimalBytes(bytes))
    });
    let draft = match t.drafted_tokens {
        0 => String::new(),
        drafted => format!(", {} of {drafted} guesses right", t.accepted_tokens),
    };
    format!(
        "[{} prompt tokens at {:.1}/s, first token after {:.0} ms, {} more at {:.1}/s{draft}{peak}]",
        t.prefill_tokens, t.prefill_tps, t.ttft_ms, t.decode_tokens, t.decode_tps
    )
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The most memory that the process held, in bytes.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn peak_rss() -> Option<u64> {
    // `ru_maxrss` would count what the parent held before it started this program.
    status("VmHWM:")
}

/// The memory that the process holds, in bytes; `None` where the system does not say.
pub fn rss() -> Option<u64> {
    status("VmRSS:")
}

/// A line of `/proc/self/status`, in bytes.
fn status(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The most memory that the process held, in bytes.
#[cfg(target_vendor = "apple")]
fn peak_rss() -> Option<u64> {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    u64::try_from(usage.max_rss()).ok()
}

/// The most memory that the process held, in bytes.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn peak_rss() -> Option<u64> {
    None
}
