//! Wrong command lines and wrong files.

use crate::common::{assert_usage, data, error, puna, stdout, with_model};

#[test]
fn a_wrong_command_line_is_exit_2() {
    assert_usage::<&str>([]);
    assert_usage(["fly"]);
    assert_usage(["run", "-m", "x.gguf"]);
    assert_usage(["run", "-p", "text"]);
    assert_usage(["run", "-m", "x.gguf", "-p", "text", "--tokens", "1"]);
    assert_usage(["run", "-m", "x.gguf", "--tokens", "1,b"]);
    assert_usage(["run", "-m", "x.gguf", "-p", "text", "-n", "-2"]);
    assert_usage(["run", "-m", "x.gguf", "-p", "text", "-t", "0"]);
    assert_usage(["run", "-m", "x.gguf", "-p", "text", "--kv", "f8"]);
    assert_usage(["run", "-m", "x.gguf", "-p", "text", "--mirostat", "1"]);
    assert_usage(["run", "-m", "x.gguf", "-p", "text", "--logit-bias", "15043"]);
    assert_usage(["run", "-m", "x.gguf", "-p", "text", "--temp", "-1"]);
    assert_usage(["run", "-m", "x.gguf", "-p", "text", "--top-p", "1.5"]);
    assert_usage(["perplexity", "-m", "x.gguf", "-f", "text", "-c", "3"]);
    assert_usage(["bench", "-m", "x.gguf", "-p", "0", "-n", "0"]);
    assert_usage(["bench", "-m", "x.gguf", "--memory", "--cancel"]);
    assert_usage(["run", "-m", "x.gguf", "-p", "text", "--deadline", "-1"]);
    assert_usage(["run", "-m", "x.gguf", "-p", "text", "--deadline", "soon"]);
    assert_usage(["detokenize", "-m", "x.gguf"]);
}

#[test]
fn help_and_version_are_no_errors() {
    for args in [["--help"], ["--version"]] {
        let output = puna().args(args).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("puna"));
    }
    let commands = [
        "chat",
        "run",
        "tokenize",
        "detokenize",
        "logits",
        "perplexity",
    ];
    for command in commands
        .into_iter()
        .chain(["bench", "template", "inspect", "fetch"])
    {
        let output = puna().args([command, "--help"]).output().unwrap();
        assert!(output.status.success(), "{command}");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("--json"),
            "{command}"
        );
    }
}

#[test]
fn a_file_that_is_no_model_is_named() {
    for command in ["run", "tokenize", "logits"] {
        let args: &[&str] = match command {
            "tokenize" => &["-p", "text"],
            _ => &["--tokens", "1"],
        };
        let said = error(
            puna()
                .arg(command)
                .args(["-m", "/nowhere/model.gguf"])
                .args(args),
        );
        assert!(said.contains("/nowhere/model.gguf"), "{said}");
        let text = data("text/alice-chapter-1.txt");
        let said = error(puna().arg(command).arg("-m").arg(text).args(args));
        assert!(said.contains("alice") && said.contains("magic"), "{said}");
    }
}

#[test]
fn numbers_that_do_not_fit_the_model_are_told() {
    let said = error(with_model("run").args(["--tokens", "49152"]));
    assert!(said.contains("49152"), "{said}");
    let said = error(with_model("detokenize").args(["--tokens", "49152"]));
    assert!(said.contains("49152"), "{said}");
    let said = error(with_model("run").args(["-p", "a", "-c", "10000"]));
    assert!(said.contains("10000") && said.contains("8192"), "{said}");
    let said = error(with_model("run").args(["-p", "one two three four five six", "-c", "4"]));
    assert!(said.contains("context of 4"), "{said}");
    let said = error(with_model("run").args(["-p", "a", "--logit-bias", "49152+1"]));
    assert!(said.contains("49152"), "{said}");
    let said = error(with_model("run").args(["-p", ""]));
    assert!(said.contains("empty"), "{said}");
    let said = error(
        with_model("perplexity")
            .args(["-c", "2048", "-f"])
            .arg(data("text/alice-chapter-1.txt")),
    );
    assert!(said.contains("4096"), "{said}");
}

#[test]
fn nothing_piped_in_is_an_error() {
    let said = error(&mut with_model("chat"));
    assert!(said.contains("stdin is empty"), "{said}");
}

#[test]
fn the_backend_ggml_is_there_only_in_a_build_with_it() {
    let mut run = with_model("run");
    run.args(["-p", "a", "-n", "1", "--backend", "ggml"]);
    if cfg!(any(feature = "ggml", feature = "ggml-system")) {
        assert!(!stdout(&mut run).is_empty());
        return;
    }
    let said = error(&mut run);
    let remedy = "cargo build --release --features ggml";
    assert!(said.contains(remedy), "{said}");
}

#[test]
fn an_unavailable_isa_is_an_error() {
    let said = error(
        with_model("run")
            .args(["-p", "a"])
            .env("PUNA_ISA", "abacus"),
    );
    assert!(
        said.contains("PUNA_ISA") && said.contains("abacus"),
        "{said}"
    );
}
