//! The ARM leg: tests built for aarch64 Linux and run at one CPU model for each tier.

use crate::cargo;
use crate::cross::{Compiler, Ready, prepare};
use crate::report::{Outcome, Report};
use anyhow::Result;

/// An emulated CPU and the tier that must be found on it.
struct Tier {
    name: &'static str,
    cpu: &'static str,
}

const TIERS: [Tier; 3] = [
    // ARMv8.0: no dot product.
    Tier {
        name: "neon",
        cpu: "cortex-a72",
    },
    Tier {
        name: "dotprod",
        cpu: "cortex-a76",
    },
    // All that the emulator knows, 8-bit matrix products included.
    Tier {
        name: "i8mm",
        cpu: "max",
    },
];

/// The packages that are tested whole, where no arguments say otherwise.
const PACKAGES: [&str; 4] = ["-p", "puna-kernels", "-p", "puna-core"];
/// And the test that compares Arm with x86-64.
const WHOLE_MODELS: [&str; 4] = ["-p", "puna-tests", "--test", "every_machine"];

/// And hostile files, which the parser and the tokenizers read alike.
const HOSTILE: [&str; 14] = [
    "-p",
    "puna-tests",
    "--test",
    "hostile_gguf",
    "--test",
    "hostile_model",
    "--test",
    "hostile_template",
    "--test",
    "tokenizer_hostile",
    "--test",
    "fuzz_seeds",
    "--test",
    "changed_files",
];

/// They have no kernels in them: one CPU is enough.
const HOSTILE_TIER: &str = "dotprod";

/// What `cargo xtask arm` takes.
#[derive(clap::Args, Default)]
pub struct Args {
    /// Only at this CPU model: cortex-a72, cortex-a76 or max
    #[arg(long)]
    cpu: Option<String>,
    /// Arguments for `cargo test`, after `--`; by default `-p puna-kernels -p puna-core`, then
    /// `-p puna-tests --test every_machine`, then hostile files
    #[arg(last = true)]
    cargo_args: Vec<String>,
}

/// One leg for each CPU model.
pub fn run(report: &mut Report, args: &Args) {
    let compiler = match prepare() {
        Ok(Ready::Yes(compiler)) => compiler,
        Ok(Ready::No(why)) => return report.leg("ARM tests", || Ok(Outcome::NotRun(why))),
        Err(error) => return report.leg("ARM tests", || Err(error)),
    };
    for tier in &TIERS {
        if args.cpu.as_deref().is_none_or(|cpu| cpu == tier.cpu) {
            let mut leg = |what: &str, args: &[&str]| {
                let name = format!("ARM {what} on {}, tier {}", tier.cpu, tier.name);
                report.leg(&name, || test(&compiler, tier, args));
            };
            let given: Vec<&str> = args.cargo_args.iter().map(String::as_str).collect();
            if given.is_empty() {
                leg("tests", &PACKAGES);
                leg("whole models", &WHOLE_MODELS);
                if tier.name == HOSTILE_TIER {
                    leg("hostile files", &HOSTILE);
                }
            } else {
                leg("tests", &given);
            }
        }
    }
}

/// `cargo test` for aarch64 on one CPU model.
fn test(compiler: &Compiler, tier: &Tier, args: &[&str]) -> Result<Outcome> {
    let mut command = compiler.cargo("test")?;
    command
        .args(["--locked", "--no-fail-fast"])
        .args(args)
        .env("QEMU_CPU", tier.cpu)
        // Tests of tiers fail when this one is absent, instead of passing with a slower one.
        .env("WANT_TIER", tier.name);
    cargo::count_tests(&mut command)
}
