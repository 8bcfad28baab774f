//! Debian's Swift in a folder of its own. The release that this machine runs may have none; nothing on the machine but
//! that folder changes.

use crate::apt::{self, Package};
use crate::cargo;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TOOLS: [Package; 2] = [
    Package {
        name: "mmdebstrap",
        shows: "mmdebstrap",
    },
    Package {
        name: "util-linux",
        shows: "unshare",
    },
];

/// Debian's first release with Swift, and what is installed of it.
const RELEASE: &str = "trixie";
const PACKAGES: &str = "swiftlang,libc6-dev,libstdc++-14-dev";

/// Names a folder that has the system, or is to have it: 2.5 GB that several checkouts can share.
const VARIABLE: &str = "PUNA_SWIFT_ROOT";

/// Where the work folder is, as the programs inside see it.
pub const WORK: &str = "/w";

/// Runs the program `$3…` of the system `$1` with the folder `$2` as `/w`. The mounts are gone with the process.
const ENTER: &str = r#"
root=$1; work=$2; shift 2
mkdir -p "$root/w"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$work" "$root/w"
exec chroot "$root" env -i HOME=/root PATH=/usr/bin:/bin LANG=C.UTF-8 "$@"
"#;

/// A system with Swift.
pub struct Root(PathBuf);

impl Root {
    /// The system, set up where it is not there yet; or why that cannot be done here.
    pub fn prepare() -> Result<Result<Self, String>> {
        if !cfg!(target_os = "linux") {
            return Ok(Err("only set up for Linux; on a Mac: swift test".into()));
        }
        if !apt::is_root() {
            return Ok(Err(
                "needs root, to set up and enter a system with Swift".into()
            ));
        }
        if let Some(why) = apt::install(&TOOLS)? {
            return Ok(Err(why));
        }
        let may_mount = Command::new("unshare").args(["--mount", "true"]).output()?;
        if !may_mount.status.success() {
            return Ok(Err("unshare --mount is not allowed here".into()));
        }
        let folder = std::env::var_os(VARIABLE)
            .map_or_else(|| cargo::target_dir().join("swift/root"), PathBuf::from);
        if !folder.join("usr/bin/swiftc").exists() {
            let Some(mirror) = mirror()? else {
                return Ok(Err("apt knows no mirror of Debian here".into()));
            };
            set_up(&folder, &mirror)?;
        }
        Ok(Ok(Self(fs::canonicalize(folder)?)))
    }

    /// A program of the system, with the folder as [`WORK`] and the variables given.
    pub fn command(&self, work: &Path, variables: &[&str], program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--propagation",
            "private",
            "bash",
            "-ec",
            ENTER,
            "enter",
        ]);
        command.arg(&self.0).arg(work).args(variables).arg(program);
        command
    }
}

/// Installs the system into the folder, which gets its name only when it is whole.
fn set_up(folder: &Path, mirror: &str) -> Result<()> {
    let partial = folder.with_extension("partial");
    if partial.exists() {
        // An installation that was killed may have left /proc mounted there.
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let name = partial.to_str().context("the folder's name is text")?;
        ensure!(
            !mounts.contains(name),
            "something is mounted in {name}: umount it and remove it"
        );
        fs::remove_dir_all(&partial)?;
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    eprintln!(
        "installing Swift from Debian {RELEASE} into {}",
        folder.display()
    );
    let mut command = Command::new("mmdebstrap");
    command.args([
        "--mode=root",
        "--variant=essential",
        &format!("--include={PACKAGES}"),
    ]);
    command.arg(r#"--aptopt=APT::Install-Recommends "false""#);
    for without in ["doc", "man", "locale"] {
        command.arg(format!("--dpkgopt=path-exclude=/usr/share/{without}/*"));
    }
    apt::run(command.arg(RELEASE).arg(&partial).arg(mirror))?;
    Ok(fs::rename(partial, folder)?)
}

/// The mirror of Debian that this machine uses.
fn mirror() -> Result<Option<String>> {
    let mut apt = Command::new("apt-get");
    apt.args([
        "indextargets",
        "--format",
        "$(ORIGIN) $(CODENAME) $(REPO_URI)",
    ]);
    Ok(first_mirror(&cargo::output(
        apt.arg("Created-By: Packages"),
    )?))
}

/// The first mirror of Debian itself: not of its updates, whose names have a `-`.
fn first_mirror(targets: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (origin, codename, uri) = (words.next()?, words.next()?, words.next()?);
        (origin == "Debian" && !codename.contains('-')).then(|| uri.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_the_release() {
        let targets = "Debian bookworm-security file:/c/\nOther bookworm file:/d/\nDebian bookworm file:/a/\n";
        assert_eq!(first_mirror(targets).as_deref(), Some("file:/a/"));
        assert_eq!(first_mirror("Ubuntu noble file:/u/\n"), None);
    }
}
