//! The library for Apple's systems as one XCFramework, on a Mac with Xcode. Elsewhere only the plan can be seen.

use crate::report::{Outcome, Report, Tally};
use crate::{apt, cargo};
use anyhow::Result;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What goes into the XCFramework: a name, and the targets whose libraries `lipo` joins.
const SLICES: [(&str, &[&str]); 3] = [
    ("ios", &["aarch64-apple-ios"]),
    (
        "ios-simulator",
        &["aarch64-apple-ios-sim", "x86_64-apple-ios"],
    ),
    ("macos", &["aarch64-apple-darwin", "x86_64-apple-darwin"]),
];

const LIBRARY: &str = "libpuna_ffi.a";

/// What `cargo xtask xcframework` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Only prints the commands
    #[arg(long)]
    dry_run: bool,
}

/// One leg: ios/PunaFFI.xcframework and the bindings beside it.
pub fn run(report: &mut Report, args: &Args) {
    report.leg("XCFramework", || {
        let commands = plan();
        if args.dry_run {
            for command in &commands {
                println!("{}", line(command));
            }
            return Ok(Outcome::Ran(Tally::default()));
        }
        if !cfg!(target_os = "macos") {
            return Ok(Outcome::NotRun(
                "needs a Mac with Xcode; --dry-run shows the plan".into(),
            ));
        }
        build(commands)
    });
}

fn build(commands: Vec<Command>) -> Result<Outcome> {
    let package = cargo::root().join("ios");
    super::generate(&crate::kotlin::build_library(false)?, &package)?;
    // What an app imports: the header and its map, one beside the other.
    let headers = folder().join("headers");
    fs::create_dir_all(&headers)?;
    for name in ["PunaFFI.h", "module.modulemap"] {
        super::copy(
            &package.join("Sources/PunaFFI").join(name),
            &headers.join(name),
        )?;
    }
    for (name, _) in SLICES {
        fs::create_dir_all(folder().join(name))?;
    }
    let framework = framework();
    if framework.exists() {
        fs::remove_dir_all(framework)?;
    }
    for mut command in commands {
        apt::run(&mut command)?;
    }
    Ok(Outcome::Ran(Tally::one(true)))
}

/// The commands, in order.
fn plan() -> Vec<Command> {
    let mut commands = Vec::new();
    let mut create = Command::new("xcodebuild");
    create.arg("-create-xcframework");
    for (name, targets) in SLICES {
        let joined = folder().join(name).join(LIBRARY);
        let mut lipo = Command::new("lipo");
        lipo.arg("-create").arg("-output").arg(&joined);
        for target in targets {
            let mut command = cargo::cargo();
            command.args([
                "build",
                "--release",
                "--locked",
                "-p",
                "puna-ffi",
                "--target",
                target,
            ]);
            // As ios/Package.swift says.
            command
                .env("IPHONEOS_DEPLOYMENT_TARGET", "15.0")
                .env("MACOSX_DEPLOYMENT_TARGET", "12.0");
            commands.push(command);
            lipo.arg(
                cargo::target_dir()
                    .join(target)
                    .join("release")
                    .join(LIBRARY),
            );
        }
        commands.push(lipo);
        create.arg("-library").arg(joined);
        create.arg("-headers").arg(folder().join("headers"));
    }
    create.arg("-output").arg(framework());
    commands.push(create);
    commands
}

fn folder() -> PathBuf {
    cargo::target_dir().join("xcframework")
}

fn framework() -> PathBuf {
    cargo::root().join("ios/PunaFFI.xcframework")
}

/// A command as a person would type it.
fn line(command: &Command) -> String {
    let words = command.get_args().map(|arg| arg.to_string_lossy());
    let program = command.get_program().to_string_lossy();
    std::iter::once(program)
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_library_that_is_built_is_joined_and_packed() {
        let lines: Vec<_> = plan().iter().map(line).collect();
        let packed = lines.last().expect("there is a plan");
        for (name, targets) in SLICES {
            assert!(packed.contains(&format!("{name}/{LIBRARY}")), "{packed}");
            for target in targets {
                assert!(
                    lines
                        .iter()
                        .any(|l| l.contains("build") && l.ends_with(target)),
                    "{target}"
                );
                let joined =
                    |l: &&String| l.starts_with("lipo") && l.contains(&format!("{target}/release"));
                assert_eq!(lines.iter().filter(joined).count(), 1, "{target}");
            }
        }
    }
}
