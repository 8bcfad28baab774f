//! Puna's kernels beside ggml's, on the same bytes, in one process. `cargo xtask compare` runs it;
//! docs/benchmarks/README.md says how it measures and how to read it.

#![cfg_attr(
    test,
    allow(
        dead_code,
        unused_imports,
        reason = "cargo says `test` to a bench, whose tests then vanish"
    )
)]

mod args;
#[path = "../../../kernels/tests/common/mod.rs"]
mod common;
mod data;
mod lane;
mod machine;
mod memory;
mod ours;
mod page;
mod peak;
mod peer;
mod plan;
mod plot;
mod report;
mod run;
mod shapes;
mod stats;
mod table;
mod together;

use anyhow::{Context, Result, ensure};
use args::Args;
use clap::Parser;
use machine::Machine;
use plan::Matrix;
use puna_core::placement::Cores;
use puna_ggml_sys::about;
use puna_kernels::Kernels;
use report::{Case, Head, Limits, Report};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(Parser)]
#[command(name = "compare")]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// More than this part of the machine's time is somebody else's work.
const BUSY: f64 = 0.05;

fn main() -> Result<()> {
    let args = Cli::parse().args;
    let kernels = match &args.isa {
        Some(name) => Kernels::named(name)?,
        None => Kernels::best(),
    };
    let threads = threads(&args);
    let matrices = plan::matrices(&args);
    ensure!(
        !matrices.is_empty(),
        "no matrix is left: rows of other lengths, or more columns, are needed"
    );
    let out = out(&args);
    std::fs::create_dir_all(&out).with_context(|| format!("{}", out.display()))?;

    let start = Instant::now();
    let mut head = head(&args, &kernels);
    if about::features().iter().any(|feature| feature == "OPENMP") {
        eprintln!("warning: this ggml runs on OpenMP, whose idle threads may take time from ours");
    }
    if let Some(busy) = head.busy_at_start.filter(|busy| *busy > BUSY) {
        eprintln!(
            "warning: others use {:.0} % of this machine: these figures say nothing. Threads that wait by \
             spinning, as ggml's do, suffer most",
            100.0 * busy
        );
    }
    let cache = head.machine.last_cache_bytes;
    let mut limits: Vec<_> = threads.iter().map(|n| limits(*n, cache)).collect();
    let cases = measure(&matrices, kernels, &threads, args.seconds, cache)?;
    for limits in &mut limits {
        limits.read_at_end = Some(memory::read_rate(limits.threads, cache));
    }
    head.load_at_end = machine::load();
    head.busy_at_end = machine::busy();
    head.seconds = start.elapsed().as_secs_f64();
    let report = Report {
        head,
        limits,
        cases,
    };
    print(&report);
    write(&report, &out)
}

/// The numbers of threads asked for.
fn threads(args: &Args) -> Vec<usize> {
    let cores = puna_core::topology::default_threads(&Cores::Fast).min(2);
    let mut threads = match (args.threads.is_empty(), args.quick) {
        (false, _) => args.threads.clone(),
        (true, true) => vec![cores],
        (true, false) => vec![1, cores],
    };
    threads.sort_unstable();
    threads.dedup();
    threads
}

/// The folder to write to.
fn out(args: &Args) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match &args.out {
        Some(out) => out.clone(),
        None if plan::is_full(args) => root.join("docs/benchmarks"),
        None => root.join("target/compare"),
    }
}

fn head(args: &Args, kernels: &Kernels) -> Head {
    Head {
        date: machine::today(),
        commit: machine::commit(),
        tier: kernels.isa().name().to_owned(),
        ggml_version: about::version(),
        ggml_origin: about::origin().to_owned(),
        ggml_features: about::features(),
        machine: Machine::here(),
        load_at_start: machine::load(),
        load_at_end: None,
        busy_at_start: machine::busy(),
        busy_at_end: None,
        seconds_a_case: args.seconds,
        seconds: 0.0,
    }
}

/// Measures what the machine can do.
fn limits(threads: usize, cache: usize) -> Limits {
    let read = memory::read_rate(threads, cache);
    let peak = peak::int8_peak(threads);
    let limits = Limits {
        threads,
        read_at_start: read,
        read_at_end: None,
        int8_macs: peak.map(|peak| peak.macs),
        int8_instruction: peak.map(|peak| peak.instruction),
    };
    eprintln!("{}", page::limits_line(&limits));
    limits
}

/// All cases, with a line for each matrix on the way.
fn measure(
    matrices: &[Matrix],
    kernels: Kernels,
    threads: &[usize],
    seconds: f64,
    cache: usize,
) -> Result<Vec<Case>> {
    let mut bench = run::Bench::new(kernels, threads, seconds, cache)?;
    let total: usize = matrices.iter().map(|matrix| matrix.columns.len()).sum();
    let (start, mut done, mut cases) = (Instant::now(), 0, Vec::new());
    for (i, matrix) in matrices.iter().enumerate() {
        let new = bench.matrix(matrix)?;
        done += matrix.columns.len();
        let left = start.elapsed().mul_f64((total - done) as f64 / done as f64);
        eprintln!(
            "[{}/{}] {} {}x{} ({}): {} left",
            i + 1,
            matrices.len(),
            matrix.ty,
            matrix.shape.rows,
            matrix.shape.k,
            new.first().map_or("", |case| &case.buffer),
            minutes(left),
        );
        cases.extend(new);
    }
    Ok(cases)
}

/// About how long, such as `"3 min 20 s"`.
fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 60 {
        0 => format!("{seconds} s"),
        minutes => format!("{minutes} min {} s", seconds % 60),
    }
}

/// The tables, on stdout.
fn print(report: &Report) {
    println!("{}", table::cases(report, &report.cases).text());
    let [columns, threads] = report.columns_and_threads();
    for threads in threads {
        println!(
            "Speed relative to ggml, {}: mean over the matrices (least-most)",
            table::threads(threads)
        );
        println!("{}", table::summary(report, threads).text());
        for n in &columns {
            println!(
                "{}",
                table::verdict(report, *n, threads).unwrap_or_default()
            );
        }
        println!();
    }
}

/// The JSON, the page and the plot under the date's name, and the plot once more under the name that
/// the README shows.
fn write(report: &Report, out: &Path) -> Result<()> {
    let name = format!("{}-compare", report.head.date);
    let [json, plot] = ["json", "svg"].map(|ending| format!("{name}.{ending}"));
    let svg = plot::svg(report)?;
    for (file, text) in [
        (json.clone(), report.json()?),
        (format!("{name}.md"), page::page(report, &plot, &json)),
        ("compare.svg".to_owned(), svg.clone()),
        (plot, svg),
    ] {
        let file = out.join(file);
        std::fs::write(&file, text).with_context(|| format!("{}", file.display()))?;
        eprintln!("wrote {}", file.display());
    }
    Ok(())
}
