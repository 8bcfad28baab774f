//! Running a guest under the plugin.

use crate::cross::{LIBRARIES, QEMU};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::Command;

/// An instruction and how often it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub address: u64,
    pub word: u32,
    pub count: u64,
}

/// The status by which a guest says that there is no such function.
const NO_SUCH_FUNCTION: i32 = 3;

/// What the marked region of a guest executes, by address; `None` if the guest has no such function.
///
/// The guest sees no environment and a path that is the same everywhere: both are on its stack and would
/// move what lies below.
pub fn run(plugin: &Path, guest: &Path, args: &[&str]) -> Result<Option<Vec<Step>>> {
    let folder = guest.parent().context("a guest lies in a folder")?;
    let name = guest.file_name().context("a guest has a name")?;
    let mut command = Command::new(
        crate::apt::find_program(QEMU).with_context(|| format!("{QEMU} is not installed"))?,
    );
    command
        .env_clear()
        .current_dir(folder)
        .args(["-L", LIBRARIES, "-cpu", "max", "-plugin"])
        .arg(plugin)
        .arg(Path::new(".").join(name))
        .args(args);
    let output = command
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    match output.status.code() {
        Some(0) => {}
        Some(NO_SUCH_FUNCTION) => return Ok(None),
        _ => bail!(
            "{command:?}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    }
    parse(std::str::from_utf8(&output.stdout)?)
        .map(Some)
        .with_context(|| format!("{command:?}"))
}

/// The names that our guest lists.
pub fn types(guest: &Path) -> Result<Vec<String>> {
    let mut command = Command::new(QEMU);
    let text = crate::cargo::output(command.args(["-L", LIBRARIES]).arg(guest))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Instructions executed in all.
pub fn total(steps: &[Step]) -> u64 {
    steps.iter().map(|step| step.count).sum()
}

/// Reads the plugin's lines, which end with `end`.
fn parse(text: &str) -> Result<Vec<Step>> {
    let body = text.strip_suffix("end\n");
    let body = body.context("the guest reached no end mark, or the plugin could not count")?;
    let step = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [address, word, count] = words[..] else {
            return None;
        };
        Some(Step {
            address: u64::from_str_radix(address, 16).ok()?,
            word: u32::from_str_radix(word, 16).ok()?,
            count: count.parse().ok()?,
        })
    };
    let steps: Option<Vec<Step>> = body.lines().map(step).collect();
    let steps = steps.context("a line that is not `address word count`")?;
    ensure!(!steps.is_empty(), "nothing was executed between the marks");
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugins_lines_are_read_to_the_end() {
        let steps = parse("5500001000 d503201f 7\n5500001004 54ffef21 65536\nend\n");
        let steps = steps.expect("two lines");
        assert_eq!(total(&steps), 65543);
        assert_eq!(
            (steps[1].address, steps[1].word),
            (0x55_0000_1004, 0x54ff_ef21)
        );
    }

    #[test]
    fn a_cut_or_empty_or_other_text_is_an_error() {
        for text in [
            "",
            "end\n",
            "10 d503201f 7\n",
            "10 d503201f\nend\n",
            "10 x 7\nend\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
