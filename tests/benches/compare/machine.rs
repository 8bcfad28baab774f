//! Where and on what a run takes place, for the head of its report.

use serde::Serialize;
use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Instructions that make a difference here, in the words of `/proc/cpuinfo`.
const FLAGS: [&str; 20] = [
    "f16c",
    "fma",
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "asimdhp",
    "i8mm",
    "bf16",
    "sve",
    "sve2",
];

/// Bytes of the last cache where the system does not say.
const UNKNOWN_CACHE: usize = 64 << 20;

/// The machine, as it is when the run starts.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub flags: Vec<String>,
    pub cores: usize,
    pub last_cache_bytes: usize,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(": ").map(|(_, value)| value.to_owned()))
        };
        let has = field("flags")
            .or_else(|| field("Features"))
            .unwrap_or_default();
        let flags = FLAGS.iter().filter(|f| has.split(' ').any(|h| h == **f));
        let cpu = field("model name").or_else(|| field("CPU part"));
        Self {
            cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            flags: flags.map(|flag| (*flag).to_owned()).collect(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            last_cache_bytes: last_cache().unwrap_or(UNKNOWN_CACHE),
        }
    }
}

/// Bytes of the largest cache of the first CPU.
fn last_cache() -> Option<usize> {
    let folder = Path::new("/sys/devices/system/cpu/cpu0/cache");
    let sizes = std::fs::read_dir(folder).ok()?.flatten();
    let bytes = |entry: std::fs::DirEntry| {
        let text = read_to_string(entry.path().join("size")).ok()?;
        size(text.trim())
    };
    sizes.filter_map(bytes).max()
}

/// Bytes of such as `"48K"`.
fn size(text: &str) -> Option<usize> {
    let (number, unit) = text.split_at(text.len().checked_sub(1)?);
    let shift = match unit {
        "K" => 10,
        "M" => 20,
        _ => return None,
    };
    Some(number.parse::<usize>().ok()? << shift)
}

/// The load averages over 1, 5 and 15 minutes; `None` where the system does not say.
pub fn load() -> Option<[f64; 3]> {
    let text = read_to_string("/proc/loadavg").ok()?;
    let mut numbers = text.split(' ').map_while(|word| word.parse().ok());
    Some([numbers.next()?, numbers.next()?, numbers.next()?])
}

/// The part of all cores' time that somebody used during the next half second, while this program
/// sleeps; `None` where the system does not say.
pub fn busy() -> Option<f64> {
    let before = cpu_time(&read_to_string("/proc/stat").ok()?)?;
    std::thread::sleep(Duration::from_millis(500));
    let after = cpu_time(&read_to_string("/proc/stat").ok()?)?;
    let [all, idle] = [0, 1].map(|i| after[i].saturating_sub(before[i]) as f64);
    (all > 0.0).then(|| 1.0 - idle / all)
}

/// Ticks of all kinds, and idle ones, of all cores, by the first line of `/proc/stat`.
fn cpu_time(stat: &str) -> Option<[u64; 2]> {
    let numbers = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace();
    // User, nice, system, idle, waiting for a disk, interrupts (two), taken by other machines.
    let ticks: Vec<u64> = numbers.map_while(|n| n.parse().ok()).take(8).collect();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some([ticks.iter().sum(), idle])
}

/// Today, in UTC, such as `"2026-01-31"`.
pub fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// The commit that was built, and whether something was changed after it.
pub fn commit() -> String {
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args);
        let output = output
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".to_owned();
    };
    match git(&["status", "--porcelain"]) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit} and changes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_counted() {
        let stat = "cpu  10 1 5 100 20 2 3 4 9 9\ncpu0 1 2 3\n";
        assert_eq!(cpu_time(stat), Some([145, 120]));
        assert_eq!(cpu_time("cpu 1 2"), None);
        assert_eq!(cpu_time(""), None);
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("48K"), Some(48 << 10));
        assert_eq!(size("105M"), Some(105 << 20));
        for bad in ["", "K", "4", "4G"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
