//! The sizes as a table: on the screen, and recorded for readers.

use super::elf::Library;
use super::size::Shares;
use crate::cargo;
use anyhow::Result;
use serde_json::json;
use std::fmt::Write as _;
use std::fs;

/// Crates below this are summed up.
const LEAST: u64 = 4_000;

/// Prints the table.
pub fn print(bytes: u64, library: &Library, shares: &Shares) {
    println!("{}", table(bytes, shares));
    println!("imports: {}", library.imports.join(" "));
}

/// Writes the page and its data.
///
/// # Errors
/// A file could not be written.
pub fn record(bytes: u64, library: &Library, shares: &Shares) -> Result<()> {
    let dir = cargo::root().join("docs/benchmarks");
    let page = format!(
        "# What the library weighs on Android\n\n\
         `cargo xtask size --record` writes this page. The release library of core and ffi in their default features for \
         `{}`, linked by LLVM 22 with stubs of the phone's libraries (so without the unwinder that Android's tools add, \
         some 100 kB), whole-program optimisation on.\n\n{}\n\
         It needs {}, imports {} names of them and exports {}.\n",
        super::TARGET,
        table(bytes, shares),
        library.needed.join(", "),
        library.imports.len(),
        library.exports.len(),
    );
    fs::write(dir.join("android-size.md"), page)?;
    let data = json!({
        "bytes": bytes,
        "crates": shares.crates,
        "sections": shares.sections,
        "needed": library.needed,
        "imports": library.imports,
        "exports": library.exports,
    });
    let text = serde_json::to_string_pretty(&data)? + "\n";
    Ok(fs::write(dir.join("android-size.json"), text)?)
}

fn table(bytes: u64, shares: &Shares) -> String {
    let mut text = format!("| of the stripped file | bytes |\n|---|---:|\n| all | {bytes} |\n");
    let mut small = 0;
    let lines = shares
        .crates
        .iter()
        .map(|(name, bytes)| (format!("crate `{name}`"), bytes));
    let sections = shares
        .sections
        .iter()
        .map(|(name, bytes)| (format!("section `{name}` besides"), bytes));
    for (name, bytes) in lines.chain(sections) {
        if *bytes < LEAST {
            small += bytes;
        } else {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {name} | {bytes} |");
        }
    }
    let _ = writeln!(text, "| others, each below {LEAST} | {small} |");
    text
}
