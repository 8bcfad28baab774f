//! Models of random weights, for measuring: `cargo xtask synth` builds and runs the program that makes them.

use crate::cargo;
use crate::report::Report;
use std::path::PathBuf;

/// What `cargo xtask synth` takes.
#[derive(clap::Args)]
pub struct Args {
    /// tinyllama-1.1b or llama-2-7b
    shape: String,
    /// The file to write, of 0.6 or 3.8 GB
    file: PathBuf,
}

/// Builds the program and writes the file.
pub fn run(report: &mut Report, args: &Args) {
    report.leg("synth", || {
        // The program runs in the workspace's folder, whatever the path was relative to.
        let file = std::path::absolute(&args.file)?;
        let mut command = cargo::cargo();
        command.args(["run", "--locked", "--package", "puna-tests"]);
        command.args(["--bin", "synth", "--"]).arg(&args.shape);
        cargo::check(command.arg(file))
    });
}
