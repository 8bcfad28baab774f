//! Programs and files that a leg needs from Debian's packages.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A package and the file that shows it is there: a path, or a program's name.
pub struct Package {
    pub name: &'static str,
    pub shows: &'static str,
}

/// Installs what is missing, where this can be done without asking: as root, with apt. Elsewhere
/// returns why not, and what a person can do.
pub fn install(packages: &[Package]) -> Result<Option<String>> {
    let missing = || {
        packages
            .iter()
            .filter(|p| !is_there(p.shows))
            .map(|p| p.name)
            .collect::<Vec<_>>()
    };
    let wanted = missing();
    if wanted.is_empty() {
        return Ok(None);
    }
    let list = wanted.join(" ");
    if find_program("apt-get").is_none() {
        return Ok(Some(format!(
            "needs Debian's packages {list}, and here is no apt-get"
        )));
    }
    if !is_root() {
        return Ok(Some(format!(
            "install what it needs: apt-get install {list}"
        )));
    }
    eprintln!("installing {list}");
    apt_get(&["update"])?;
    apt_get(
        &[
            &["install", "--yes", "--no-install-recommends"],
            wanted.as_slice(),
        ]
        .concat(),
    )?;
    let still = missing();
    Ok((!still.is_empty()).then(|| format!("{} installed but not found", still.join(" "))))
}

/// The version of an installed package.
pub fn version(package: &str) -> Result<String> {
    let output = Command::new("dpkg-query")
        .args(["-W", "-f", "${Version}", package])
        .output()?;
    ensure!(output.status.success(), "{package} is not installed");
    Ok(String::from_utf8(output.stdout)?)
}

/// Where a program of the search path is.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

fn is_there(shows: &str) -> bool {
    if shows.starts_with('/') {
        Path::new(shows).exists()
    } else {
        find_program(shows).is_some()
    }
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|o| o.stdout.trim_ascii() == b"0")
}

fn apt_get(args: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=300"]).args(args);
    run(command.env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
