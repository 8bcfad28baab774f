//! No log, no error and no panic tells what was said.

use std::{fs, process::Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{data, feed, puna, with_model};

/// Words that no source, model or system has in its logs.
const SECRETS: [&str; 4] = ["quizzaciously", "Xylographer", "zorblatt", "mumpsimus"];

/// What a command tells besides its answer must not have a secret word in it, nor a word of the answer.
fn assert_silent(what: &str, output: &Output, answer: &str) {
    let told = String::from_utf8_lossy(&output.stderr).to_lowercase();
    for secret in SECRETS {
        assert!(
            !told.contains(&secret.to_lowercase()),
            "{what}: {secret}: {told}"
        );
    }
    // Short words, and those that the program itself says, prove nothing.
    let words = answer
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| word.len() > 6);
    for word in words.map(str::to_lowercase) {
        let found = told.split(|c: char| !c.is_alphabetic()).any(|w| w == word);
        assert!(!found, "{what}: {word}: {told}");
    }
}

#[test]
fn the_log_of_a_chat_has_no_word_of_it() {
    for question in [
        "What does quizzaciously mean?",
        "Greet the Xylographer zorblatt by name, please.",
        "Write a poem about the mumpsimus in the forest.",
    ] {
        let args = ["-p", question, "-n", "24", "--json", "-t", "1"];
        let output = with_model("chat")
            .args(args)
            .env("RUST_LOG", "trace")
            .output()
            .unwrap();
        assert!(output.status.success());
        let told = String::from_utf8_lossy(&output.stderr);
        // There is a log at all.
        assert!(told.contains("DEBUG"), "{told}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_silent(question, &output, report["text"].as_str().unwrap());
        // Nor its tokens, as numbers.
        for ids in [&report["tokens"], &report["prompt_tokens"]] {
            let ids: Vec<String> = ids
                .as_array()
                .unwrap()
                .iter()
                .map(Value::to_string)
                .collect();
            for three in ids.windows(3) {
                for between in [", ", ",", " "] {
                    assert!(
                        !told.contains(&three.join(between)),
                        "{question}: {three:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn errors_have_no_word_of_the_prompt() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let secret = SECRETS.join(" ");
    let long = secret.repeat(30);
    let run = |command: &str, args: &[&str]| {
        let mut command = with_model(command);
        command
            .args(args)
            .env("RUST_LOG", "trace")
            .output()
            .unwrap()
    };
    let mut told = Vec::new();
    told.push(("context too small", run("run", &["-p", &long, "-c", "16"])));
    told.push((
        "context too small for a chat",
        run("chat", &["-p", &long, "-c", "64"]),
    ));
    told.push((
        "perplexity of too little",
        run(
            "perplexity",
            &["-f", file("text", &secret).to_str().unwrap()],
        ),
    ));
    let broken = [
        ("no JSON", format!("[{secret}")),
        ("a list of texts", format!("[{secret:?}]")),
        (
            "content of another type",
            format!("[{{\"role\": \"user\", \"content\": [{secret:?}]}}]"),
        ),
        (
            "fields of other types",
            format!("[{{\"role\": {{\"{secret}\": 1}}, \"content\": {secret:?}}}]"),
        ),
        ("a text alone", format!("{secret:?}")),
    ];
    for (what, messages) in &broken {
        let messages = file("messages.json", messages);
        told.push((
            what,
            run("template", &["--messages", messages.to_str().unwrap()]),
        ));
    }
    let messages = file(
        "messages.json",
        &format!("[{{\"role\": \"user\", \"content\": {secret:?}}}]"),
    );
    for (what, template) in [
        (
            "a template that raises",
            "{{ raise_exception(messages[0].content) }}",
        ),
        (
            "a template that raises a part",
            "{{ raise_exception('no: ' + messages[0].content[3:]) }}",
        ),
        (
            "a filter by that name",
            "{{ messages | selectattr(messages[0].content) | list }}",
        ),
        ("arithmetic", "{{ messages[0].content - 1 }}"),
        ("a number", "{{ range(messages[0].content) }}"),
    ] {
        let template = file("template.jinja", template);
        let args = [
            "--messages",
            messages.to_str().unwrap(),
            "--template",
            template.to_str().unwrap(),
        ];
        told.push((what, run("template", &args)));
    }
    for (what, output) in told {
        println!(
            "{what}: {}",
            String::from_utf8_lossy(&output.stderr)
                .lines()
                .last()
                .unwrap_or_default()
        );
        if what != "a filter by that name" {
            assert_eq!(output.status.code(), Some(1), "{what}");
        }
        assert_silent(what, &output, "");
    }
}

#[test]
fn text_that_is_no_utf_8_is_refused_without_it() {
    let mut bytes = SECRETS.join(" ").into_bytes();
    bytes.push(0xff);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("text");
    fs::write(&path, bytes).unwrap();
    let mut command = puna();
    command
        .args(["tokenize", "-m"])
        .arg(data("../../../nowhere.gguf"))
        .arg("-f")
        .arg(&path);
    assert_silent("no model", &feed(&mut command, ""), "");
    let output = with_model("tokenize")
        .arg("-f")
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_silent("no UTF-8", &output, "");
}
