//! The library for desktops as one file: the wrapper's classes, and the native library where JNA looks for it.

use super::{Kotlin, LIBRARY};
use crate::apt;
use anyhow::{Result, bail};
use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

impl Kotlin {
    /// Packs the modules that a desktop needs, compiled before, and `native`; returns the jar.
    pub(super) fn jar(&self, native: &Path) -> Result<PathBuf> {
        let natives = self.fresh("natives")?;
        let folder = natives.join(platform()?);
        fs::create_dir(&folder)?;
        fs::copy(native, folder.join(LIBRARY))?;
        let file = self.out.join("puna-jvm.jar");
        let mut jar = Command::new("jar");
        jar.arg("--create").arg("--file").arg(&file);
        for module in ["bindings", "puna", "natives"] {
            jar.arg("-C").arg(self.classes(module)).arg(".");
        }
        apt::run(&mut jar)?;
        Ok(file)
    }
}

/// The folder of a jar in which JNA looks for libraries of this machine's kind.
fn platform() -> Result<String> {
    let system = match OS {
        "linux" => "linux",
        "macos" => "darwin",
        other => bail!("no name of {other} in a jar is known here"),
    };
    Ok(format!("{system}-{}", ARCH.replace('_', "-")))
}
