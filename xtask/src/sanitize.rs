//! The tests with AddressSanitizer, which sees what `unsafe` code does wrong with memory.

use anyhow::Result;

use crate::{
    cargo::{cargo, count_tests, first_line, target_dir},
    model,
    report::Report,
};

/// Arguments of `cargo xtask asan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Passed on to `cargo test` [default: the packages that have `unsafe` code, and the tests of all]
    #[arg(last = true)]
    test: Vec<String>,
}

/// What is tested where nothing else is asked for.
const DEFAULT: [&str; 6] = ["-p", "puna-kernels", "-p", "puna-core", "-p", "puna-tests"];

/// Runs them.
pub fn run(report: &mut Report, args: &Args) {
    let model = model::fetch(report);
    report.leg("tests with AddressSanitizer", || {
        let target = host()?;
        let mut command = cargo();
        // A flag that only a nightly compiler takes without being asked. With a target named, build scripts and
        // macros are built without it, as they must be.
        command
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=address");
        // The allocators of some tests count what they hand out, which includes the sanitizer's own then.
        command.env("ASAN_OPTIONS", "detect_leaks=0");
        command.env("CARGO_TARGET_DIR", target_dir().join("asan"));
        command.args([
            "test",
            "--locked",
            "--no-fail-fast",
            "--tests",
            "--target",
            &target,
        ]);
        if args.test.is_empty() {
            command.args(DEFAULT);
        } else {
            command.args(&args.test);
        }
        if let Some(model) = &model {
            command.env(model::VARIABLE, model);
        }
        count_tests(&mut command)
    });
}

/// The kind of this machine.
fn host() -> Result<String> {
    let mut rustc =
        std::process::Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    first_line(rustc.args(["--print", "host-tuple"]))
}
