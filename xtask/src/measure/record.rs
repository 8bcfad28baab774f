//! What was measured: kept while it comes, read for the page.

use super::machine::{self, Machine};
use super::plan::Step;
use crate::cargo;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    pub date: String,
    pub cpu: String,
    pub flags: Vec<String>,
    pub cores: usize,
    /// The commit of the workspace, and our program's version.
    pub commit: String,
    pub program: String,
    /// The part of the cores that others used.
    pub busy_at_start: Option<f64>,
    pub busy_at_end: Option<f64>,
}

impl Head {
    /// This machine now, and the program to measure.
    pub fn here(puna: &Path) -> Result<Self> {
        let machine = Machine::here();
        Ok(Self {
            date: machine::today(),
            cpu: machine.cpu,
            flags: machine.flags,
            cores: machine.cores,
            commit: machine::commit(),
            program: cargo::first_line(Command::new(puna).arg("--version"))?,
            busy_at_start: machine::busy(),
            busy_at_end: None,
        })
    }

    /// Notes how busy the machine is at the end.
    pub fn finish(&mut self) {
        self.busy_at_end = machine::busy();
    }

    /// Whether steps of both belong to one page.
    fn fits(&self, other: &Self) -> bool {
        let key = |head: &Self| (head.cpu.clone(), head.commit.clone(), head.program.clone());
        key(self) == key(other)
    }
}

/// The steps that are done, in a file that is written after each.
pub struct Steps {
    path: PathBuf,
    pub head: Head,
    done: BTreeMap<String, Value>,
}

/// The file of [`Steps`].
#[derive(Serialize, Deserialize)]
struct Kept {
    head: Head,
    steps: BTreeMap<String, Value>,
}

impl Steps {
    /// What a run that was stopped kept, if it was of the same commit on the same machine; else none.
    pub fn open(path: &Path, head: &Head, fresh: bool) -> Result<Self> {
        let new = || Self {
            path: path.to_owned(),
            head: head.clone(),
            done: BTreeMap::new(),
        };
        if fresh || !path.exists() {
            return Ok(new());
        }
        let text = std::fs::read(path)?;
        let kept: Kept = serde_json::from_slice(&text)
            .with_context(|| format!("{}: use --fresh", path.display()))?;
        if !kept.head.fits(head) {
            eprintln!("the kept steps are of {}: starting anew", kept.head.commit);
            return Ok(new());
        }
        Ok(Self {
            path: path.to_owned(),
            head: kept.head,
            done: kept.steps,
        })
    }

    /// Whether it was run.
    pub fn has(&self, step: &Step) -> bool {
        self.done.contains_key(&step.id())
    }

    /// Adds a step and writes the file, whole or not at all.
    pub fn keep(&mut self, step: &Step, json: Value) -> Result<()> {
        self.done.insert(step.id(), json);
        let kept = Kept {
            head: self.head.clone(),
            steps: self.done.clone(),
        };
        let new = self.path.with_extension("new");
        std::fs::write(&new, serde_json::to_vec(&kept)?)?;
        std::fs::rename(new, &self.path)?;
        Ok(())
    }
}

/// The middle of some numbers, by `puna bench`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Spread {
    pub least: f64,
    pub low: f64,
    pub median: f64,
    pub high: f64,
    pub most: f64,
}

/// Samples, by `puna bench`; their times stay in the JSON.
#[derive(Clone, Debug, Deserialize)]
pub struct Series {
    pub peak_rss_bytes: Vec<Option<u64>>,
}

impl Series {
    /// The most memory of all processes.
    pub fn peak_rss(&self) -> Option<u64> {
        self.peak_rss_bytes.iter().flatten().copied().max()
    }
}

/// A test on both sides, by `puna bench`.
#[derive(Clone, Debug, Deserialize)]
pub struct Test {
    pub test: String,
    pub n_prompt: usize,
    pub n_depth: usize,
    pub puna: Series,
    pub puna_ts: Spread,
    pub peer: Vec<Tried>,
    pub best: usize,
    pub ratio: Spread,
}

impl Test {
    /// The other program at its best.
    pub fn theirs(&self) -> Option<&Tried> {
        self.peer.get(self.best)
    }
}

/// A setting of the other program.
#[derive(Clone, Debug, Deserialize)]
pub struct Tried {
    pub setting: String,
    pub ts: Spread,
    #[serde(flatten)]
    pub series: Series,
}

/// Starts, by `puna bench`.
#[derive(Clone, Debug, Deserialize)]
pub struct Start {
    pub cache: String,
    pub puna: Series,
    pub puna_s: Spread,
    pub peer: Series,
    pub peer_s: Spread,
    pub ratio: Spread,
}

/// The other program.
#[derive(Clone, Debug, Deserialize)]
pub struct Peer {
    pub build_commit: String,
    pub build_number: u64,
}

/// What `puna bench --compare --json` says, as far as the page reads it.
#[derive(Clone, Debug, Deserialize)]
pub struct Measured {
    pub model_file: String,
    pub file_bytes: u64,
    pub model_type: String,
    pub n_threads: usize,
    pub isa: String,
    pub peer: Peer,
    pub rounds: usize,
    pub tests: Vec<Test>,
    pub start: Vec<Start>,
    pub not_dropped: Option<String>,
}

impl Measured {
    /// Reads it.
    ///
    /// # Errors
    /// What is missing.
    pub fn new(json: &Value) -> Result<Self> {
        Self::deserialize(json).context("what puna bench says")
    }
}

/// A run: what the page tells.
pub struct Record {
    pub head: Head,
    /// Each step that was measured: its model and what was said.
    pub steps: Vec<(String, Measured)>,
    /// Each step that failed, and why.
    pub failed: Vec<(String, String)>,
    raw: BTreeMap<String, Value>,
}

impl Record {
    /// Of the steps that were run, those of the plan.
    pub fn new(plan: &[Step], mut kept: Steps, failed: Vec<(String, String)>) -> Self {
        let mut steps = Vec::new();
        let mut raw = BTreeMap::new();
        for step in plan {
            let Some(json) = kept.done.remove(&step.id()) else {
                continue;
            };
            if let Ok(measured) = Measured::new(&json) {
                steps.push((step.model.clone(), measured));
                raw.insert(step.id(), json);
            }
        }
        Self {
            head: kept.head,
            steps,
            failed,
            raw,
        }
    }

    /// The models' names, in the order of the plan.
    pub fn models(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in &self.steps {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// What was said of a model, step by step.
    pub fn of<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a Measured> {
        let of_model = self.steps.iter().filter(move |(name, _)| name == model);
        of_model.map(|(_, measured)| measured)
    }

    /// The tests of a model with their numbers of threads.
    pub fn tests<'a>(&'a self, model: &'a str) -> impl Iterator<Item = (usize, &'a Test)> {
        self.of(model).flat_map(|measured| {
            let tests = measured.tests.iter();
            tests.map(|test| (measured.n_threads, test))
        })
    }

    /// Everything, raw.
    pub fn json(&self) -> Result<String> {
        let kept = Kept {
            head: self.head.clone(),
            steps: self.raw.clone(),
        };
        Ok(serde_json::to_string_pretty(&kept)? + "\n")
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use serde_json::json;

    /// As `puna bench --compare --json` says it, shortened.
    pub fn said() -> Value {
        let spread = |median: f64, by: f64| {
            let (least, most) = (median * (1.0 - by), median * (1.0 + by));
            let (low, high) = (median * (1.0 - 0.8 * by), median * (1.0 + 0.8 * by));
            json!({"least": least, "low": low, "median": median, "high": high, "most": most})
        };
        let series =
            |mb: u64| json!({"samples_ns": [1, 2, 3], "peak_rss_bytes": [mb * 1_000_000, null, 1]});
        let test = |name: &str, n_prompt, depth, ours: f64, ratio: f64| {
            json!({
                "test": name, "n_prompt": n_prompt, "n_gen": 16, "n_depth": depth,
                "puna": series(100), "puna_ts": spread(ours, 0.05),
                "peer": [{"setting": "-fa 1", "samples_ns": [1], "peak_rss_bytes": [250_000_000],
                          "ts": spread(100.0, 0.05)}],
                "best": 0, "ratios": [ratio], "ratio": spread(ratio, 0.25)
            })
        };
        let start = |cache: &str, ratio: f64| {
            json!({
                "cache": cache, "n_prompt": 16, "n_gen": 1, "puna": series(90), "puna_s": spread(0.2, 0.1),
                "peer": series(200), "peer_s": spread(0.2 * ratio, 0.1), "ratios": [ratio],
                "ratio": spread(ratio, 0.1)
            })
        };
        json!({
            "model_file": "small.gguf", "file_bytes": 98_000_000, "model_type": "llama 135M Q4_1",
            "n_threads": 2, "isa": "avx2", "peer": {"name": "llama-bench", "build_commit": "abc", "build_number": 7},
            "rounds": 3, "not_dropped": null,
            "tests": [test("pp64", 64, 0, 200.0, 2.0), test("tg16 @ d64", 0, 64, 50.0, 0.5)],
            "start": [start("warm", 1.6), start("cold", 0.8)]
        })
    }

    /// A run of one step, and one that failed.
    pub fn example() -> Record {
        let measured = Measured::new(&said()).unwrap();
        let quarters = &measured.tests[1].ratio;
        assert!((quarters.low - 0.4).abs() < 1e-9, "{quarters:?}");
        Record {
            head: head("abc1234"),
            steps: vec![("small".to_owned(), measured)],
            failed: vec![(
                "small, 1 threads, prompts 8, 3 rounds".to_owned(),
                "llama-bench failed".to_owned(),
            )],
            raw: BTreeMap::new(),
        }
    }

    fn head(commit: &str) -> Head {
        Head {
            date: "2026-01-31".to_owned(),
            cpu: "A CPU".to_owned(),
            flags: vec!["avx2".to_owned()],
            cores: 2,
            commit: commit.to_owned(),
            program: "puna 0.1.0".to_owned(),
            busy_at_start: Some(0.01),
            busy_at_end: None,
        }
    }

    #[test]
    fn what_a_stopped_run_kept_is_not_run_again() {
        let folder = std::env::temp_dir().join(format!("measure-kept-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let model = folder.join("small");
        std::fs::write(&model, "x").unwrap();
        let model = crate::measure::plan::parse_model(&format!("small={}", model.display()));
        let extent = crate::measure::plan::Extent::Usual;
        let plan = crate::measure::plan::steps(&[model.unwrap()], extent, 2).unwrap();
        let path = folder.join("steps.json");

        let mut kept = Steps::open(&path, &head("a"), false).unwrap();
        kept.keep(&plan[1], said()).unwrap();
        let kept = Steps::open(&path, &head("a"), false).unwrap();
        assert!(!kept.has(&plan[0]) && kept.has(&plan[1]));
        let record = Record::new(&plan, kept, Vec::new());
        assert_eq!(record.models(), ["small"]);
        assert!(record.json().unwrap().contains("samples_ns"));
        // Another commit, or a wish, begins anew.
        for (commit, fresh) in [("b", false), ("a", true)] {
            let kept = Steps::open(&path, &head(commit), fresh).unwrap();
            assert!(!kept.has(&plan[1]), "{commit}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
