//! What the device has left for this process, as Linux and Android tell it.

use std::{
    fs,
    path::{Component, Path},
};

/// Bytes that each of the system's limits leaves to this process; `None` where a limit is absent or not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// `MemAvailable`: what programs can take without pushing each other out. Cached files count as available.
    pub available_bytes: Option<u64>,
    /// What the control groups of this process, and those above them, let it take; their cached files count as
    /// available too.
    pub cgroup_bytes: Option<u64>,
    /// `RLIMIT_AS`, less what is mapped.
    pub address_space_bytes: Option<u64>,
    /// `RLIMIT_DATA`, less the data that there is.
    pub data_bytes: Option<u64>,
}

impl Device {
    /// That of this process, now.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::read(Path::new("/"))
    }

    /// What the files under `root` say, which has `proc` and `sys/fs/cgroup` as a Linux system has them. What is
    /// missing or unreadable is `None`.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let proc = root.join("proc");
        let status = text(&proc.join("self/status"));
        let limits = text(&proc.join("self/limits"));
        let left = |limit: &str, used: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(limit))?;
            // The soft limit; `unlimited` is no number.
            let limit: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(limit.saturating_sub(kib(&status, used)?))
        };
        Self {
            available_bytes: kib(&text(&proc.join("meminfo")), "MemAvailable:"),
            cgroup_bytes: cgroups(root),
            address_space_bytes: left("Max address space", "VmSize:"),
            data_bytes: left("Max data size", "VmData:"),
        }
    }

    /// Bytes that a process may come to hold which has `mapped_bytes` of a file mapped already: the least that any
    /// limit leaves. `None` where the system tells nothing.
    ///
    /// The mapped file is in the address space and is no data, so those two limits leave it out of account; in
    /// memory it has still to find its place.
    #[must_use]
    pub fn room_beside(&self, mapped_bytes: u64) -> Option<u64> {
        let beside = |left: Option<u64>| Some(left?.saturating_add(mapped_bytes));
        let limits = [
            self.available_bytes,
            self.cgroup_bytes,
            beside(self.address_space_bytes),
            beside(self.data_bytes),
        ];
        limits.into_iter().flatten().min()
    }
}

/// The file's text; empty where it cannot be read.
fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The value of a line such as `VmSize:   10 kB`, in bytes.
fn kib(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The names of one version's files.
struct Version {
    /// Under `sys/fs/cgroup`.
    mount: &'static str,
    limits: [&'static str; 2],
    usage: &'static str,
    /// Lines of `memory.stat` for cached files, of the groups below too.
    cached: [&'static str; 2],
}

const V1: Version = Version {
    mount: "memory",
    limits: ["memory.limit_in_bytes", "memory.soft_limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    cached: ["total_inactive_file", "total_active_file"],
};
const V2: Version = Version {
    mount: "",
    limits: ["memory.max", "memory.high"],
    usage: "memory.current",
    cached: ["inactive_file", "active_file"],
};

/// The least that any control group leaves to this process.
fn cgroups(root: &Path) -> Option<u64> {
    let own = text(&root.join("proc/self/cgroup"));
    let groups = own.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let version = match controllers {
            "" => &V2,
            _ if controllers.split(',').any(|name| name == "memory") => &V1,
            _ => return None,
        };
        let mount = root.join("sys/fs/cgroup").join(version.mount);
        // In a container the path may be the host's, which is not there: then the top is the container's own.
        let names = Path::new(path).components().filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        let mut at = mount.clone();
        let below = names.map(move |name| {
            at.push(name);
            at.clone()
        });
        let all = std::iter::once(mount).chain(below);
        all.filter_map(|group| left_in(&group, version)).min()
    });
    groups.min()
}

/// What one control group leaves.
fn left_in(group: &Path, version: &Version) -> Option<u64> {
    let number = |file: &str| text(&group.join(file)).trim().parse::<u64>().ok();
    // `max` is no number.
    let limit = version
        .limits
        .iter()
        .filter_map(|file| number(file))
        .min()?;
    let stat = text(&group.join("memory.stat"));
    let cached = |key: &&str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(*key))?;
        line.trim().parse::<u64>().ok()
    };
    let cached: u64 = version.cached.iter().filter_map(cached).sum();
    let held = number(version.usage)?.saturating_sub(cached);
    Some(limit.saturating_sub(held))
}
