//! The recorded counts of our kernels, and the rule by which they may change.

use crate::cargo;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// How to record anew.
const HOW: &str = "cargo xtask arm-cost --check --record";
/// Growth, in percent, up to which a count is as before.
const SLACK: u64 = 2;

/// Executed instructions of each kernel, and who compiled them.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// What `rustc --version` said.
    pub compiler: String,
    /// By tier, type and operation, such as `dotprod Q4_0 gemv`.
    pub instructions: BTreeMap<String, u64>,
}

/// What the comparison of one kernel says.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the slack.
    Same,
    /// Below it: passed, and worth recording.
    Better(String),
    /// A failure.
    Failed(String),
}

impl Counts {
    /// Reads the recorded counts.
    pub fn load() -> Result<Self> {
        let text = fs::read_to_string(file());
        let text = text.with_context(|| format!("no recorded counts; make them: {HOW}"))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Records these counts.
    pub fn save(&self) -> Result<()> {
        fs::write(file(), serde_json::to_string_pretty(self)? + "\n")?;
        eprintln!("recorded {} counts", self.instructions.len());
        Ok(())
    }

    /// Compares what was counted now with what is recorded. Unless the run is `whole`, a recorded kernel
    /// may be absent.
    pub fn compare(&self, now: &Self, whole: bool) -> Vec<Verdict> {
        let counted = now.instructions.iter().map(|(name, now)| {
            let before = self.instructions.get(name).copied();
            judge(name, before, *now)
        });
        let mut verdicts: Vec<Verdict> = counted.collect();
        for name in self.instructions.keys() {
            if whole && !now.instructions.contains_key(name) {
                verdicts.push(Verdict::Failed(format!(
                    "{name} is recorded but gone; record anew: {HOW}"
                )));
            }
        }
        verdicts
    }

    /// What to know of a failure when another compiler made the recorded counts.
    pub fn compiler_note(&self, now: &Self) -> Option<String> {
        (self.compiler != now.compiler).then(|| {
            format!(
                "the counts were recorded with {}, and this is {}: other compilers make other code",
                self.compiler, now.compiler
            )
        })
    }
}

/// Whether a kernel's count is what it may be.
fn judge(name: &str, before: Option<u64>, now: u64) -> Verdict {
    let Some(before) = before else {
        return Verdict::Failed(format!("{name} has no recorded count; record it: {HOW}"));
    };
    let change = (now as f64 / before as f64 - 1.0) * 100.0;
    let what = format!("{name} executes {now} instructions, recorded {before} ({change:+.1} %)");
    if now * 100 > before * (100 + SLACK) {
        Verdict::Failed(format!("{what}; if that is meant, record anew: {HOW}"))
    } else if now * 100 < before * (100 - SLACK) {
        Verdict::Better(format!("{what}: better; record it: {HOW}"))
    } else {
        Verdict::Same
    }
}

fn file() -> PathBuf {
    cargo::root().join("xtask/arm-cost-counts.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(compiler: &str, counts: &[(&str, u64)]) -> Counts {
        Counts {
            compiler: compiler.to_owned(),
            instructions: counts.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect(),
        }
    }

    #[test]
    fn two_percent_more_is_allowed_and_not_one_instruction_beyond() {
        assert_eq!(judge("a", Some(1000), 1000), Verdict::Same);
        assert_eq!(judge("a", Some(1000), 1020), Verdict::Same);
        assert_eq!(judge("a", Some(1000), 980), Verdict::Same);
        assert!(matches!(judge("a", Some(1000), 1021), Verdict::Failed(_)));
        assert!(matches!(judge("a", Some(1000), 979), Verdict::Better(_)));
        assert!(matches!(judge("a", None, 1), Verdict::Failed(_)));
    }

    #[test]
    fn messages_say_what_and_how() {
        let Verdict::Failed(text) = judge("neon Q4_0 gemv", Some(1000), 1100) else {
            panic!("1100 is more than 1000");
        };
        for part in ["neon Q4_0 gemv", "1100", "1000", "+10.0 %", HOW] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_kernel_that_is_gone_fails_only_a_whole_run() {
        let before = counts("r", &[("a", 5), ("b", 5)]);
        let now = counts("r", &[("a", 5)]);
        assert_eq!(before.compare(&now, false), [Verdict::Same]);
        let whole = before.compare(&now, true);
        assert!(matches!(&whole[..], [Verdict::Same, Verdict::Failed(_)]));
    }

    #[test]
    fn another_compiler_is_named() {
        let before = counts("rustc 1", &[]);
        assert_eq!(before.compiler_note(&counts("rustc 1", &[])), None);
        let note = before.compiler_note(&counts("rustc 2", &[]));
        let note = note.expect("another compiler");
        assert!(note.contains("rustc 1") && note.contains("rustc 2"));
    }
}
