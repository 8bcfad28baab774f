//! What our ARM kernels cost beside ggml's, and a guard against growth, without ARM hardware.
//!
//! A guest computes one matrix product under an emulator whose plugin counts what is executed; llvm-mca
//! gives the cycles of the loops in what was executed. `docs/benchmarks/arm-cost.md` has the method.

mod build;
mod count;
mod loops;
mod mca;
mod page;
mod plan;
mod record;
mod table;

use crate::apt;
use crate::cargo::first_line;
use crate::cross::{Compiler, QEMU, Ready, prepare};
use crate::report::{Outcome, Report, Tally};
use anyhow::{Context, Result, ensure};
use plan::{Op, TIERS, Tier};
use record::{Counts, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use table::{Cost, Row};

/// What `cargo xtask arm-cost` takes.
///
/// Without options: a table of ours beside ggml's, instructions and modelled cycles, on stdout.
#[derive(clap::Args, Default)]
pub struct Args {
    /// Only this weight type, such as Q4_0; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only this tier: neon, dotprod or i8mm; may be given several times
    #[arg(long = "tier", value_name = "TIER")]
    tiers: Vec<String>,
    /// Count only our kernels, and fail if one executes over 2 % more than recorded in
    /// xtask/arm-cost-counts.json
    #[arg(long)]
    check: bool,
    /// Write the results: docs/benchmarks/arm-cost.{md,json} and the counts; with --check the counts alone
    #[arg(long, conflicts_with_all = ["types", "tiers"])]
    record: bool,
}

impl Args {
    /// The arguments of the leg of `cargo xtask test`.
    pub fn check() -> Self {
        Self {
            check: true,
            ..Self::default()
        }
    }

    fn has_type(&self, name: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|t| t.eq_ignore_ascii_case(name))
    }

    fn has_tier(&self, name: &str) -> bool {
        self.tiers.is_empty() || self.tiers.iter().any(|t| t == name)
    }

    fn is_whole(&self) -> bool {
        self.types.is_empty() && self.tiers.is_empty()
    }
}

/// One leg: the check, or the table.
pub fn run(report: &mut Report, args: &Args) {
    if args.check {
        report.leg("ARM instruction counts", || check(args));
    } else {
        report.leg("ARM kernels beside ggml's", || compare(args));
    }
}

/// The plugin and our guest.
struct Bench {
    compiler: Compiler,
    plugin: PathBuf,
    ours: PathBuf,
    types: Vec<String>,
}

impl Bench {
    fn build(compiler: Compiler, args: &Args) -> Result<Self> {
        let plugin = build::plugin()?;
        let ours = build::ours(&compiler)?;
        let mut types = count::types(&ours)?;
        types.retain(|ty| args.has_type(ty));
        let [tiers, wanted] = [&args.tiers, &args.types];
        ensure!(!types.is_empty(), "no such type: {}", wanted.join(", "));
        for tier in tiers {
            let known = TIERS.iter().any(|t| t.name == tier);
            ensure!(known, "no such tier: {tier}");
        }
        Ok(Self {
            compiler,
            plugin,
            ours,
            types,
        })
    }

    /// What our kernel executes.
    fn ours(&self, tier: &str, ty: &str, op: Op) -> Result<Vec<count::Step>> {
        let steps = self.guest(&self.ours, tier, ty, op)?;
        steps.with_context(|| format!("our guest has no {tier} {ty}"))
    }

    /// Runs a guest; `how` is our tier or ggml's form.
    fn guest(&self, guest: &Path, how: &str, ty: &str, op: Op) -> Result<Option<Vec<count::Step>>> {
        let [rows, k, vectors] = op.sizes();
        count::run(&self.plugin, guest, &[how, ty, &rows, &k, &vectors])
    }

    /// The counts of our kernels on each of our tiers.
    fn counts(&self, args: &Args) -> Result<Counts> {
        let wanted = TIERS.iter().filter(|tier| args.has_tier(tier.name));
        let tiers: BTreeSet<&str> = wanted.map(|tier| tier.ours).collect();
        let mut instructions = BTreeMap::new();
        for tier in tiers {
            for ty in &self.types {
                for op in Op::GUARDED {
                    let name = format!("{tier} {ty} {}", op.name());
                    instructions.insert(name, count::total(&self.ours(tier, ty, op)?));
                }
            }
        }
        Ok(Counts {
            compiler: self.compiler.version()?,
            instructions,
        })
    }
}

/// As [`prepare`], with an emulator that takes the plugin.
fn prepare_to_count() -> Result<Ready> {
    let ready = prepare()?;
    if matches!(ready, Ready::Yes(_)) {
        let version = first_line(Command::new(QEMU).arg("--version"))?;
        if !is_version_7(&version) {
            return Ok(Ready::No(format!(
                "the plugin is made for QEMU 7, and this is {version}"
            )));
        }
    }
    Ok(ready)
}

/// Whether a line such as `qemu-aarch64 version 7.2.22 (Debian …)` says 7.
fn is_version_7(line: &str) -> bool {
    let version = line.split_once("version ").map(|(_, version)| version);
    version.is_some_and(|version| version.starts_with("7."))
}

/// Our counts against those recorded, or recording them.
fn check(args: &Args) -> Result<Outcome> {
    let compiler = match prepare_to_count()? {
        Ready::Yes(compiler) => compiler,
        Ready::No(why) => return Ok(Outcome::NotRun(why)),
    };
    let now = Bench::build(compiler, args)?.counts(args)?;
    if args.record {
        now.save()?;
        return Ok(Outcome::Ran(Tally::one(true)));
    }
    let recorded = Counts::load()?;
    let mut tally = Tally::default();
    for verdict in recorded.compare(&now, args.is_whole()) {
        match verdict {
            Verdict::Same => tally.passed += 1,
            Verdict::Better(text) => {
                println!("note: {text}");
                tally.passed += 1;
            }
            Verdict::Failed(text) => {
                println!("FAILED: {text}");
                tally.failed += 1;
            }
        }
    }
    if let Some(note) = recorded.compiler_note(&now) {
        println!("note: {note}");
    }
    println!(
        "{} kernels counted: {} passed, {} failed",
        now.instructions.len(),
        tally.passed,
        tally.failed
    );
    Ok(Outcome::Ran(tally))
}

/// The whole table.
fn compare(args: &Args) -> Result<Outcome> {
    let compiler = match prepare_to_count()? {
        Ready::Yes(compiler) => compiler,
        Ready::No(why) => return Ok(Outcome::NotRun(why)),
    };
    if let Some(why) = apt::install(&plan::TOOLS)? {
        return Ok(Outcome::NotRun(why));
    }
    let bench = Bench::build(compiler, args)?;
    let mut rows = Vec::new();
    for tier in TIERS.iter().filter(|tier| args.has_tier(tier.name)) {
        let ggml = build::ggml(tier)?;
        for op in Op::ALL {
            for ty in bench.types.iter().filter(|ty| op.takes(ty)) {
                eprintln!("{} {ty} {}", tier.name, op.name());
                rows.push(row(&bench, tier, &ggml, ty, op)?);
            }
        }
    }
    println!("{}", table::markdown(&rows));
    if args.record {
        bench.counts(args)?.save()?;
        page::write(&bench.compiler, &rows)?;
    }
    Ok(Outcome::Ran(Tally::one(true)))
}

/// Ours and each of ggml's forms.
fn row(bench: &Bench, tier: &Tier, ggml: &Path, ty: &str, op: Op) -> Result<Row> {
    let mut forms = BTreeMap::new();
    for form in op.forms() {
        if let Some(steps) = bench.guest(ggml, form, ty, op)? {
            forms.insert(*form, cost(&steps, tier, op)?);
        }
    }
    let takes = op.forms().iter().find(|form| forms.contains_key(*form));
    Ok(Row {
        tier: tier.name,
        ours_tier: tier.ours,
        ty: ty.to_owned(),
        op: op.name(),
        vectors: op.vectors(),
        ours: cost(&bench.ours(tier.ours, ty, op)?, tier, op)?,
        ggml: forms,
        ggml_takes: takes.copied(),
    })
}

/// The cost of 32 weights and a vector.
fn cost(steps: &[count::Step], tier: &Tier, op: Op) -> Result<Cost> {
    let blocks = op.blocks() as f64;
    let question = mca::Question::new(&loops::parts(steps))?;
    let cycles = tier
        .cores
        .iter()
        .map(|core| Ok(((*core).to_owned(), question.cycles(core)? / blocks)));
    Ok(Cost {
        instructions: count::total(steps) as f64 / blocks,
        cycles: cycles.collect::<Result<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulators_version_is_read() {
        assert!(is_version_7(
            "qemu-aarch64 version 7.2.22 (Debian 1:7.2+dfsg-7)"
        ));
        assert!(!is_version_7("qemu-aarch64 version 10.7.0"));
        assert!(!is_version_7(""));
    }
}
