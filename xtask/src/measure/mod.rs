//! Whole models beside llama.cpp: `cargo xtask measure` runs `puna bench --compare` after a plan and writes
//! the page of the day with its plots.
//!
//! Each step's raw result is kept as it comes, so that a run that was stopped goes on where it was.

mod cases;
#[path = "../../../tests/benches/compare/machine.rs"]
#[allow(dead_code, reason = "the peer bench uses the rest")]
mod machine;
mod page;
mod plan;
mod plot;
mod record;

use crate::cargo;
use crate::report::{Outcome, Report, Tally};
use anyhow::{Context, Result, bail, ensure};
use plan::{Extent, ModelFile, Step};
use record::{Head, Measured, Record, Steps};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What `cargo xtask measure` takes.
#[derive(clap::Args)]
pub struct Args {
    /// A model and how the page calls it; the first of the small ones is measured most
    #[arg(long = "model", value_name = "NAME=FILE", required = true, value_parser = plan::parse_model)]
    models: Vec<ModelFile>,
    /// llama.cpp's llama-bench
    #[arg(long, value_name = "PATH")]
    llama_bench: PathBuf,
    /// Our program [default: a release build, made first]
    #[arg(long, value_name = "PATH")]
    puna: Option<PathBuf>,
    /// One short step a model, two rounds: to see that all works; written to target/measure/
    #[arg(long, conflicts_with = "long")]
    quick: bool,
    /// Also long prompts and deep contexts of large models: hours
    #[arg(long)]
    long: bool,
    /// Forgets the steps of a run that was stopped
    #[arg(long)]
    fresh: bool,
    /// Says the plan and its time, and measures nothing
    #[arg(long)]
    dry_run: bool,
    /// Folder of the page, the JSON and the plots [default: docs/benchmarks]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Args {
    const fn extent(&self) -> Extent {
        match (self.quick, self.long) {
            (true, _) => Extent::Quick,
            (_, true) => Extent::Long,
            _ => Extent::Usual,
        }
    }
}

/// Measures what is not measured yet, and writes the page.
pub fn run(report: &mut Report, args: &Args) {
    report.leg("whole models beside llama.cpp", || measure(args));
}

fn measure(args: &Args) -> Result<Outcome> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let steps = plan::steps(&args.models, args.extent(), cores)?;
    let total: f64 = steps.iter().map(Step::seconds).sum();
    eprintln!(
        "{} steps, about {} on an idle machine",
        steps.len(),
        minutes(total)
    );
    if args.dry_run {
        for step in &steps {
            eprintln!("{:>8}  {}", minutes(step.seconds()), step.id());
        }
        return Ok(Outcome::Ran(Tally::default()));
    }
    ensure!(
        args.llama_bench.is_file(),
        "no llama-bench at {}",
        args.llama_bench.display()
    );
    let puna = our_program(args)?;
    let folder = cargo::target_dir().join("measure");
    std::fs::create_dir_all(&folder)?;
    let head = Head::here(&puna)?;
    let kept = folder.join(if args.quick {
        "quick.json"
    } else {
        "steps.json"
    });
    let mut done = Steps::open(&kept, &head, args.fresh)?;
    let failed = go_through(&steps, &mut done, |step| bench(step, &puna, args))?;
    done.head.finish();

    let quick = args.quick.then_some(folder);
    let usual = cargo::root().join("docs/benchmarks");
    let out = args.out.clone().or(quick).unwrap_or(usual);
    write(&Record::new(&steps, done, failed.clone()), &out)?;
    Ok(Outcome::Ran(Tally {
        passed: (steps.len() - failed.len()) as u64,
        failed: failed.len() as u64,
    }))
}

/// Runs the steps that were not run yet, and says how long the rest will take. Gives those that failed, and
/// why.
fn go_through(
    steps: &[Step],
    done: &mut Steps,
    bench: impl Fn(&Step) -> Result<serde_json::Value>,
) -> Result<Vec<(String, String)>> {
    let mut failed = Vec::new();
    let (mut taken, mut foreseen) = (0.0, 0.0);
    for (i, step) in steps.iter().enumerate() {
        if done.has(step) {
            eprintln!("[{}/{}] {}: kept", i + 1, steps.len(), step.id());
            continue;
        }
        // The machine at hand may be slower than the one that the plan knows, or busy.
        let slowness = if foreseen > 0.0 {
            taken / foreseen
        } else {
            1.0
        };
        let rest = steps[i..].iter().filter(|step| !done.has(step));
        let rest = rest.map(Step::seconds).sum::<f64>() * slowness;
        eprintln!(
            "[{}/{}] {}: about {}; all: {} left",
            i + 1,
            steps.len(),
            step.id(),
            minutes(step.seconds() * slowness),
            minutes(rest)
        );
        let started = Instant::now();
        match bench(step) {
            Ok(json) => {
                taken += started.elapsed().as_secs_f64();
                foreseen += step.seconds();
                done.keep(step, json)?;
            }
            Err(error) => {
                let why = step.without_folder(&format!("{error:#}"));
                eprintln!("failed: {why}");
                failed.push((step.id(), why));
            }
        }
    }
    Ok(failed)
}

/// One `puna bench --compare`: its JSON.
fn bench(step: &Step, puna: &Path, args: &Args) -> Result<serde_json::Value> {
    let mut command = Command::new(puna);
    command.args(["bench", "--json"]).args(step.arguments());
    let mut peer = std::ffi::OsString::from("--compare=llama-bench=");
    peer.push(&args.llama_bench);
    let output = command
        .arg(peer)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let output = output.output().context("puna cannot be started")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}", said.trim().lines().last().unwrap_or("puna failed"));
    }
    let json = serde_json::from_slice(&output.stdout).context("what puna bench says")?;
    // What the page will read is there, or the step has failed now.
    Measured::new(&json)?;
    Ok(json)
}

/// The program to measure.
fn our_program(args: &Args) -> Result<PathBuf> {
    if let Some(puna) = &args.puna {
        return Ok(std::path::absolute(puna)?);
    }
    let mut command = cargo::cargo();
    command.args(["build", "--release", "--locked", "--package", "puna-cli"]);
    ensure!(command.status()?.success(), "puna does not build");
    Ok(cargo::target_dir().join("release/puna"))
}

/// The page, the JSON and the plots of a run.
fn write(record: &Record, out: &Path) -> Result<()> {
    std::fs::create_dir_all(out)?;
    let base = format!("{}-whole-models", record.head.date);
    let put = |name: String, text: String| {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        eprintln!("wrote {}", path.display());
        anyhow::Ok(())
    };
    put(format!("{base}.svg"), plot::overview(record)?)?;
    let mut plots = Vec::new();
    for model in record.models() {
        if let Some(svg) = plot::model(record, model)? {
            put(format!("{base}-{model}.svg"), svg)?;
            plots.push(model);
        }
    }
    put(format!("{base}.json"), record.json()?)?;
    put(format!("{base}.md"), page::page(record, &base, &plots))
}

/// Such as `"4 min"` or `"30 s"`.
fn minutes(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}
