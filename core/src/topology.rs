//! The cores of this machine, as Linux and Android describe them, and which of them are worth using.

use std::{collections::BTreeSet, fs, path::Path, thread::available_parallelism};

use crate::placement::{self, Cores};

/// Where Linux describes its processors.
const SYSFS: &str = "/sys/devices/system/cpu";

/// One processor that runs threads; of a core with several hardware threads, one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// As Linux counts them.
    pub number: usize,
    /// `cpu_capacity`: work a second, of which the fastest core does 1,024.
    pub capacity: Option<u64>,
    /// `cpufreq/cpuinfo_max_freq`, in kHz.
    pub max_freq: Option<u64>,
    /// `MIDR_EL1`, which names the design of an Arm core.
    pub midr: Option<u64>,
    /// `topology/thread_siblings_list`: the hardware threads of this core.
    pub siblings: Option<String>,
}

/// Every processor that is online, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    cores: Vec<Core>,
}

/// Arm's in-order designs, the small cores of phones: Cortex-A34, A53, A35, A55, A510, A520, A320; as `MIDR_EL1`
/// has them, implementer and part.
const SMALL_ARM: [(u64, u64); 7] = [
    (0x41, 0xd02),
    (0x41, 0xd03),
    (0x41, 0xd04),
    (0x41, 0xd05),
    (0x41, 0xd46),
    (0x41, 0xd80),
    (0x41, 0xd8f),
];
/// Those that Qualcomm named after itself: Kryo Silver of A53 and A55 design.
const SMALL_KRYO: [(u64, u64); 3] = [(0x51, 0x801), (0x51, 0x803), (0x51, 0x805)];

impl Core {
    /// Whether the design is one of the small ones; `None` where the system does not name it.
    fn is_small(&self) -> Option<bool> {
        let midr = self.midr?;
        let design = (midr >> 24 & 0xff, midr >> 4 & 0xfff);
        Some(SMALL_ARM.contains(&design) || SMALL_KRYO.contains(&design))
    }
}

impl Topology {
    /// This machine's, of the processors that the calling thread may use. Empty where the system does not say.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let mut all = Self::read(Path::new(SYSFS));
        if let Ok(allowed) = placement::current() {
            all.cores.retain(|core| allowed.contains(&core.number));
        }
        all
    }

    /// That of a directory like `/sys/devices/system/cpu`. What is missing or unreadable is left out.
    #[must_use]
    pub fn read(cpus: &Path) -> Self {
        let mut cores = Vec::new();
        for entry in fs::read_dir(cpus).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let digits = name.to_str().and_then(|name| name.strip_prefix("cpu"));
            let Some(Ok(number)) = digits.map(str::parse) else {
                continue;
            };
            let text = |file: &str| {
                let text = fs::read_to_string(entry.path().join(file)).ok()?;
                Some(text.trim().to_owned())
            };
            let count = |file: &str| text(file)?.parse::<u64>().ok();
            if count("online") == Some(0) {
                continue;
            }
            let midr = text("regs/identification/midr_el1");
            let midr = midr.and_then(|m| u64::from_str_radix(m.trim_start_matches("0x"), 16).ok());
            cores.push(Core {
                number,
                capacity: count("cpu_capacity"),
                max_freq: count("cpufreq/cpuinfo_max_freq"),
                midr,
                siblings: text("topology/thread_siblings_list"),
            });
        }
        cores.sort_by_key(|core| core.number);
        Self { cores }
    }

    /// The processors, by number.
    #[must_use]
    pub fn cores(&self) -> &[Core] {
        &self.cores
    }

    /// How many there are.
    #[must_use]
    pub fn n_cores(&self) -> usize {
        self.cores.len()
    }

    /// The numbers of the performance and prime cores; of a machine whose cores are all alike, all.
    ///
    /// A phone's slow cores are told by their design, where the system names it; else by a capacity of at most
    /// 35 % of the best, else by a frequency below 60 %. One slow core in a team makes all the others wait.
    #[must_use]
    pub fn fast_cores(&self) -> Vec<usize> {
        let best = |of: fn(&Core) -> Option<u64>| self.cores.iter().filter_map(of).max();
        let (capacity, max_freq) = (best(|c| c.capacity), best(|c| c.max_freq));
        let below = |value: Option<u64>, best: Option<u64>, percent: u64| {
            Some(value? * 100 <= best? * percent)
        };
        let is_slow = |core: &&Core| {
            core.is_small()
                .or_else(|| below(core.capacity, capacity, 35))
                .or_else(|| below(core.max_freq, max_freq, 60))
                .unwrap_or(false)
        };
        let numbers = |cores: Vec<&Core>| cores.iter().map(|core| core.number).collect();
        let (slow, fast): (Vec<_>, Vec<_>) = self.cores.iter().partition(is_slow);
        // A phone of small cores alone has nothing better.
        numbers(if fast.is_empty() { slow } else { fast })
    }

    /// How many of the cores of these numbers are cores of their own: hardware threads of one count once.
    #[must_use]
    pub fn n_physical(&self, numbers: &[usize]) -> usize {
        let chosen = self.cores.iter().filter(|c| numbers.contains(&c.number));
        let own = chosen.map(|c| c.siblings.clone().unwrap_or_else(|| c.number.to_string()));
        own.collect::<BTreeSet<_>>().len()
    }
}

/// Threads to compute with where none are asked for: one for each physical core of `cores`, within what this
/// process may use. At least 1.
#[must_use]
pub fn default_threads(cores: &Cores) -> usize {
    let topology = Topology::of_this_machine();
    let chosen = match cores {
        Cores::Any => topology.cores().iter().map(|core| core.number).collect(),
        Cores::Fast => topology.fast_cores(),
        Cores::These(cores) => cores.clone(),
    };
    let allowed = available_parallelism().map_or(1, usize::from);
    match topology.n_physical(&chosen) {
        0 => allowed,
        n => n.min(allowed),
    }
}
