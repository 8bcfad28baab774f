//! `run` and `chat`: text comes out.

use serde_json::Value;

use crate::common::{data, feed, json, keys, list, stdout, succeeded, with_model};

/// What Hugging Face transformers says to the prompt `p1`.
fn golden() -> Value {
    let file = std::fs::read(data("smollm2/smollm2_golden.json")).unwrap();
    serde_json::from_slice::<Value>(&file).unwrap()["p1"].take()
}

#[test]
fn run_goes_on_as_transformers_does() {
    let golden = golden();
    let prompt = golden["prompt"].as_str().unwrap();
    let mut run = with_model("run");
    let report = json(run.args(["-p", prompt, "-n", "6", "--temp", "0", "--exact"]));
    assert_eq!(
        keys(&report),
        [
            "memory",
            "prompt_tokens",
            "stop",
            "text",
            "timings",
            "tokens"
        ]
    );
    assert_eq!(report["prompt_tokens"], golden["ids"]);
    let first: Vec<_> = golden["greedy24_ids"].as_array().unwrap()[..6].to_vec();
    assert_eq!(report["tokens"], Value::from(first));
    let text = report["text"].as_str().unwrap();
    assert!(
        golden["greedy24_text"].as_str().unwrap().starts_with(text),
        "{text}"
    );
    assert_eq!(report["stop"], "length");
    let timings = &report["timings"];
    let wanted = [
        "accepted_tokens",
        "decode_ms",
        "decode_tokens",
        "decode_tps",
        "drafted_tokens",
        "load_ms",
        "prefill_ms",
    ];
    let wanted = [&wanted[..], &["prefill_tokens", "prefill_tps", "ttft_ms"]].concat();
    assert_eq!(keys(timings), wanted);
    assert_eq!(timings["prefill_tokens"], 5);
    assert_eq!(timings["decode_tokens"], 5);
    assert_eq!(timings["drafted_tokens"], 0);
    assert!(timings["ttft_ms"].as_f64() >= timings["prefill_ms"].as_f64());
    let memory = &report["memory"];
    assert_eq!(
        keys(memory),
        [
            "kv_bytes",
            "peak_rss_bytes",
            "rearranged_bytes",
            "scratch_bytes",
            "weights_bytes"
        ]
    );
    // 30 layers, 3 heads of 64, 4096 tokens, keys and values, 4 bytes.
    assert_eq!(memory["kv_bytes"], 30 * 3 * 64 * 4096 * 2 * 4);

    // The same from ids, for a person, on one thread, with a cache of fewer tokens.
    let ids = list(&golden["ids"]);
    let mut run = with_model("run");
    run.args([
        "--tokens", &ids, "-n", "6", "--temp", "0", "--exact", "-t", "1", "-c", "16",
    ]);
    assert_eq!(stdout(&mut run), format!("{text}\n"));
}

#[test]
fn a_stop_string_is_not_shown() {
    let mut run = with_model("run");
    run.args([
        "-p",
        "The capital of France is",
        "-n",
        "6",
        "--temp",
        "0",
        "-c",
        "32",
    ]);
    let report = json(run.args(["--stop", "nowhere", "--stop", "ris"]));
    assert_eq!(report["text"], " Pa");
    assert_eq!(report["stop"], "stop_string");
}

#[test]
fn a_full_context_is_a_length() {
    let full = || {
        let mut run = with_model("run");
        run.args(["-p", "The capital of France is", "-n", "-1", "--temp", "0"]);
        run.args(["-c", "8"]);
        run
    };
    // A person is told; a program reads it.
    let output = full().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("context of 8 tokens is full"), "{said}");
    let report = json(&mut full());
    assert_eq!(report["stop"], "length");
    assert_eq!(report["tokens"].as_array().unwrap().len(), 4);
}

#[test]
fn a_full_context_that_shifts_goes_on() {
    let mut run = with_model("run");
    run.args(["-p", "Once upon a time", "-n", "40", "-c", "32"]);
    let report = json(run.args(["--ignore-eos", "--on-full", "shift", "--keep", "2"]));
    assert_eq!(report["stop"], "length");
    assert_eq!(report["tokens"].as_array().unwrap().len(), 40);
}

#[test]
fn the_same_seed_gives_the_same_text() {
    let text = |seed| {
        let mut run = with_model("run");
        run.args([
            "-p", "Once", "-n", "8", "--temp", "1.5", "-c", "32", "--seed", seed,
        ]);
        stdout(&mut run)
    };
    assert_eq!(text("7"), text("7"));
    assert_ne!(text("7"), text("8"));
}

#[test]
fn chat_answers_once_and_shows_no_special_token() {
    let question = "Hi there";
    let mut chat = with_model("chat");
    let report = json(chat.args(["-p", question, "--temp", "0", "-c", "128"]));
    assert_eq!(report["stop"], "eos");
    let text = report["text"].as_str().unwrap();
    assert!(text.starts_with("Hello"), "{text}");
    assert!(!text.contains("<|"), "{text}");

    let mut piped = with_model("chat");
    let answer = feed(
        piped.args(["--temp", "0", "-c", "128"]),
        &format!("{question}\n"),
    );
    assert_eq!(succeeded(&answer), format!("{text}\n"));

    let mut template = with_model("template");
    let messages = format!(r#"[{{"role": "user", "content": "{question}"}}]"#);
    let rendered = feed(template.args(["--messages", "-", "--json"]), &messages);
    let rendered: Value = serde_json::from_str(&succeeded(&rendered)).unwrap();
    assert_eq!(rendered["tokens"], report["prompt_tokens"]);
}

#[test]
fn a_system_message_is_read() {
    let mut chat = with_model("chat");
    chat.args([
        "-p",
        "Hello",
        "-s",
        "You are a pirate.",
        "-n",
        "0",
        "-c",
        "64",
    ]);
    let report = json(&mut chat);
    let mut detokenize = with_model("detokenize");
    let prompt = stdout(detokenize.args(["--tokens", &list(&report["prompt_tokens"])]));
    assert!(
        prompt.starts_with("<|im_start|>system\nYou are a pirate.<|im_end|>\n"),
        "{prompt}"
    );
    assert!(prompt.ends_with("<|im_start|>assistant\n"), "{prompt}");
}

#[test]
fn a_question_that_does_not_fit_is_told_with_what_can_be_done() {
    let said = crate::common::error(with_model("chat").args(["-p", "Hello", "-c", "8"]));
    assert!(said.contains("room") && said.contains("-c"), "{said}");
}

#[test]
fn logs_go_to_stderr_and_hold_no_prompt() {
    let mut run = with_model("run");
    let output = run
        .args(["-vv", "-p", "Zanzibar", "-n", "2", "-c", "16"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("kernels"), "{said}");
    assert!(said.contains("prompt tokens"), "{said}");
    assert!(!said.contains("Zanzibar"), "{said}");
}
