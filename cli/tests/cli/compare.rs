//! `bench --compare` and `--start`, beside a program that only says what llama-bench would.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::common::{assert_usage, error, json, model, puna, stdout, with_model};

/// A program that takes llama-bench's arguments.
fn fake() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/fake-llama-bench"
    ))
}

fn beside(path: PathBuf) -> String {
    format!("--compare=llama-bench={}", path.display())
}

fn floats(list: &Value) -> Vec<f64> {
    let list = list.as_array().unwrap().iter();
    list.map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn rounds_alternate_and_the_best_setting_is_compared_with() {
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    let mut bench = with_model("bench");
    bench.args(["-p", "8", "-n", "2", "-d", "0,4", "-r", "3", "-t", "1"]);
    bench.args(["-b", "256"]).arg(beside(fake()));
    let report = json(bench.env("CALLS", &calls));
    assert_eq!(report["peer"]["build_commit"], "abc1234");
    assert_eq!(report["cpu"], "A CPU");
    assert_eq!(report["n_threads"], 1);
    assert_eq!(report["file_bytes"], fs::metadata(model()).unwrap().len());
    assert!(!report["isa"].as_str().unwrap().is_empty());

    let tests = report["tests"].as_array().unwrap();
    let names: Vec<&str> = tests.iter().map(|t| t["test"].as_str().unwrap()).collect();
    assert_eq!(names, ["pp8", "tg2", "pp8 @ d4", "tg2 @ d4"]);
    for test in tests {
        let best = &test["peer"][test["best"].as_u64().unwrap() as usize];
        assert_eq!(best["setting"], "-fa 1");
        assert_eq!(floats(&best["samples_ns"]), [1e6; 3]);
        let tokens = test["n_prompt"].as_f64().unwrap() + test["n_gen"].as_f64().unwrap();
        assert_eq!(best["ts"]["median"], tokens * 1e3);
        // Ours are real; the ratio is taken round by round.
        let ours = floats(&test["puna"]["samples_ns"]);
        for (ratio, ns) in floats(&test["ratios"]).iter().zip(&ours) {
            assert!((ratio * ns / 1e6 - 1.0).abs() < 1e-9, "{ratio} of {ns} ns");
        }
        let least = floats(&test["ratios"])
            .into_iter()
            .fold(f64::INFINITY, f64::min);
        assert_eq!(test["ratio"]["least"], least);
        if cfg!(target_os = "linux") {
            // The mapped model is counted.
            let peaks = floats(&test["puna"]["peak_rss_bytes"]);
            assert!(peaks.iter().all(|&peak| peak > 50e6), "{peaks:?}");
        }
    }
    // The slowest setting of three is dropped after a round.
    let deep = tests[3]["peer"].as_array().unwrap();
    let tried: Vec<_> = deep
        .iter()
        .map(|t| {
            (
                t["setting"].as_str().unwrap(),
                floats(&t["samples_ns"]).len(),
            )
        })
        .collect();
    let quantized = "-fa 1 -ctk q8_0 -ctv q8_0";
    assert_eq!(tried, [("-fa 1", 3), (quantized, 3), ("-fa 0", 1)]);

    let calls = fs::read_to_string(calls).unwrap();
    let calls: Vec<&str> = calls.lines().collect();
    // The first words, two tests of two settings, two of three.
    assert_eq!(calls.len(), 1 + 2 * 6 + 2 * 7, "{calls:#?}");
    let last = calls[calls.len() - 1];
    let wanted = ["-r 1 -o json -m ", " -t 1 -ub 256 -p 0 -n 2 -d 4"];
    assert!(wanted.iter().all(|part| last.contains(part)), "{last}");
}

#[test]
fn a_table_tells_both_programs_and_the_starts() {
    let mut bench = with_model("bench");
    bench.args(["-p", "4", "-n", "0", "-r", "2", "-t", "1", "--start"]);
    let text = stdout(bench.arg(beside(fake())));
    for wanted in [
        "llama-bench of llama.cpp abc1234 (build 7)",
        "| pp4 | ",
        " | 4000.00 (4000.00-4000.00) | -fa 1 | ",
        "| warm cache, 16 + 1 tokens | ",
        "| start after 256 tokens | computed s | prewarmed s | ",
        "| warm cache, 16 tokens | ",
        "of 2 rounds",
    ] {
        assert!(text.contains(wanted), "{wanted} in\n{text}");
    }
    let cold = text.contains("| cold cache, ") != text.contains("no start with a cold cache: ");
    assert!(cold, "{text}");
}

#[test]
fn starts_need_no_other_program() {
    let mut bench = with_model("bench");
    bench.args(["-p", "0", "-n", "0", "-r", "2", "-t", "1", "--start"]);
    let report = json(&mut bench);
    assert_eq!(report["peer"], Value::Null);
    assert_eq!(report["tests"], Value::Array(Vec::new()));
    let warm = &report["start"][0];
    assert_eq!(warm["cache"], "warm");
    assert_eq!(warm["ratio"], Value::Null);
    let seconds = warm["puna_s"]["median"].as_f64().unwrap();
    assert!(seconds > 0.0 && seconds < 60.0, "{seconds}");
    assert_eq!(floats(&warm["puna"]["samples_ns"]).len(), 2);
    let warm = &report["prewarm"][0];
    assert_eq!(
        (&warm["cache"], &warm["n_depth"]),
        (&"warm".into(), &256.into())
    );
    for how in ["computed", "prewarmed"] {
        assert_eq!(floats(&warm[how]["samples_ns"]).len(), 2, "{how}");
    }
    // 256 tokens are computed by one of the two alone.
    let ratio = warm["ratio"]["median"].as_f64().unwrap();
    assert!(ratio > 1.0, "{ratio}");
}

#[test]
fn without_a_warm_up_a_test_is_run_once() {
    let mut bench = with_model("bench");
    bench.args(["-p", "16", "-n", "1", "-r", "1", "--no-warmup"]);
    let list = json(&mut bench);
    let tests = list.as_array().unwrap();
    assert_eq!(tests.len(), 2);
    assert!(tests.iter().all(|t| floats(&t["samples_ns"]).len() == 1));
}

#[test]
fn a_program_that_cannot_be_started_is_told() {
    let mut bench = with_model("bench");
    let said = error(bench.args(["-p", "1"]).arg(beside("/nowhere/bench".into())));
    assert!(said.starts_with("llama-bench cannot be started"), "{said}");
    assert!(said.contains("/nowhere/bench"), "{said}");
}

#[test]
fn a_model_that_the_other_program_refuses_is_named() {
    let mut bench = with_model("bench");
    bench.args(["-p", "1", "-n", "0"]).arg(beside(fake()));
    let said = error(bench.env("REFUSE", "3"));
    assert!(said.contains(&model().display().to_string()), "{said}");
    let end = "exit status: 3: error: failed to load model";
    assert!(said.ends_with(end), "{said}");
}

#[test]
fn a_program_that_says_something_else_is_told() {
    let mut bench = with_model("bench");
    let said = error(
        bench
            .args(["-p", "1", "-n", "0"])
            .arg(beside("/bin/echo".into())),
    );
    assert!(said.contains("no list of tests as JSON"), "{said}");
}

#[test]
fn our_own_error_comes_once() {
    let mut bench = puna();
    bench.args(["bench", "-m", "/nowhere/model.gguf"]);
    let said = error(bench.arg(beside(fake())));
    assert!(
        said.starts_with("puna failed on /nowhere/model.gguf"),
        "{said}"
    );
}

#[test]
fn only_known_programs_are_taken() {
    let unknown = ["bench", "-m", "x.gguf", "--compare", "ollama=/bin/ollama"];
    assert_usage(unknown);
    let output = puna().args(unknown).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("known is: llama-bench=PATH"), "{said}");
    assert_usage(["bench", "-m", "x.gguf", "--compare", "llama-bench"]);
    assert_usage(["bench", "-m", "x.gguf", "--compare", "llama-bench="]);
    assert_usage(["bench", "-m", "x.gguf", "--start", "--no-warmup"]);
}
