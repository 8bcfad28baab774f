//! Running cargo, and counting what its tests say.

use crate::model;
use crate::report::{Outcome, Report, Tally};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Where cargo puts what it builds.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that runs this program, in the workspace's folder.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Formatting and clippy, with warnings as errors.
pub fn lint(report: &mut Report) {
    report.leg("format", || {
        check(cargo().args(["fmt", "--all", "--check"]))
    });
    report.leg("clippy", || {
        let args = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ];
        check(cargo().args(args))
    });
}

/// The whole workspace's tests on this machine.
pub fn native_tests(model: Option<&Path>) -> Result<Outcome> {
    // A build fetches this platform's packages only, and one test asks, offline, what all platforms would
    // build. If this fails, that test says so.
    check(cargo().args(["fetch", "--locked"]))?;
    let mut command = cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    if let Some(model) = model {
        command.env(model::VARIABLE, model);
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(tier) = x86_tier() {
        // Tests of tiers fail when this one is absent, instead of passing with a slower one.
        command.env("WANT_TIER", tier);
    }
    count_tests(&mut command)
}

/// The tier of kernels that this CPU surely has; the system may refuse the one above, AMX.
#[cfg(target_arch = "x86_64")]
fn x86_tier() -> Option<&'static str> {
    let avx2 = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vnni");
    match (avx2, avx512) {
        (true, true) => Some("avx512vnni"),
        (true, false) => Some("avx2"),
        _ => None,
    }
}

/// Runs a `cargo test` command, shows its output as it comes, and counts its tests.
pub fn count_tests(command: &mut Command) -> Result<Outcome> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {command:?}"))?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            tally.add_line(&line);
        }
    }
    let status = child.wait()?;
    if !status.success() && tally.failed == 0 {
        // It did not build, or a test program died before it could count.
        tally.failed = 1;
    }
    Ok(Outcome::Ran(tally))
}

/// Runs a command that passes or fails as a whole.
pub fn check(command: &mut Command) -> Result<Outcome> {
    let status = command
        .status()
        .with_context(|| format!("starting {command:?}"))?;
    Ok(Outcome::Ran(Tally::one(status.success())))
}

/// The first line that a command prints to stdout; it must succeed.
pub fn first_line(command: &mut Command) -> Result<String> {
    let text = output(command)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// What a command prints to stdout; it must succeed.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}
