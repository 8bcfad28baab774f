//! The library as an Android phone gets it, linked without Android's tools, and what its file says of itself.
//!
//! The compiler is the one of the other compile checks, the linker LLVM's; the phone's libraries are stubs of the
//! symbols that we may use ([`stubs`]). So it is proved that the code compiles, that it imports nothing else, and how the
//! file is laid out and how large it is; not that it loads or how fast it is. What is shipped is built with
//! Android's own tools, by cargo-ndk.

mod elf;
mod page;
mod size;
mod stubs;

use crate::report::{Outcome, Report, Tally};
use crate::{apt, cross, targets};
use anyhow::Result;
use elf::Library;
use std::fs;
use std::path::{Path, PathBuf};

/// Phones of the last ten years.
pub const TARGET: &str = "aarch64-linux-android";
/// The stripped library may have so many bytes.
const MOST_BYTES: u64 = 3_500_000;
/// The largest pages that Android has; segments begin at multiples.
const PAGE: u64 = 16_384;
/// What exported names begin with: uniffi's, our C interface's and those that Java calls.
const EXPORTS: [&str; 6] = [
    "uniffi_puna_ffi_",
    "ffi_puna_ffi_",
    "UNIFFI_META_",
    "puna_",
    "JNI_On",
    "Java_dev_puna_",
];

const TOOLS: [apt::Package; 2] = [
    apt::Package {
        name: "lld-22",
        shows: "ld.lld-22",
    },
    apt::Package {
        name: "llvm-22",
        shows: "llvm-ifs-22",
    },
];

/// What `cargo xtask size` takes.
#[derive(clap::Args, Default)]
pub struct Args {
    /// Writes docs/benchmarks/android-size.md and .json
    #[arg(long)]
    record: bool,
}

/// Builds it, looks at it and says what is in it.
pub fn run(report: &mut Report, args: &Args) {
    report.leg("the library for Android", || {
        let linked = match build()? {
            Ok(linked) => linked,
            Err(why) => return Ok(Outcome::NotRun(why)),
        };
        let stripped = strip(&linked)?;
        let bytes = fs::metadata(&stripped)?.len();
        let file = fs::read(&stripped)?;
        let library = Library::read(&file)?;
        let shares = size::shares(&fs::read(&linked)?)?;
        page::print(bytes, &library, &shares);
        if args.record {
            page::record(bytes, &library, &shares)?;
        }
        let mut tally = Tally::default();
        for (what, fault) in checks(bytes, &library) {
            match &fault {
                None => println!("ok: {what}"),
                Some(fault) => println!("FAILED: {what}: {fault}"),
            }
            let one = Tally::one(fault.is_none());
            tally.passed += one.passed;
            tally.failed += one.failed;
        }
        Ok(Outcome::Ran(tally))
    });
}

/// Builds the release library in its default features; its file, with symbols. Or why it cannot be built here.
fn build() -> Result<Result<PathBuf, String>> {
    if let Some(why) = apt::install(&TOOLS)? {
        return Ok(Err(why));
    }
    let linker = stubs::linker(&cross::target_dir().join("android"))?;
    let mut command = match targets::cargo_for(TARGET, "build")? {
        Ok(command) => command,
        Err(why) => return Ok(Err(why)),
    };
    command.args(["--release", "-p", "puna-ffi", "--lib"]);
    command.env("CARGO_TARGET_AARCH64_LINUX_ANDROID_LINKER", linker);
    apt::run(&mut command)?;
    let file = cross::target_dir()
        .join(TARGET)
        .join("release/libpuna_ffi.so");
    Ok(Ok(file))
}

fn strip(linked: &Path) -> Result<PathBuf> {
    let stripped = linked.with_extension("stripped.so");
    let mut command = std::process::Command::new("llvm-strip-22");
    command.arg("-o").arg(&stripped).arg(linked);
    apt::run(&mut command)?;
    Ok(stripped)
}

/// What is looked at, and what is wrong with it.
fn checks(bytes: u64, library: &Library) -> Vec<(String, Option<String>)> {
    let unless = |ok: bool, fault: String| (!ok).then_some(fault);
    let foreign: Vec<_> = library
        .needed
        .iter()
        .filter(|name| !stubs::LIBRARIES.contains(&name.as_str()))
        .collect();
    let odd: Vec<_> = library
        .exports
        .iter()
        .filter(|name| !EXPORTS.iter().any(|begin| name.starts_with(begin)))
        .collect();
    vec![
        (
            "64-bit ARM, a shared library".into(),
            unless(library.is_arm64_shared, "it is not".into()),
        ),
        (
            format!(
                "needs only the phone's own libraries: {}",
                library.needed.join(", ")
            ),
            unless(foreign.is_empty(), format!("{foreign:?}")),
        ),
        (
            format!(
                "{} segments at multiples of {PAGE} bytes",
                library.alignments.len()
            ),
            unless(
                !library.alignments.is_empty() && library.alignments.iter().all(|a| a % PAGE == 0),
                format!("{:?}", library.alignments),
            ),
        ),
        (
            "no text relocations".into(),
            unless(!library.has_text_relocations, "there are".into()),
        ),
        (
            format!("{} exports, all of them ours", library.exports.len()),
            unless(
                !library.exports.is_empty() && odd.is_empty(),
                format!("{odd:?}"),
            ),
        ),
        (
            format!("{bytes} bytes stripped, of {MOST_BYTES}"),
            unless(bytes <= MOST_BYTES, "too large".into()),
        ),
    ]
}
