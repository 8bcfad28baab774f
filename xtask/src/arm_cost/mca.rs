//! Cycles by LLVM's models of CPUs.

use super::loops::Part;
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

const MC: &str = "llvm-mc-22";
const MCA: &str = "llvm-mca-22";
/// How often a part is repeated, so that filling the pipeline does not show.
const PASSES: u64 = 100;
/// The share of executed instructions that the model is asked about; the rest is taken to cost as much.
const COVER: f64 = 0.99;

/// llvm-mca's version.
pub fn version() -> Result<String> {
    let text = crate::cargo::output(Command::new(MCA).arg("--version"))?;
    let line = text.lines().find(|line| line.contains("version"));
    Ok(line.context("a version")?.trim().to_owned())
}

/// Parts as a text for llvm-mca, the same for every CPU model.
pub struct Question {
    text: String,
    /// Instructions of a pass, and executed instructions, of each part in the text.
    parts: Vec<(u64, u64)>,
    executed: u64,
}

impl Question {
    /// Disassembles the parts that make up nearly all of what was executed.
    pub fn new(parts: &[Part]) -> Result<Self> {
        let executed: u64 = parts.iter().map(|part| part.executed).sum();
        let mut asked = Vec::new();
        let mut sum = 0;
        for part in parts {
            if sum as f64 >= COVER * executed as f64 {
                break;
            }
            sum += part.executed;
            asked.push(part);
        }
        let words = asked.iter().flat_map(|part| &part.body);
        let lines = disassemble(words.copied())?;
        let mut lines = lines.iter();
        let mut text = String::new();
        for (i, part) in asked.iter().enumerate() {
            writeln!(text, "# LLVM-MCA-BEGIN {i}")?;
            for line in lines.by_ref().take(part.body.len()) {
                writeln!(text, "{line}")?;
            }
            writeln!(text, "# LLVM-MCA-END {i}")?;
        }
        let sizes = asked
            .iter()
            .map(|part| (part.body.len() as u64, part.executed));
        Ok(Self {
            text,
            parts: sizes.collect(),
            executed,
        })
    }

    /// Cycles of all that was executed, by the model of one CPU.
    pub fn cycles(&self, core: &str) -> Result<f64> {
        let mut command = Command::new(MCA);
        command.args(["-mtriple=aarch64", "-json", &format!("-mcpu={core}")]);
        command.arg(format!("-iterations={PASSES}"));
        let answer = pipe(&mut command, &self.text)?;
        let passes = cycles_of_passes(&answer, self.parts.len())?;
        let mut cycles = 0.0;
        let mut asked = 0;
        for ((len, executed), of_passes) in self.parts.iter().zip(passes) {
            let per_instruction = of_passes as f64 / (PASSES * len) as f64;
            cycles += per_instruction * *executed as f64;
            asked += executed;
        }
        Ok(cycles * self.executed as f64 / asked as f64)
    }
}

/// Reads llvm-mca's JSON: the cycles of all passes of each part.
fn cycles_of_passes(json: &str, parts: usize) -> Result<Vec<u64>> {
    let json: serde_json::Value = serde_json::from_str(json).context("llvm-mca's JSON")?;
    let regions = json["CodeRegions"].as_array().context("CodeRegions")?;
    let cycles = (0..parts).map(|i| {
        let name = i.to_string();
        let region = regions.iter().find(|region| region["Name"] == name);
        let region = region.with_context(|| format!("llvm-mca says nothing of part {i}"))?;
        let summary = &region["SummaryView"];
        ensure!(summary["Iterations"] == PASSES, "part {i}: {summary}");
        summary["TotalCycles"].as_u64().context("TotalCycles")
    });
    cycles.collect()
}

/// One line of assembly for each word.
fn disassemble(words: impl Iterator<Item = u32>) -> Result<Vec<String>> {
    let mut bytes = String::new();
    let mut n = 0;
    for word in words {
        for byte in word.to_le_bytes() {
            write!(bytes, "0x{byte:02x} ")?;
        }
        bytes += "\n";
        n += 1;
    }
    let mut command = Command::new(MC);
    command.args(["-disassemble", "-triple=aarch64", "-mattr=+all"]);
    let text = pipe(&mut command, &bytes)?;
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('.'));
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    ensure!(
        lines.len() == n,
        "{MC} made {} instructions of {n}",
        lines.len()
    );
    Ok(lines)
}

/// What a command prints when it reads `input`; it must succeed.
fn pipe(command: &mut Command, input: &str) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {command:?}"))?;
    let mut stdin = child.stdin.take().context("a pipe")?;
    let output = std::thread::scope(|scope| {
        // Both pipes at once: neither program may wait for the other.
        let writer = scope.spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output();
        // Who fails early does not read to the end; its own message says more.
        let _ = writer.join();
        output
    })?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        errors.trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What llvm-mca 22 prints, but for the views that nobody reads here.
    const ANSWER: &str = r#"{
        "CodeRegions": [
            {"Name": "1", "SummaryView": {"Iterations": 100, "TotalCycles": 311}},
            {"Name": "0", "SummaryView": {"Iterations": 100, "TotalCycles": 1203}}
        ],
        "SimulationParameters": {"-mcpu": "neoverse-v2"}
    }"#;

    #[test]
    fn cycles_go_by_the_parts_names() {
        assert_eq!(cycles_of_passes(ANSWER, 2).expect("both"), [1203, 311]);
    }

    #[test]
    fn a_part_without_an_answer_is_an_error() {
        assert!(cycles_of_passes(ANSWER, 3).is_err());
        assert!(cycles_of_passes("", 1).is_err());
        let other = ANSWER.replace("100", "10");
        assert!(cycles_of_passes(&other, 1).is_err());
    }
}
