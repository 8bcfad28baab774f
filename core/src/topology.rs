//! Which cores this machine has, and which of them to use.

use std::{collections::BTreeSet, fs, path::Path};

/// Threads to compute with where none are asked for: one for each physical core that is not of the slow
/// kind, within what this process may use. At least 1.
#[must_use]
pub fn default_threads() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    let cores = performance_cores(Path::new("/sys/devices/system/cpu"));
    if cores == 0 {
        allowed
    } else {
        cores.min(allowed)
    }
}

/// Physical cores under a `/sys/devices/system/cpu` that are at least half as fast as the fastest; 0
/// where it does not say.
///
/// A core's speed is its `cpu_capacity`, else its highest frequency; hardware threads of one core count
/// once.
#[must_use]
pub fn performance_cores(cpus: &Path) -> usize {
    let mut speeds = BTreeSet::new();
    let Ok(entries) = fs::read_dir(cpus) else {
        return 0;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|n| n.strip_prefix("cpu"))
            .map(str::parse::<u32>);
        let Some(Ok(number)) = number else { continue };
        let read = |file: &str| fs::read_to_string(entry.path().join(file)).ok();
        let number_in = |file: &str| read(file).and_then(|s| s.trim().parse::<u64>().ok());
        if number_in("online") == Some(0) {
            continue;
        }
        let speed = number_in("cpu_capacity").or_else(|| number_in("cpufreq/cpuinfo_max_freq"));
        let core = read("topology/thread_siblings_list").unwrap_or_else(|| number.to_string());
        speeds.insert((core.trim().to_owned(), speed.unwrap_or(0)));
    }
    let fastest = speeds.iter().map(|(_, speed)| *speed).max().unwrap_or(0);
    speeds
        .iter()
        .filter(|(_, speed)| speed * 2 >= fastest)
        .count()
}
