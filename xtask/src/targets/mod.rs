//! Compile checks for phones and for laptops that are not this machine. Nothing is linked or run.

mod std_lib;

use crate::report::{Outcome, Report};
use crate::{cargo, cross};
use anyhow::Result;
use std::process::Command;

/// Targets, and the packages that make sense on each.
const TARGETS: [(&str, &[&str]); 4] = [
    ("aarch64-linux-android", &["puna-ffi"]),
    ("aarch64-apple-ios", &["puna-ffi"]),
    ("aarch64-apple-darwin", &["puna-ffi", "puna-cli"]),
    ("aarch64-pc-windows-msvc", &["puna-ffi", "puna-cli"]),
];

/// What `cargo xtask targets` takes.
#[derive(clap::Args, Default)]
pub struct Args {
    /// Only this target, such as aarch64-linux-android
    #[arg(long)]
    target: Option<String>,
}

/// One leg for each target.
pub fn run(report: &mut Report, args: &Args) {
    for (target, packages) in TARGETS {
        if args.target.as_deref().is_none_or(|only| only == target) {
            report.leg(&format!("compiles for {target}"), || {
                let mut command = match cargo_for(target, "check")? {
                    Ok(command) => command,
                    Err(why) => return Ok(Outcome::NotRun(why)),
                };
                for package in packages {
                    command.args(["-p", package]);
                }
                cargo::check(&mut command)
            });
        }
    }
}

/// A cargo command such as `check` for a target, with a compiler that has its standard library; or why there is
/// none here.
///
/// # Errors
/// The library could not be compiled, or a package not installed.
pub fn cargo_for(target: &str, task: &str) -> Result<Result<Command, String>> {
    let mut command = cargo::cargo();
    command.args([task, "--locked", "--target", target]);
    command.env("CARGO_TARGET_DIR", cross::target_dir());
    if !cross::has_std(target)? {
        match std_lib::compiler_with(target)? {
            Ok(rustc) => command.env("RUSTC", rustc),
            Err(why) => return Ok(Err(format!("{why}, or: rustup target add {target}"))),
        };
    }
    Ok(Ok(command))
}
