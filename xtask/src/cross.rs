//! Building for aarch64 Linux and running the result: a cross linker, an emulator and a compiler.
//!
//! Linker and emulator come from Debian. So does the compiler, unless the one in use already has
//! aarch64's standard library: `rustc-web`, whose library for arm64 is unpacked from its package and
//! put beside the host's in a sysroot under `target/`.

use crate::apt::{self, Package};
use crate::cargo;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target, as cargo names it.
pub const TARGET: &str = "aarch64-unknown-linux-gnu";
const HOST: &str = "x86_64-unknown-linux-gnu";
/// The emulator.
pub const QEMU: &str = "qemu-aarch64";
/// Where the target's libraries are.
pub const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

const TOOLS: [Package; 3] = [
    Package {
        name: "gcc-aarch64-linux-gnu",
        shows: "aarch64-linux-gnu-gcc",
    },
    Package {
        name: "libc6-dev-arm64-cross",
        shows: "/usr/aarch64-linux-gnu/lib/libc.so.6",
    },
    Package {
        name: "qemu-user",
        shows: "qemu-aarch64",
    },
];

const COMPILER: [Package; 1] = [Package {
    name: "rustc-web",
    shows: "/usr/lib/rustlib/x86_64-unknown-linux-gnu",
}];

/// Whose compiler builds for aarch64.
pub enum Compiler {
    /// The one that is in use.
    InUse,
    /// Debian's, through wrappers in this folder.
    Wrapped(PathBuf),
}

/// What [`prepare`] found.
pub enum Ready {
    Yes(Compiler),
    /// This machine cannot, and why.
    No(String),
}

/// Finds or installs linker, emulator and compiler.
pub fn prepare() -> Result<Ready> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(Ready::No("only set up for x86_64 Linux".into()));
    }
    if let Some(why) = apt::install(&TOOLS)? {
        return Ok(Ready::No(why));
    }
    if has_std(TARGET)? {
        return Ok(Ready::Yes(Compiler::InUse));
    }
    Ok(match debian_compiler()? {
        Ok(bin) => Ready::Yes(Compiler::Wrapped(bin)),
        Err(why) => Ready::No(format!("{why}, or: rustup target add {TARGET}")),
    })
}

/// The folder of the programs of Debian's compiler, with a sysroot of ours; or why it cannot be had here.
pub fn debian_compiler() -> Result<Result<PathBuf, String>> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok(Err("only set up for x86_64 Linux".into()));
    }
    if let Some(why) = apt::install(&COMPILER)? {
        return Ok(Err(why));
    }
    Ok(Ok(wrap_debian_compiler()?))
}

/// Whether the compiler in use has the standard library of a target.
pub fn has_std(target: &str) -> Result<bool> {
    let args = ["--print", "target-libdir", "--target", target];
    let output = Command::new("rustc")
        .args(args)
        .output()
        .context("starting rustc")?;
    let dir = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    Ok(fs::read_dir(dir).is_ok_and(|mut files| files.next().is_some()))
}

/// Makes a sysroot of Debian's two standard libraries and programs that use it; returns the
/// programs' folder. Done once for each version of the compiler.
fn wrap_debian_compiler() -> Result<PathBuf> {
    let version = apt::version("rustc-web")?;
    let base = cargo::target_dir().join("arm");
    let dir = base.join(format!(
        "rust-{}",
        version.replace(['/', '~', '+', ':'], "_")
    ));
    let bin = dir.join("bin");
    if bin.is_dir() {
        return Ok(bin);
    }
    let std_lib = download_std(&base, &version)?;
    let work = base.join("unfinished");
    remove_if_there(&work)?;
    let libs = work.join("lib/rustlib");
    fs::create_dir_all(&libs)?;
    fs::create_dir(work.join("bin"))?;
    apt::run(
        Command::new("dpkg-deb")
            .arg("-x")
            .arg(&std_lib)
            .arg(work.join("deb")),
    )?;
    let unpacked = format!("../../deb/usr/lib/rustlib/{TARGET}");
    symlink(unpacked, libs.join(TARGET))?;
    symlink(Path::new("/usr/lib/rustlib").join(HOST), libs.join(HOST))?;
    // Cargo tells rustc from other programs by its name.
    for program in ["rustc", "rustdoc"] {
        let file = work.join("bin").join(program);
        let sysroot = dir.display();
        fs::write(
            &file,
            format!("#!/bin/sh\nexec /usr/bin/{program} --sysroot '{sysroot}' \"$@\"\n"),
        )?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    fs::rename(&work, &dir)?;
    Ok(bin)
}

/// Downloads arm64's standard library. The package lists are arm64's, in a folder of their own:
/// the machine's set of architectures stays as it is, and nobody needs to be root.
fn download_std(base: &Path, version: &str) -> Result<PathBuf> {
    let work = base.join("apt");
    remove_if_there(&work)?;
    for dir in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(work.join(dir))?;
    }
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command
            .current_dir(&work)
            .args(["-o", "APT::Architecture=arm64"]);
        command.args([
            "-o",
            "APT::Architectures::=arm64",
            "-o",
            "Acquire::Languages=none",
        ]);
        command.arg("-o").arg(format!(
            "Dir::State::Lists={}",
            work.join("lists").display()
        ));
        command
            .arg("-o")
            .arg(format!("Dir::Cache={}", work.join("cache").display()));
        // The folder may be one that only its owner may write.
        command.args(["-o", "APT::Sandbox::User="]);
        command
    };
    apt::run(apt_get().arg("update"))?;
    apt::run(
        apt_get()
            .arg("download")
            .arg(format!("libstd-rust-web-dev={version}")),
    )?;
    let mut files = fs::read_dir(&work)?.filter_map(|entry| Some(entry.ok()?.path()));
    let deb = files.find(|file| file.extension().is_some_and(|e| e == "deb"));
    deb.context("apt-get download left no package")
}

fn remove_if_there(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("removing {}", dir.display()))?;
    }
    Ok(())
}

impl Compiler {
    /// A cargo command such as `test` for the target, whose programs run in the emulator.
    pub fn cargo(&self, command: &str) -> Result<Command> {
        let mut cargo = cargo::cargo();
        cargo
            .args([command, "--target", TARGET])
            // Another compiler's files: do not make the host's build start over.
            .env("CARGO_TARGET_DIR", target_dir())
            .env(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
                "aarch64-linux-gnu-gcc",
            )
            .env(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
                format!("{QEMU} -L {LIBRARIES}"),
            );
        if let Self::Wrapped(bin) = self {
            ensure!(
                bin.join("rustc").is_file(),
                "{} has no rustc",
                bin.display()
            );
            cargo
                .env("RUSTC", bin.join("rustc"))
                .env("RUSTDOC", bin.join("rustdoc"));
        }
        Ok(cargo)
    }

    /// What the compiler says of its version, in one line.
    pub fn version(&self) -> Result<String> {
        let program = match self {
            Self::InUse => "rustc".into(),
            Self::Wrapped(bin) => bin.join("rustc"),
        };
        cargo::first_line(Command::new(program).arg("--version"))
    }
}

/// Where cargo puts what it builds for the target.
pub fn target_dir() -> PathBuf {
    cargo::target_dir().join("arm/target")
}
