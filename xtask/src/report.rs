//! What passed, what failed, and what could not run.

use anyhow::Result;
use std::process::ExitCode;

/// How a leg went.
pub enum Outcome {
    /// It ran.
    Ran(Tally),
    /// This machine cannot run it, and why.
    NotRun(String),
}

/// A count of tests or checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
}

impl Tally {
    /// One check.
    pub const fn one(ok: bool) -> Self {
        Self {
            passed: ok as u64,
            failed: !ok as u64,
        }
    }

    /// Adds what a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …` counts, or XCTest's
    /// `Test Case 'A.b' passed (0.1 seconds)`; any other line adds nothing.
    pub fn add_line(&mut self, line: &str) {
        if let Some((_, end)) = line
            .strip_prefix("Test Case '")
            .and_then(|l| l.split_once("' "))
        {
            self.passed += u64::from(end.starts_with("passed ("));
            self.failed += u64::from(end.starts_with("failed ("));
        }
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        let count_before = |word: &str| -> u64 {
            let before = counts
                .split(';')
                .find_map(|part| part.trim().strip_suffix(word));
            let number = before.and_then(|text| text.trim().rsplit(' ').next());
            number.and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        self.passed += count_before("passed");
        self.failed += count_before("failed");
    }
}

/// The sum over all legs.
#[derive(Default)]
pub struct Report {
    tally: Tally,
    notes: Vec<String>,
}

impl Report {
    /// Runs a leg and counts it; an error is a failure.
    pub fn leg(&mut self, name: &str, run: impl FnOnce() -> Result<Outcome>) {
        eprintln!("\n==> {name}");
        let tally = match run() {
            Ok(Outcome::Ran(tally)) => tally,
            Ok(Outcome::NotRun(why)) => {
                self.notes.push(format!("not run: {name}: {why}"));
                // On the machine that decides, what did not run did not pass.
                if in_ci() {
                    Tally::one(false)
                } else {
                    Tally::default()
                }
            }
            Err(error) => {
                self.notes.push(format!("failed: {name}: {error:#}"));
                Tally::one(false)
            }
        };
        if tally.failed > 0 {
            self.notes.push(format!("failed: {name}"));
        }
        self.tally.passed += tally.passed;
        self.tally.failed += tally.failed;
    }

    /// Prints the notes and, last, the plain line of counts.
    pub fn finish(self) -> ExitCode {
        println!();
        for note in self.notes {
            println!("{note}");
        }
        println!("{} passed, {} failed", self.tally.passed, self.tally.failed);
        if self.tally.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Whether this is a continuous-integration machine: `CI` is set to something.
fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|ci| !ci.is_empty() && ci != "false" && ci != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_result_lines_count() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out",
            "test result: FAILED. 14 passed; 1 failed; 0 ignored; 0 measured",
            "5 passed; 6 failed",
            "Test Case 'A.testB' started at 2026-11-22 10:00:00.000",
            "Test Case 'A.testB' passed (0.1 seconds)",
            "Test Case 'A.testC' failed (0.1 seconds)",
        ] {
            tally.add_line(line);
        }
        assert_eq!(
            tally,
            Tally {
                passed: 18,
                failed: 2
            }
        );
    }
}
