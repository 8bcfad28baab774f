//! `--draft`: the same text, whoever guesses.

use serde_json::Value;

use crate::common::{assert_usage, error, json, keys, model, stdout, with_model};

/// A list that the model goes on with as it began.
const LIST: &str =
    "Red, green, blue, yellow, orange.\nRed, green, blue, yellow, orange.\nRed, green,";

#[test]
fn the_same_text_comes_with_guesses() {
    let model = model();
    let model = model.to_str().unwrap();
    for sampling in [
        &["--temp", "0"][..],
        &["--temp", "0.5", "--seed", "4", "--repeat-penalty", "1.05"],
    ] {
        let report = |draft: &[&str]| {
            let mut run = with_model("run");
            run.args(["-p", LIST, "-n", "20", "-c", "64"])
                .args(sampling)
                .args(draft);
            json(&mut run)
        };
        let plain = report(&[]);
        for draft in ["lookup", model] {
            let guessed = report(&["--draft", draft]);
            assert_eq!(guessed["tokens"], plain["tokens"], "{draft}");
            assert_eq!(guessed["text"], plain["text"]);
            assert_eq!(guessed["stop"], plain["stop"]);
            let count = |key: &str| guessed["timings"][key].as_u64().unwrap();
            assert!(count("accepted_tokens") <= count("drafted_tokens"));
        }
    }
    // Through a context that is too short for the answer.
    let made = |draft: &[&str]| {
        let mut run = with_model("run");
        run.args(["-p", LIST, "-n", "40", "-c", "48", "--temp", "0"]);
        json(run.args(["--on-full", "shift", "--ignore-eos"]).args(draft))["tokens"].clone()
    };
    let plain = made(&[]);
    assert_eq!(plain.as_array().unwrap().len(), 40);
    for draft in ["lookup", model] {
        assert_eq!(made(&["--draft", draft]), plain, "{draft}");
    }
    let mut chat = with_model("chat");
    chat.args(["-p", "Hi there", "--temp", "0", "-c", "128"]);
    let plain = stdout(&mut chat);
    assert_eq!(stdout(chat.args(["--draft", "lookup"])), plain);
}

#[test]
fn another_vocabulary_is_refused_by_name() {
    // A vocabulary alone, which is no model.
    let other = crate::common::data("vocab/gpt-2.gguf.gz");
    let mut run = with_model("run");
    let said = error(run.args(["-p", "x", "-c", "16", "--draft"]).arg(&other));
    assert!(said.contains("gpt-2"), "{said}");
    let missing = error(with_model("run").args(["-p", "x", "-c", "16", "--draft", "nowhere.gguf"]));
    assert!(missing.contains("nowhere.gguf"), "{missing}");
    assert_usage(["bench", "-m", "x", "--draft", "lookup", "--start"]);
}

#[test]
fn bench_makes_both_texts_in_both_ways() {
    let mut bench = with_model("bench");
    let list = json(bench.args(["--draft", "lookup", "-n", "6", "-r", "1", "--no-warmup"]));
    let tests = list.as_array().unwrap();
    let tasks: Vec<_> = tests.iter().map(|t| t["task"].as_str().unwrap()).collect();
    assert_eq!(tasks, ["edit", "prose"]);
    for test in tests {
        let wanted = [
            "accepted", "draft_ts", "drafted", "n_gen", "n_prompt", "n_tokens", "plain_ts",
            "ratio", "task",
        ];
        assert_eq!(keys(test), wanted);
        assert_eq!(test["n_gen"], 6);
        assert!(test["n_tokens"].as_u64().unwrap() <= 6);
        let median = |key: &str| test[key]["median"].as_f64().unwrap();
        let ratio = median("draft_ts") / median("plain_ts");
        assert!((ratio / median("ratio") - 1.0).abs() < 1e-6, "{test}");
    }
    assert_ne!(tests[0]["n_prompt"], Value::from(0));
}
