//! What stands in for a phone's libraries when linking: files that only say which names there are.

use crate::apt;
use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Libraries of Android's C interface that we may use.
pub const LIBRARIES: [&str; 4] = ["libc.so", "libm.so", "libdl.so", "liblog.so"];

/// By library the names that we may import, all of them in Android 8 (API 26): a line is `library: names`. A name that
/// is not on it does not link, and is put on it by hand, after a look at when Android got it.
const NAMES: &str = include_str!("bionic.txt");

/// What Android's tools link into every library: it walks the stack when a panic unwinds. Here it only traps.
const UNWIND: [&str; 14] = [
    "_Unwind_Backtrace",
    "_Unwind_DeleteException",
    "_Unwind_FindEnclosingFunction",
    "_Unwind_GetCFA",
    "_Unwind_GetDataRelBase",
    "_Unwind_GetIP",
    "_Unwind_GetIPInfo",
    "_Unwind_GetLanguageSpecificData",
    "_Unwind_GetRegionStart",
    "_Unwind_GetTextRelBase",
    "_Unwind_RaiseException",
    "_Unwind_Resume",
    "_Unwind_SetGR",
    "_Unwind_SetIP",
];

/// Writes the stubs and a program that links with them into `dir`; the program's path.
///
/// # Errors
/// A tool failed, or a file could not be written.
pub fn linker(dir: &Path) -> Result<PathBuf> {
    fs::create_dir_all(dir)?;
    for library in LIBRARIES {
        let text = dir.join(library).with_extension("ifs");
        fs::write(&text, interface(library))?;
        let mut command = Command::new("llvm-ifs-22");
        command.arg("--input-format=IFS").arg(&text);
        command.arg(format!("--output-elf={}", dir.join(library).display()));
        apt::run(&mut command)?;
    }
    unwind(dir)?;
    // Cargo knows what a linker takes by its name: one that ends in `cc` gets a C compiler's arguments.
    let program = dir.join("android-cc");
    fs::write(
        &program,
        PROGRAM.replace("STUBS", &dir.display().to_string()),
    )?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    program
        .canonicalize()
        .with_context(|| format!("{}", program.display()))
}

/// Takes a C compiler's arguments, gives them to LLVM's linker as Android's tools do.
const PROGRAM: &str = r#"#!/bin/bash
given=()
for word in "$@"; do
  case "$word" in
    -Wl,*) IFS=, read -ra parts <<<"${word#-Wl,}"; given+=("${parts[@]}") ;;
    -nodefaultlibs | -nostartfiles | -nostdlib | -fuse-ld=* | --target=*) ;;
    *) given+=("$word") ;;
  esac
done
exec ld.lld-22 -m aarch64linux --hash-style=both --build-id=sha1 -z relro -z now -z max-page-size=16384 \
  -z separate-loadable-segments --no-undefined --eh-frame-hdr --no-dependent-libraries --error-limit=0 -L 'STUBS' "${given[@]}"
"#;

/// One library's interface, as LLVM writes it.
fn interface(library: &str) -> String {
    let mut text = format!(
        "--- !ifs-v1\nIfsVersion: 3.0\nSoName: {library}\nTarget: {{ ObjectFormat: ELF, Arch: AArch64, \
         Endianness: little, BitWidth: 64 }}\nSymbols:\n"
    );
    let names = NAMES
        .lines()
        .filter_map(|line| line.strip_prefix(library)?.strip_prefix(':'));
    for name in names.flat_map(str::split_whitespace) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  - {{ Name: {name}, Type: Func }}");
    }
    text + "...\n"
}

/// `libunwind.a`.
fn unwind(dir: &Path) -> Result<()> {
    let mut text = String::new();
    for name in UNWIND {
        let _ = writeln!(
            text,
            ".globl {name}\n.type {name},%function\n{name}: brk #1"
        );
    }
    let (source, object) = (dir.join("unwind.s"), dir.join("unwind.o"));
    fs::write(&source, text)?;
    let mut assembler = Command::new("llvm-mc-22");
    assembler.args(["--triple", super::TARGET, "--filetype=obj", "-o"]);
    apt::run(assembler.arg(&object).arg(&source))?;
    let archive = dir.join("libunwind.a");
    if archive.exists() {
        fs::remove_file(&archive)?;
    }
    apt::run(
        Command::new("llvm-ar-22")
            .arg("rcs")
            .arg(archive)
            .arg(object),
    )
}
