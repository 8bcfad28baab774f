//! Starting `puna` and looking at what it said.

use std::{
    ffi::OsStr,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// `puna` with nothing on stdin.
pub fn puna() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_puna"));
    command
        .stdin(Stdio::null())
        .env_remove("RUST_LOG")
        .env_remove("PUNA_ISA");
    command
}

/// Path of the default model.
pub fn model() -> PathBuf {
    std::env::var_os("PUNA_TEST_MODEL").map(PathBuf::from).expect(
        "PUNA_TEST_MODEL must name the default model: use `cargo xtask test`, or set it to what \
         `puna fetch` prints",
    )
}

/// A file of the workspace's `tests/data`.
pub fn data(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data")).join(file)
}

/// A command with the default model.
pub fn with_model(command: &str) -> Command {
    let mut puna = puna();
    puna.arg(command).arg("-m").arg(model());
    puna
}

/// Runs to the end, feeding `input`.
pub fn feed(command: &mut Command, input: &str) -> Output {
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

/// Stdout of a command that must succeed and say nothing on stderr.
pub fn stdout(command: &mut Command) -> String {
    succeeded(&command.output().unwrap())
}

/// Stdout of what must have succeeded and said nothing on stderr.
pub fn succeeded(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {errors}", output.status);
    assert_eq!(errors, "");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The JSON that a command prints: one line.
pub fn json(command: &mut Command) -> Value {
    let text = stdout(command.arg("--json"));
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// The keys of an object, sorted.
pub fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

/// `[1, 2]` as `1,2`.
pub fn list(ids: &Value) -> String {
    let ids = ids.as_array().unwrap().iter().map(Value::to_string);
    ids.collect::<Vec<_>>().join(",")
}

/// The one line that a failed command says, after `error: `.
pub fn error(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(output.stdout, b"");
    let line = errors.strip_suffix('\n').unwrap_or(&errors);
    assert!(!line.contains('\n'), "{errors}");
    line.strip_prefix("error: ").expect(line).to_owned()
}

/// Asserts that clap, or the command itself, refuses the arguments.
pub fn assert_usage<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) {
    let output = puna().args(args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("--help"), "{errors}");
    assert_eq!(output.stdout, b"");
}
