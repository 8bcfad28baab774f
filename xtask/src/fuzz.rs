//! The fuzz targets in `fuzz/`, one after another.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use crate::{
    cargo::{cargo, check, root, target_dir},
    report::{Outcome, Report, Tally},
};

/// Arguments of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// 60 seconds a target
    #[arg(long, conflicts_with = "seconds")]
    smoke: bool,
    /// Seconds a target
    #[arg(long, value_name = "N", default_value_t = 600)]
    seconds: u32,
    /// Only these targets
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// Writes the seeds anew and ends
    #[arg(long)]
    seeds: bool,
}

/// Seconds a target of a smoke run.
const SMOKE: u32 = 60;

/// What libFuzzer said of a run.
#[derive(Debug, Default)]
struct Found {
    executions: u64,
    coverage: u64,
    features: u64,
}

/// Runs them and prints what each did.
pub fn run(report: &mut Report, args: &Args) {
    if args.seeds {
        report.leg("seeds", || {
            let seeds = [
                "run",
                "-p",
                "puna-tests",
                "--bin",
                "seeds",
                "--",
                "fuzz/seeds",
            ];
            check(cargo().args(seeds))
        });
        return;
    }
    let seconds = if args.smoke { SMOKE } else { args.seconds };
    let mut table = String::new();
    for target in targets() {
        if !args.targets.is_empty() && !args.targets.contains(&target) {
            continue;
        }
        report.leg(&format!("fuzz {target}"), || {
            if !has_cargo_fuzz() {
                let why = "cargo-fuzz is not there: `cargo install cargo-fuzz`".to_owned();
                return Ok(Outcome::NotRun(why));
            }
            let (ok, found) = fuzz(&target, seconds)?;
            let verdict = if ok { "nothing found" } else { "FAILED: see fuzz/artifacts" };
            table += &format!(
                "{target:10} {seconds:5} s {:>12} executions {:>6} edges {:>6} features  {verdict}\n",
                found.executions, found.coverage, found.features
            );
            Ok(Outcome::Ran(Tally::one(ok)))
        });
    }
    println!("{table}");
}

/// The targets, by their files.
fn targets() -> Vec<String> {
    let files = fs::read_dir(root().join("fuzz/fuzz_targets"))
        .into_iter()
        .flatten()
        .flatten();
    let name = |file: fs::DirEntry| Some(file.path().file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = files.filter_map(name).collect();
    names.sort();
    names
}

/// The longest input in bytes: saved states are longer than the rest.
fn longest(target: &str) -> u32 {
    match target {
        "state" | "journal" => 16 << 10,
        _ => 4 << 10,
    }
}

fn has_cargo_fuzz() -> bool {
    let mut command = cargo();
    command
        .args(["fuzz", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Fuzzes one target. What it finds new goes to `target/fuzz/corpus`, and is begun with the next time.
fn fuzz(target: &str, seconds: u32) -> Result<(bool, Found)> {
    let corpus: PathBuf = target_dir().join("fuzz/corpus").join(target);
    fs::create_dir_all(&corpus)?;
    let mut command: Command = cargo();
    // libFuzzer and the sanitizer need flags that only a nightly compiler takes without being asked.
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["fuzz", "run", target]);
    command
        .arg(corpus)
        .arg(root().join("fuzz/seeds").join(target));
    command.args([
        "--",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]);
    command.arg(format!("-max_len={}", longest(target)));
    command.arg(format!("-max_total_time={seconds}"));
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .context("cargo fuzz")?;
    let mut found = Found::default();
    let lines = child
        .stderr
        .take()
        .map(|stderr| BufReader::new(stderr).lines());
    for line in lines.into_iter().flatten().map_while(Result::ok) {
        eprintln!("{line}");
        let number = |name: &str| {
            let mut words = line
                .split_whitespace()
                .skip_while(|word| *word != name)
                .skip(1);
            words.next()?.parse().ok()
        };
        found.executions = number("stat::number_of_executed_units:").unwrap_or(found.executions);
        found.coverage = number("cov:").unwrap_or(found.coverage);
        found.features = number("ft:").unwrap_or(found.features);
    }
    Ok((child.wait()?.success(), found))
}
