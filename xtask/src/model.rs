//! The model that tests run on.

use crate::cargo;
use crate::report::{Outcome, Report, Tally};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Tells tests where the model is.
pub const VARIABLE: &str = "PUNA_TEST_MODEL";

/// The model's path: as `PUNA_TEST_MODEL` has it, else fetched and verified by `puna fetch`.
/// `None` when it could not be had; the report then says why.
pub fn fetch(report: &mut Report) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return Some(path.into());
    }
    let mut model = None;
    report.leg("fetch the default model", || {
        model = puna_fetch()?;
        Ok(match model {
            Some(_) => Outcome::Ran(Tally::default()),
            None => Outcome::NotRun("`puna fetch` gave no file; see above".into()),
        })
    });
    model
}

/// Runs `puna fetch`, whose last line is the file's path.
fn puna_fetch() -> Result<Option<PathBuf>> {
    let mut command = cargo::cargo();
    command.args([
        "run", "--quiet", "--locked", "-p", "puna-cli", "--", "fetch",
    ]);
    let output = command.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let path = text.lines().last().map(str::trim).map(Path::new);
    let file = path.filter(|path| output.status.success() && path.is_file());
    Ok(file.map(Path::to_owned))
}
