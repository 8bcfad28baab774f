//! The peak of a process that fills a context, beside what it may be.
//!
//! A process of its own computes as many tokens as the context holds, so that every page of the cache is written
//! and every weight read, and tells its peak (`VmHWM`: mapped files count).

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use indicatif::DecimalBytes;
use serde::{Deserialize, Serialize};

use super::{Args, ours::Ours};
use crate::output::Out;

/// What `puna run --json` says.
#[derive(Deserialize)]
struct Said {
    memory: Memory,
}

#[derive(Debug, Deserialize, Serialize)]
struct Memory {
    weights_bytes: u64,
    rearranged_bytes: u64,
    kv_bytes: u64,
    scratch_bytes: u64,
    peak_rss_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Report {
    n_ctx: usize,
    file_bytes: u64,
    #[serde(flatten)]
    memory: Memory,
    /// The file and the cache, 5 % more, and 30 MB.
    bound_bytes: u64,
    /// `null` where the system does not tell the peak.
    within: Option<bool>,
}

/// Fills a context of each length of `-p`.
pub fn run(args: &Args, out: &mut Out) -> Result<()> {
    let file_bytes = crate::args::gguf(&args.model)?.file_bytes();
    let mut reports = Vec::new();
    for &n_ctx in args.n_prompt.iter().filter(|n| **n > 0) {
        let memory = fill(args, n_ctx)?;
        let bound_bytes = bound(file_bytes + memory.kv_bytes);
        reports.push(Report {
            n_ctx,
            file_bytes,
            within: memory.peak_rss_bytes.map(|peak| peak <= bound_bytes),
            memory,
            bound_bytes,
        });
    }
    if args.json {
        return out.json(&reports);
    }
    out.line("| context | file | cache | buffers | peak | may be | |")?;
    out.line("|---|---|---|---|---|---|---|")?;
    for report in &reports {
        let memory = &report.memory;
        let [file, kv, scratch, bound] = [
            file_bytes,
            memory.kv_bytes,
            memory.scratch_bytes,
            report.bound_bytes,
        ]
        .map(DecimalBytes);
        let peak = memory
            .peak_rss_bytes
            .map(|peak| DecimalBytes(peak).to_string());
        let within = match report.within {
            Some(true) => "within",
            Some(false) => "beyond",
            None => "not told",
        };
        out.line(&format!(
            "| {} | {file} | {kv} | {scratch} | {} | {bound} | {within} |",
            report.n_ctx,
            peak.as_deref().unwrap_or("-")
        ))?;
    }
    Ok(())
}

/// What the peak may be over a file and a cache of `bytes` together.
const fn bound(bytes: u64) -> u64 {
    bytes + bytes / 20 + 30_000_000
}

/// A process that fills a context of `n_ctx` tokens.
fn fill(args: &Args, n_ctx: usize) -> Result<Memory> {
    let ours = Ours::new(args)?;
    let tokens = vec!["1"; n_ctx].join(",");
    let mut command = Command::new(ours.program());
    command.args(["run", "--json", "--n-predict=0"]);
    command.arg(format!("--ctx={n_ctx}")).args(ours.compute());
    command
        .arg("--model")
        .arg(&args.model)
        .args(["--tokens", &tokens]);
    let output = command
        .stdin(Stdio::null())
        .output()
        .context("this program cannot be started anew")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("filling {n_ctx} tokens: {}", said.trim());
    }
    let said: Said = serde_json::from_slice(&output.stdout).context("what `puna run` says")?;
    Ok(said.memory)
}
