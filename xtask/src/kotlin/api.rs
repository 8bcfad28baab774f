//! The wrapper's public API as a list, so that a change of it is always seen.

use crate::cargo;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The public classes in the folders and their public members, as the JVM sees them.
pub fn list(folders: &[&Path], class_path: &str) -> Result<String> {
    let mut classes = Vec::new();
    for folder in folders {
        for file in super::files(folder, "class")? {
            let name = file.strip_prefix(folder)?.with_extension("");
            let name = name.to_str().context("a class has a name")?;
            classes.push(name.replace('/', "."));
        }
    }
    classes.sort();
    let mut javap = Command::new("javap");
    javap.args(["-public", "-cp", class_path]).args(&classes);
    Ok(public(&cargo::output(&mut javap)?))
}

/// What an app can call, of what `javap` prints: without what the compiler made for itself.
fn public(text: &str) -> String {
    let made = |line: &str| {
        // Names that are internal to the module, defaults of arguments, classes without names.
        line.contains("$puna")
            || line.contains("access$")
            || line.contains("DefaultConstructorMarker")
    };
    let mut api = String::new();
    let mut class: Option<String> = None;
    for line in text
        .lines()
        .filter(|line| !line.starts_with("Compiled from"))
    {
        match &mut class {
            None if line.starts_with("public ") && line.ends_with('{') && !is_nameless(line) => {
                class = Some(format!("{line}\n"));
            }
            None => {}
            Some(lines) if line == "}" => {
                lines.push_str("}\n\n");
                api.extend(class.take());
            }
            Some(lines) if !made(line) => {
                lines.push_str(line);
                lines.push('\n');
            }
            Some(_) => {}
        }
    }
    api
}

/// Whether the compiler made the class of this line: its own name begins with no capital, or is that of its tables.
fn is_nameless(line: &str) -> bool {
    let name = line.split(' ').find(|word| word.contains('.'));
    let inner = name.unwrap_or_default().split('$').skip(1);
    inner
        .into_iter()
        .any(|name| name == "WhenMappings" || !name.starts_with(|c: char| c.is_uppercase()))
}

/// Compares the API with the recorded one, or records it. `task` is the chore that does so.
pub fn compare(api: &str, recorded: &Path, record: bool, task: &str) -> Result<()> {
    if record {
        fs::create_dir_all(recorded.parent().context("it is in a folder")?)?;
        return Ok(fs::write(recorded, api)?);
    }
    let old = fs::read_to_string(recorded)
        .with_context(|| format!("reading {}; --record-api writes it", recorded.display()))?;
    if old == api {
        return Ok(());
    }
    let only = |a: &str, b: &str, sign: char| {
        let lines = a
            .lines()
            .filter(|line| !b.lines().any(|other| other == *line));
        lines
            .map(|line| format!("{sign}{line}\n"))
            .collect::<String>()
    };
    bail!(
        "the public API is another than {} says; if that is meant: cargo xtask {task} --record-api\n{}{}",
        recorded.display(),
        only(&old, api, '-'),
        only(api, &old, '+'),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_an_error_that_shows_it() {
        let folder = std::env::temp_dir().join(format!("puna-api-{}", std::process::id()));
        let file = folder.join("a.api");
        compare("f()\ng()\n", &file, true, "kotlin").expect("it is recorded");
        compare("f()\ng()\n", &file, false, "kotlin").expect("it is the same");
        let error = compare("f()\nh()\n", &file, false, "kotlin").expect_err("it is not");
        let text = error.to_string();
        assert!(
            text.contains("-g()\n+h()\n") && !text.contains("-f()"),
            "{text}"
        );
        fs::remove_dir_all(folder).expect("it was made");
    }

    #[test]
    fn what_is_internal_is_left_out() {
        let text = "Compiled from \"A.kt\"\npublic final class A {\n  public void f();\n  public void g$puna();\n}\n\
                    final class B {\n  public void f();\n}\n\
                    public final class a.A$f$1 {\n  public void f();\n}\n";
        assert_eq!(
            public(text),
            "public final class A {\n  public void f();\n}\n\n"
        );
    }
}
