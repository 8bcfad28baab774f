//! The standard library for a target that no package carries: compiled once, from the sources that Debian
//! packages, into the sysroot that the ARM leg uses.

use crate::apt::{self, Package};
use crate::{cargo, cross};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: [Package; 1] = [Package {
    name: "rust-web-src",
    shows: "/usr/lib/rustlib/src/rust/library/std",
}];

/// The one target whose programs are linked here; for the others the library's interface is enough.
const LINKED: &str = crate::android::TARGET;

/// A compiler whose sysroot has the library for `target`; or what is missing here.
pub fn compiler_with(target: &str) -> Result<Result<PathBuf, String>> {
    if let Some(why) = apt::install(&SOURCES)? {
        return Ok(Err(why));
    }
    let bin = match cross::debian_compiler()? {
        Ok(bin) => bin,
        Err(why) => return Ok(Err(why)),
    };
    let sysroot = bin.parent().context("the programs are in a sysroot")?;
    build(target, &bin, sysroot)?;
    Ok(Ok(bin.join("rustc")))
}

/// Compiles the library for `target` into the sysroot, where it is not there yet.
fn build(target: &str, bin: &Path, sysroot: &Path) -> Result<()> {
    let libraries = sysroot.join("lib/rustlib");
    let into = libraries.join(target).join("lib");
    if into.is_dir() {
        return Ok(());
    }
    let sources = libraries.join("src");
    if !sources.exists() {
        std::os::unix::fs::symlink("/usr/lib/rustlib/src", &sources)?;
    }
    let work = sysroot.join("std").join(target);
    let empty = work.join("empty");
    fs::create_dir_all(empty.join("src"))?;
    fs::write(
        empty.join("Cargo.toml"),
        // Whole-program optimisation needs the library's bitcode, as rustup's library has it.
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [profile.release]\nlto = \"fat\"\n",
    )?;
    fs::write(empty.join("src/lib.rs"), "#![no_std]\n")?;
    let (task, profile): (&[&str], _) = if target == LINKED {
        (&["build", "--release"], "release")
    } else {
        (&["check"], "debug")
    };
    let mut command = Command::new(cargo::cargo().get_program());
    command.current_dir(&empty).args(task).args([
        "-Zbuild-std=std,panic_unwind,panic_abort",
        "--target",
        target,
    ]);
    command.env("CARGO_TARGET_DIR", work.join("target"));
    // The one unstable thing that a stable compiler is asked for here is to compile its own library.
    command
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", bin.join("rustc"));
    command
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_INCREMENTAL", "0");
    apt::run(&mut command)?;

    let built = work.join("target").join(target).join(profile).join("deps");
    // Under its name only when it is whole.
    let whole = work.join("lib");
    copy_libraries(&built, &whole).with_context(|| format!("the standard library for {target}"))?;
    fs::create_dir_all(libraries.join(target))?;
    fs::rename(whole, into)?;
    Ok(fs::remove_dir_all(work)?)
}

fn copy_libraries(from: &Path, into: &Path) -> Result<()> {
    if into.exists() {
        fs::remove_dir_all(into)?;
    }
    fs::create_dir_all(into)?;
    let mut count = 0;
    for entry in fs::read_dir(from)? {
        let file = entry?.path();
        if is_library(&file) {
            let name = file.file_name().context("a file has a name")?;
            fs::copy(&file, into.join(name))?;
            count += 1;
        }
    }
    ensure!(count > 10, "it is only {count} files");
    Ok(())
}

/// Whether it is part of the standard library that was compiled.
fn is_library(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str());
    let is_own = name.is_some_and(|name| name.starts_with("libempty"));
    let extension = file.extension().and_then(|e| e.to_str());
    matches!(extension, Some("rlib" | "rmeta")) && !is_own
}
