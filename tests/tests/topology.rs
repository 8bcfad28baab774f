//! Which cores are used, on the layouts of real phones.
//!
//! Cores, designs and highest frequencies are those that the makers publish. A capacity is what Linux makes of
//! the work of a design at one frequency, as device trees give it, and the highest frequency; where the table has
//! none, the file is missing, as in kernels without it.

use puna_core::{
    placement::{self, Cores},
    topology::{Topology, default_threads},
};
use std::{fs, path::Path};

/// Cores in a row that are alike: how many, `cpu_capacity`, highest frequency in kHz, part number.
type Cluster = (usize, Option<u64>, u64, Option<u64>);

struct Phone {
    name: &'static str,
    clusters: &'static [Cluster],
    /// The cores to use.
    fast: std::ops::Range<usize>,
}

const PHONES: [Phone; 8] = [
    Phone {
        name: "Snapdragon 855: 4 A55 at 1.79 GHz, 3 A76 at 2.42, 1 A76 at 2.84",
        clusters: &[
            (4, Some(306), 1_785_600, None),
            (3, Some(871), 2_419_200, None),
            (1, Some(1024), 2_841_600, None),
        ],
        fast: 4..8,
    },
    Phone {
        name: "Snapdragon 8 Gen 2: 3 A510, 4 A715 and A710, 1 X3",
        clusters: &[
            (3, None, 2_016_000, Some(0xd46)),
            (2, None, 2_803_200, Some(0xd4d)),
            (2, None, 2_803_200, Some(0xd47)),
            (1, None, 3_187_200, Some(0xd4e)),
        ],
        fast: 3..8,
    },
    Phone {
        // The slow cores run at 69 % of the fastest's frequency: only their design tells.
        name: "Snapdragon 8 Gen 3: 2 A520 at 2.27 GHz, 5 A720, 1 X4 at 3.3",
        clusters: &[
            (2, None, 2_265_600, Some(0xd80)),
            (3, None, 3_148_800, Some(0xd81)),
            (2, None, 2_956_800, Some(0xd81)),
            (1, None, 3_302_400, Some(0xd82)),
        ],
        fast: 2..8,
    },
    Phone {
        name: "Snapdragon 8 Elite: 6 Oryon at 3.53 GHz, 2 at 4.32",
        clusters: &[(6, None, 3_532_800, None), (2, None, 4_320_000, None)],
        fast: 0..8,
    },
    Phone {
        // The A76 do 42 % of an X1: still no reason to leave them out.
        name: "Tensor G1: 4 A55, 2 A76, 2 X1",
        clusters: &[
            (4, Some(124), 1_803_000, Some(0xd05)),
            (2, Some(427), 2_253_000, Some(0xd0b)),
            (2, Some(1024), 2_802_000, Some(0xd44)),
        ],
        fast: 4..8,
    },
    Phone {
        name: "Dimensity 9300: 4 A720 at 2.0 GHz, 3 X4, 1 X4 at 3.25: no slow design",
        clusters: &[
            (4, None, 2_000_000, Some(0xd81)),
            (3, None, 2_850_000, Some(0xd82)),
            (1, None, 3_250_000, Some(0xd82)),
        ],
        fast: 0..8,
    },
    Phone {
        name: "Helio G35: 8 A53 and nothing better",
        clusters: &[
            (4, None, 2_301_000, Some(0xd03)),
            (4, None, 1_800_000, Some(0xd03)),
        ],
        fast: 0..8,
    },
    Phone {
        name: "an old kernel: frequencies alone",
        clusters: &[(4, None, 1_300_000, None), (4, None, 2_400_000, None)],
        fast: 4..8,
    },
];

/// A directory as Linux shows it.
fn sysfs(dir: &Path, clusters: &[Cluster]) {
    let mut number = 0;
    for &(n, capacity, max_freq, part) in clusters {
        for _ in 0..n {
            let cpu = dir.join(format!("cpu{number}"));
            let put = |file: &str, text: String| {
                let file = cpu.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text + "\n").unwrap();
            };
            put("topology/thread_siblings_list", number.to_string());
            put("cpufreq/cpuinfo_max_freq", max_freq.to_string());
            if let Some(capacity) = capacity {
                put("cpu_capacity", capacity.to_string());
            }
            if let Some(part) = part {
                let midr = 0x4100_0000 | 0xf << 16 | part << 4 | 1;
                put("regs/identification/midr_el1", format!("{midr:#018x}"));
            }
            number += 1;
        }
    }
    // What else stands there.
    fs::create_dir_all(dir.join("cpufreq")).unwrap();
    fs::create_dir_all(dir.join("cpuidle")).unwrap();
    fs::write(dir.join("possible"), "0-7\n").unwrap();
}

#[test]
fn little_cores_are_never_used_by_default() {
    for phone in PHONES {
        let dir = tempfile::tempdir().unwrap();
        sysfs(dir.path(), phone.clusters);
        let topology = Topology::read(dir.path());
        let n: usize = phone.clusters.iter().map(|cluster| cluster.0).sum();
        assert_eq!(topology.n_cores(), n, "{}", phone.name);
        let fast: Vec<_> = phone.fast.collect();
        assert_eq!(topology.fast_cores(), fast, "{}", phone.name);
        assert_eq!(topology.n_physical(&fast), fast.len(), "{}", phone.name);
        // Nothing is set where there is nothing to avoid.
        let asked = (fast.len() < n).then_some(fast);
        assert_eq!(Cores::Fast.to_ask(&topology), asked, "{}", phone.name);
        assert_eq!(Cores::Any.to_ask(&topology), None);
        assert_eq!(Cores::These(vec![1]).to_ask(&topology), Some(vec![1]));
    }
}

#[test]
fn cores_that_are_off_do_not_count_and_hardware_threads_count_once() {
    let dir = tempfile::tempdir().unwrap();
    sysfs(dir.path(), &[(8, None, 3_000_000, None)]);
    for core in 0..8 {
        let first = core / 2 * 2;
        let file = format!("cpu{core}/topology/thread_siblings_list");
        fs::write(dir.path().join(file), format!("{first}-{}\n", first + 1)).unwrap();
    }
    fs::write(dir.path().join("cpu6/online"), "0\n").unwrap();
    fs::write(dir.path().join("cpu7/online"), "0\n").unwrap();
    let topology = Topology::read(dir.path());
    assert_eq!(topology.fast_cores(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(topology.n_physical(&topology.fast_cores()), 3);
    assert_eq!(topology.n_physical(&[0, 2]), 2);
}

#[test]
fn a_system_that_says_nothing_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let empty = Topology::read(&dir.path().join("missing"));
    assert_eq!((empty.n_cores(), empty.fast_cores()), (0, vec![]));
    assert_eq!(Cores::Fast.to_ask(&empty), None);
    fs::create_dir_all(dir.path().join("cpu0")).unwrap();
    fs::create_dir_all(dir.path().join("cpu1")).unwrap();
    fs::write(dir.path().join("cpu1/cpu_capacity"), "what\n").unwrap();
    assert_eq!(Topology::read(dir.path()).fast_cores(), [0, 1]);
    assert!(default_threads(&Cores::Fast) >= 1);
    assert_eq!(
        default_threads(&Cores::These(vec![])),
        default_threads(&Cores::Any)
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_pool_runs_where_it_was_told_and_leaves_the_caller_where_it_was() {
    use puna_core::pool::Pool;
    use std::{collections::BTreeSet, sync::Mutex};

    let home = placement::current().unwrap();
    let core = *home.last().unwrap();
    let pool = Pool::on(3, Some(vec![core])).unwrap();
    assert_eq!(pool.placement().asked, Some(vec![core]));
    assert_eq!(pool.placement().got, Some(vec![core]));
    let seen = Mutex::new(BTreeSet::new());
    while seen.lock().unwrap().len() < 3 {
        pool.for_each(0..64, |worker, _| {
            let cores = placement::current().unwrap();
            let wanted = if worker == 0 { &home[..] } else { &[core] };
            assert_eq!(cores, wanted, "worker {worker}");
            seen.lock().unwrap().insert(worker);
            std::thread::yield_now();
        });
    }
    // A core that does not exist: the threads stay where they are, and the pool says so.
    let pool = Pool::on(2, Some(vec![1000])).unwrap();
    assert_eq!(pool.placement().got, None);
    pool.for_each(0..8, |_, _| assert_eq!(placement::current().unwrap(), home));
    assert_eq!(placement::current().unwrap(), home);
}
