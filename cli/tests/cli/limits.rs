//! Limits of memory and of time.

use std::process::Command;

use serde_json::Value;

use crate::common::{json, with_model};

/// `puna` by a shell that allows it so many KiB of address space.
#[cfg(target_os = "linux")]
fn with_address_space(kib: u64, puna: &Command) -> Command {
    let mut shell = Command::new("sh");
    let script = format!("ulimit -v {kib} && exec \"$0\" \"$@\"");
    shell.args(["-c", &script]).arg(puna.get_program());
    shell
        .args(puna.get_args())
        .stdin(std::process::Stdio::null());
    shell
}

#[test]
#[cfg(target_os = "linux")]
fn a_context_that_does_not_fit_is_refused_with_the_longest_that_would() {
    let run = |ctx: &str, flags: &[&str]| {
        let mut puna = with_model("run");
        puna.args([
            "--tokens", "1", "-n", "1", "-t", "1", "--kv", "f32", "-c", ctx,
        ]);
        puna.args(flags);
        with_address_space(450_000, &puna)
    };
    for command in ["run", "chat"] {
        let mut puna = with_model(command);
        puna.args(["-p", "Hello", "-t", "1", "--kv", "f32", "-c", "8192"]);
        let said = crate::common::error(&mut with_address_space(450_000, &puna));
        let numbers: Vec<u64> = said
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        let [n_ctx, needs, has, largest] = numbers[..] else {
            panic!("{said}");
        };
        assert_eq!(n_ctx, 8_192);
        assert!(needs > has && largest > 0 && largest < n_ctx, "{said}");
    }
    assert!(run("256", &[]).output().unwrap().status.success());
    // What happens then is the system's affair.
    let output = run("8192", &["--no-fit-check"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("does not fit"), "{said}");
}

#[test]
fn an_answer_ends_at_its_deadline_with_what_there_is() {
    for command in ["run", "chat"] {
        let mut puna = with_model(command);
        puna.args([
            "-p",
            "Once upon a time",
            "-n",
            "-1",
            "--ignore-eos",
            "--json",
        ]);
        let output = puna.args(["--deadline", "1.5"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(124), "{said}");
        assert!(said.contains("deadline"), "{said}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["stop"], "deadline");
    }
    let mut puna = with_model("run");
    puna.args(["-p", "Once", "-n", "1", "--deadline", "3600"]);
    assert_eq!(json(&mut puna)["stop"], "length");
}

#[test]
#[cfg(target_os = "linux")]
fn the_peak_is_the_file_the_cache_and_little_more() {
    let mut puna = with_model("bench");
    let report = json(puna.args(["--memory", "-p", "512", "-t", "2"]));
    let report = &report[0];
    let bytes = |key: &str| report[key].as_u64().unwrap();
    // 30 layers, 3 heads of 64, keys and values of 2 bytes.
    assert_eq!(bytes("kv_bytes"), 30 * 3 * 64 * 512 * 2 * 2);
    assert_eq!(bytes("file_bytes"), 98_362_432);
    let both = bytes("file_bytes") + bytes("kv_bytes");
    assert_eq!(bytes("bound_bytes"), both + both / 20 + 30_000_000);
    // Every weight was read and every row of the cache written, or nothing was measured.
    assert!(bytes("peak_rss_bytes") > both, "{report}");
    assert_eq!(report["within"], true, "{report}");
}

#[test]
fn a_cancel_is_measured() {
    let mut puna = with_model("bench");
    let report = json(puna.args(["--cancel", "-p", "64", "-n", "0", "-r", "3"]));
    let report = &report[0];
    assert_eq!(report["test"], "pp64");
    let samples = report["samples_ms"].as_array().unwrap();
    assert!(samples.len() <= 3 && report["whole_ms"].as_f64() > Some(0.0));
}
