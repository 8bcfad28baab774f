//! Signals and pipes.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::common::with_model;

fn piped(command: &mut Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for the first byte of the answer.
fn first_byte(child: &mut Child) -> u8 {
    let mut byte = [0];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut byte)
        .unwrap();
    byte[0]
}

/// An answer without an end, for as much of it as a test wants.
fn endless(command: &str) -> Command {
    let mut puna = with_model(command);
    puna.args([
        "-p",
        "Once upon a time",
        "-n",
        "-1",
        "--ignore-eos",
        "--temp",
        "0",
    ]);
    puna
}

#[test]
fn ctrl_c_ends_the_answer_with_what_there_is() {
    for command in ["run", "chat"] {
        let mut child = piped(&mut endless(command));
        let first = first_byte(&mut child);
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = [&[first], output.stdout.as_slice()].concat();
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(
            String::from_utf8(text).unwrap().ends_with('\n'),
            "{command}"
        );
        assert_eq!(output.stderr, b"", "{command}");
    }
}

#[test]
fn ctrl_c_leaves_the_json_whole() {
    let mut child = piped(endless("run").args(["--json", "-v"]));
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = log.find(|line| line.as_ref().unwrap().contains("tokens in"));
    assert!(said.is_some(), "it says when it has read the prompt");
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["stop"], "cancelled");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child = piped(&mut endless("run"));
    first_byte(&mut child);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let full = std::fs::File::create("/dev/full").unwrap();
    let mut tokenize = with_model("tokenize");
    let output = tokenize.args(["-p", "text"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: cannot write to stdout"), "{said}");
}
