//! Project chores: `cargo xtask test`, `lint`, `ggml`, `arm`, `arm-cost`, `asan`, `targets`, `size`, `kotlin`, `swift`,
//! `xcframework`, `compare`, `fuzz`, `measure`, `projection`, `soak`, `synth`.

mod android;
mod apt;
mod arm;
mod arm_cost;
mod cargo;
mod compare;
mod cross;
mod fuzz;
mod ggml;
mod kotlin;
mod measure;
mod model;
mod projection;
mod report;
mod sanitize;
mod soak;
mod swift;
mod synth;
mod targets;

use anyhow::Result;
use clap::{Parser, Subcommand};
use report::Report;
use std::process::ExitCode;

/// Project chores.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything: lint, native tests, ggml tests, Kotlin and Swift tests, ARM tests and counts; ends with `N passed, N failed`
    Test,
    /// Formatting and clippy
    Lint,
    /// Our kernels held to ggml, which is built for it, and ggml as a backend
    Ggml,
    /// Tests for aarch64, one run for each tier, under qemu where this machine is not an ARM
    Arm(arm::Args),
    /// What the ARM kernels cost beside ggml's: executed instructions, and cycles by a model
    ArmCost(arm_cost::Args),
    /// Compile checks for Android, iOS, macOS and Windows on ARM
    Targets(targets::Args),
    /// Links the library for Android, checks its file, and says which crate weighs what
    Size(android::Args),
    /// The Kotlin wrapper and its tests, on a JVM, against the library itself
    Kotlin(kotlin::Args),
    /// The tests with AddressSanitizer
    Asan(sanitize::Args),
    /// The Swift package and its tests, on Linux, against the library itself
    Swift(swift::Args),
    /// The library for Apple's systems, on a Mac
    Xcframework(swift::xcframework::Args),
    Compare(compare::Args),
    /// Fuzz targets under libFuzzer, with AddressSanitizer
    Fuzz(fuzz::Args),
    /// Whole models beside llama.cpp: runs `puna bench --compare` after a plan, and writes the page of the day
    Measure(measure::Args),
    /// What phones would do, projected from `arm-cost`: docs/benchmarks/projection.md
    Projection,
    /// Opens the default model, chats and closes it 1,000 times, with eight sessions at once: nothing may be left
    Soak(soak::Args),
    /// Writes a model of random weights in a known model's shape, for measuring
    Synth(synth::Args),
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let mut report = Report::default();
    match cli.task {
        Task::Test => {
            cargo::lint(&mut report);
            let model = model::fetch(&mut report);
            report.leg("native tests", || cargo::native_tests(model.as_deref()));
            ggml::run(&mut report, model.as_deref());
            kotlin::run(&mut report, model.as_deref(), &kotlin::Args::default());
            swift::run(&mut report, model.as_deref(), &swift::Args::default());
            arm::run(&mut report, &arm::Args::default());
            arm_cost::run(&mut report, &arm_cost::Args::check());
            targets::run(&mut report, &targets::Args::default());
            android::run(&mut report, &android::Args::default());
        }
        Task::Lint => cargo::lint(&mut report),
        Task::Ggml => {
            let model = model::fetch(&mut report);
            ggml::run(&mut report, model.as_deref());
        }
        Task::Arm(args) => arm::run(&mut report, &args),
        Task::ArmCost(args) => arm_cost::run(&mut report, &args),
        Task::Targets(args) => targets::run(&mut report, &args),
        Task::Size(args) => android::run(&mut report, &args),
        Task::Kotlin(args) => {
            let model = model::fetch(&mut report);
            kotlin::run(&mut report, model.as_deref(), &args);
        }
        Task::Asan(args) => sanitize::run(&mut report, &args),
        Task::Fuzz(args) => fuzz::run(&mut report, &args),
        Task::Swift(args) => {
            let model = model::fetch(&mut report);
            swift::run(&mut report, model.as_deref(), &args);
        }
        Task::Xcframework(args) => swift::xcframework::run(&mut report, &args),
        Task::Compare(_) => compare::run(&mut report),
        Task::Measure(args) => measure::run(&mut report, &args),
        Task::Projection => projection::run(&mut report),
        Task::Soak(args) => soak::run(&mut report, &args),
        Task::Synth(args) => synth::run(&mut report, &args),
    }
    Ok(report.finish())
}
