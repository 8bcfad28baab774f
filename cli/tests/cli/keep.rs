//! Conversations that outlive the process.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::common::{assert_usage, error, json, with_model};

/// One answer of 8 tokens.
fn ask(question: &str, more: &[&str], path: &Path) -> Command {
    let mut chat = with_model("chat");
    chat.args(["-p", question, "-n", "8", "--temp", "0"]);
    chat.args(more).arg(path);
    chat
}

fn prefilled(report: &Value) -> u64 {
    report["timings"]["prefill_tokens"].as_u64().unwrap()
}

#[test]
fn a_journal_goes_on_in_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let first = json(&mut ask(
        "My name is Ann. Who are you?",
        &["--journal"],
        &journal,
    ));
    let second = json(&mut ask("And what is my name?", &["--journal"], &journal));
    // Nothing of the first turn is computed again.
    assert!(prefilled(&second) < prefilled(&first), "{second}");

    // The same two turns with a saved state between.
    let state = dir.path().join("state");
    let again = json(&mut ask(
        "My name is Ann. Who are you?",
        &["--save"],
        &state,
    ));
    assert_eq!(again["text"], first["text"]);
    let again = json(&mut ask("And what is my name?", &["--restore"], &state));
    assert_eq!(again["text"], second["text"]);
    assert_eq!(prefilled(&again), prefilled(&second));
}

#[test]
fn a_prewarmed_start_computes_the_words_alone() {
    let dir = tempfile::tempdir().unwrap();
    // Exact: the tier `amx-bf16` has other bits for many tokens together than for the same in parts.
    let cold = ["-p", "Who are you?", "-n", "8", "--temp", "0", "--exact"];
    let cold = json(with_model("chat").args(cold));
    for _ in 0..2 {
        let more = ["--exact", "--prewarm-dir"];
        let warm = json(&mut ask("Who are you?", &more, dir.path()));
        assert_eq!(warm["text"], cold["text"]);
        assert!(prefilled(&warm) < prefilled(&cold), "{warm}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

#[test]
fn what_cannot_be_gone_on_with_is_said_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    std::fs::write(&state, "no state").unwrap();
    let says = error(&mut ask("Hello", &["--restore"], &state));
    assert!(says.ends_with("not a file of a saved state"), "{says}");
    json(&mut ask("Hello", &["--save"], &state));
    let says = error(&mut ask("Hello", &["--kv", "q8_0", "--restore"], &state));
    assert!(says.ends_with("a f16 cache, wanted q8_0"), "{says}");
    assert_usage(["chat", "--restore", "a", "--journal", "b"]);
}
