//! The plugin and the guests.

use super::plan::Tier;
use crate::apt::run;
use crate::cargo::{self, output};
use crate::cross::{Compiler, TARGET, target_dir};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crate that carries ggml's source, as `kernels/ggml-sys` takes it.
const CARRIER: &str = "llama-cpp-sys-2";
/// The C compiler and the C++ compiler for ggml.
pub const CLANG: [&str; 2] = ["clang-19", "clang++-19"];
/// How ggml is compiled, but for `-march`.
pub const FLAGS: &str = "-O3 -DNDEBUG";

/// The files of ggml that hold its kernels, below `src/ggml-cpu`.
const SOURCES: [&str; 4] = [
    "arch/arm/quants.c",
    "arch/arm/repack.cpp",
    "vec.cpp",
    "llamafile/sgemm.cpp",
];

/// Builds the plugin for this machine.
pub fn plugin() -> Result<PathBuf> {
    run(cargo::cargo().args(["build", "--locked", "--quiet", "-p", "puna-icount"]))?;
    existing(cargo::target_dir().join("debug/libpuna_icount.so"))
}

/// Builds our guest: optimised, whatever the caller's settings.
pub fn ours(compiler: &Compiler) -> Result<PathBuf> {
    let mut command = compiler.cargo("build")?;
    command
        .args(["--locked", "--profile", "arm-cost"])
        .args(["-p", "puna-kernels", "--example", "arm_cost"])
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(&mut command)?;
    existing(target_dir().join(TARGET).join("arm-cost/examples/arm_cost"))
}

/// Builds ggml's kernels for one tier's CPU features, with a guest of our own.
pub fn ggml(tier: &Tier) -> Result<PathBuf> {
    let ggml = carrier_folder()?.join("llama.cpp/ggml");
    let out = cargo::target_dir().join("arm/ggml").join(tier.march);
    fs::create_dir_all(&out)?;
    let guest = cargo::root().join("xtask/src/arm_cost/ggml.cpp");
    let kernels = SOURCES.map(|file| ggml.join("src/ggml-cpu").join(file));
    let mut objects = Vec::new();
    for source in kernels.iter().chain([&guest]) {
        let name = source.file_name().context("a source file has a name")?;
        let object = out.join(name).with_added_extension("o");
        compile(&ggml, tier, source, &object)?;
        objects.push(object);
    }
    let program = out.join("ggml");
    // What ggml's files need elsewhere is in sections that nothing here reaches.
    let mut link = clang(CLANG[1]);
    link.args(["-static", "-Wl,--gc-sections"]);
    run(link.args(objects).arg("-o").arg(&program))?;
    Ok(program)
}

fn compile(ggml: &Path, tier: &Tier, source: &Path, object: &Path) -> Result<()> {
    let is_c = source.extension().is_some_and(|e| e == "c");
    let mut command = clang(CLANG[usize::from(!is_c)]);
    command
        .arg(if is_c { "-std=gnu11" } else { "-std=gnu++17" })
        .args(FLAGS.split(' '))
        .arg(format!("-march={}", tier.march))
        .args(["-ffunction-sections", "-fdata-sections", "-w"])
        .args(["-D_GNU_SOURCE", "-DGGML_USE_LLAMAFILE"]);
    for folder in ["include", "src", "src/ggml-cpu"] {
        command.arg("-I").arg(ggml.join(folder));
    }
    run(command.arg("-c").arg(source).arg("-o").arg(object))
}

fn clang(program: &str) -> Command {
    let mut command = Command::new(program);
    command.arg("--target=aarch64-linux-gnu");
    command
}

/// Where cargo keeps the source of the crate with ggml, at the version of Cargo.lock.
fn carrier_folder() -> Result<PathBuf> {
    let manifest = carrier("manifest_path")?;
    let folder = Path::new(&manifest).parent().context("a folder")?;
    Ok(folder.to_owned())
}

/// Name and version of the crate with ggml.
pub fn carrier_version() -> Result<String> {
    Ok(format!("{CARRIER} {}", carrier("version")?))
}

/// What `cargo metadata` says of the crate with ggml, which it first downloads if it is not there.
fn carrier(field: &str) -> Result<String> {
    let mut metadata = cargo::cargo();
    metadata.args(["metadata", "--locked", "--format-version", "1"]);
    metadata.args(["--features", "puna-ggml-sys/vendored"]);
    let metadata: serde_json::Value = serde_json::from_str(&output(&mut metadata)?)?;
    let packages = metadata["packages"].as_array().context("packages")?;
    let package = packages.iter().find(|package| package["name"] == CARRIER);
    let value = package.and_then(|package| package[field].as_str());
    let value = value.with_context(|| format!("cargo metadata knows no {field} of {CARRIER}"))?;
    Ok(value.to_owned())
}

fn existing(file: PathBuf) -> Result<PathBuf> {
    ensure!(file.is_file(), "cargo did not make {}", file.display());
    Ok(file)
}
