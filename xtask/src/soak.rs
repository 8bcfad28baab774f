//! `cargo xtask soak`: opens, chats and closes many times, and looks at what is left.

use crate::{cargo, model, report::Report};

/// What `cargo xtask soak` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Times that the model is opened and closed
    #[arg(long, default_value = "1000")]
    cycles: usize,
    /// A tiny model of random weights instead of the default model
    #[arg(long)]
    tiny: bool,
}

/// Builds the program and runs it.
pub fn run(report: &mut Report, args: &Args) {
    let mut command = cargo::cargo();
    // As the test does, which says why.
    command.env("MALLOC_ARENA_MAX", "1");
    command.args(["run", "--locked", "--package", "puna-tests"]);
    command.args(["--bin", "soak", "--"]);
    command.arg(args.cycles.to_string());
    if !args.tiny {
        let Some(model) = model::fetch(report) else {
            return;
        };
        command.arg(model);
    }
    report.leg("soak", || cargo::check(&mut command));
}
