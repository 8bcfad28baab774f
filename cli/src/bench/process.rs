//! Running a program to its end, and what that took.

use std::{
    fs::File,
    io::{self, Read, Seek},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

/// What a program left behind.
#[derive(Debug)]
pub struct Ended {
    /// Its reports, one a test.
    pub said: Vec<Said>,
    /// From before it was started until it was gone.
    pub wall: Duration,
    /// The most memory that it held, mapped files included; `None` where the system does not say.
    pub peak_rss_bytes: Option<u64>,
}

/// What a program says of a test, by llama-bench's keys; the last four are not said by both programs.
#[derive(Debug, Deserialize)]
pub struct Said {
    pub model_type: String,
    pub n_threads: usize,
    pub samples_ns: Vec<u64>,
    #[serde(default)]
    pub isa: String,
    #[serde(default)]
    pub build_commit: String,
    #[serde(default)]
    pub build_number: u64,
    #[serde(default)]
    pub cpu_info: String,
}

/// Runs `command`, whose stdout is a JSON list with `tests` reports of `samples` samples each.
///
/// # Errors
/// What went wrong, with the program's name, the model's and the program's last words.
pub fn run(name: &str, model: &Path, command: &mut Command, tests: usize) -> Result<Ended> {
    let mut stderr = tempfile::tempfile().context("a temporary file for stderr")?;
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr.try_clone()?)
        .spawn()
        .with_context(|| {
            let path = command.get_program().display();
            format!("{name} cannot be started: {path}")
        })?;
    let mut stdout = String::new();
    let read = match child.stdout.take() {
        Some(mut pipe) => pipe.read_to_string(&mut stdout).map(drop),
        None => Ok(()),
    };
    let (status, peak_rss_bytes) = wait(&mut child)?;
    let wall = started.elapsed();
    if !status.success() {
        let why = last_line(&mut stderr)?.unwrap_or_else(|| "it says nothing on stderr".to_owned());
        bail!("{name} failed on {}: {status}: {why}", model.display());
    }
    read.with_context(|| format!("what {name} says"))?;
    let said: Vec<Said> = serde_json::from_str(&stdout)
        .with_context(|| format!("{name} says no list of tests as JSON"))?;
    let whole = said.len() == tests && said.iter().all(|test| test.samples_ns.len() == 1);
    if !whole {
        return Err(anyhow!(
            "{name} was asked for {tests} tests, one sample each, and says other ones"
        ));
    }
    Ok(Ended {
        said,
        wall,
        peak_rss_bytes,
    })
}

/// The last line that says something.
fn last_line(file: &mut File) -> io::Result<Option<String>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    Ok(line.map(str::to_owned))
}

/// Waits for the end, and tells the peak of memory.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn wait(child: &mut Child) -> io::Result<(ExitStatus, Option<u64>)> {
    use wait4::Wait4;
    let ended = child.wait4()?;
    Ok((ended.status, Some(ended.rusage.maxrss)))
}

/// Waits for the end; the peak of memory is not told here.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn wait(child: &mut Child) -> io::Result<(ExitStatus, Option<u64>)> {
    Ok((child.wait()?, None))
}
