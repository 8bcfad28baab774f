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
    /// Passed on to `cargo test` [default: all packages but those of tools, without the tests that cannot run so]
    #[arg(last = true)]
    test: Vec<String>,
}

/// What is tested where nothing else is asked for: all that has `unsafe` code in it, and all that calls it.
const PACKAGES: [&str; 5] = [
    "puna-kernels",
    "puna-core",
    "puna-ffi",
    "puna-cli",
    "puna-tests",
];

/// Tests that cannot run with the sanitizer, and why.
const LEFT_OUT: [(&str, &str); 6] = [
    ("the_example_answers", C_COMPILER),
    ("use_and_misuse", C_COMPILER),
    ("models_that_were_closed_leave_nothing", RESIDENT),
    (
        "a_context_that_does_not_fit_is_refused_with_the_longest_that_would",
        ADDRESSES,
    ),
    ("the_peak_is_the_file_the_cache_and_little_more", RESIDENT),
    (
        "a_decode_step_allocates_nothing_and_waits_at_most_five_times_a_layer",
        "counts what the process allocates, and after a minute the test runner says how long it has taken",
    ),
];
const C_COMPILER: &str =
    "a C compiler links the library, and has not the sanitizer's runtime of Rust";
const RESIDENT: &str = "measures resident memory, of which the sanitizer keeps what was freed";
const ADDRESSES: &str = "limits the address space, of which the sanitizer reserves 16 TB";

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
        // Leaks are looked for by tests of their own. Tests of hostile files see by this variable that all is slower.
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
            for package in PACKAGES {
                command.args(["-p", package]);
            }
            command.arg("--");
            for (test, why) in LEFT_OUT {
                println!("left out: {test}: {why}");
                command.args(["--skip", test]);
            }
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
