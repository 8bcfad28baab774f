//! The peer bench: `cargo xtask compare` installs what ggml needs, then builds and runs it.

// The bench's own options, so that help and mistakes are told before anything is built.
#[path = "../../tests/benches/compare/args.rs"]
mod args;
#[path = "../../tests/benches/compare/shapes.rs"]
#[allow(dead_code, reason = "only the bench uses the shapes")]
mod shapes;

use crate::report::Report;
use crate::{cargo, ggml};
use anyhow::bail;
pub use args::Args;

/// Builds the bench and runs it with the arguments that came after `compare`.
pub fn run(report: &mut Report) {
    let arguments = std::env::args_os().skip(2);
    report.leg("compare", || {
        if let Some(why) = ggml::install_tools()? {
            bail!("{why}");
        }
        let mut command = cargo::cargo();
        command.args(["bench", "--locked", "--package", "puna-tests"]);
        command.args(["--features", "ggml", "--bench", "compare", "--"]);
        cargo::check(command.args(arguments))
    });
}
