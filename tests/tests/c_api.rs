//! The C interface as its users have it: the header, the static library and a C compiler.
#![cfg(unix)]

use puna_kernels::WeightType;
use puna_tests::{
    model::default_model,
    tiny::{Shape, Tiny},
};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn ffi() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("ffi")
}

/// Compiles one of ffi/examples/c against the static library, warnings as errors.
fn compile(name: &str, into: &Path) -> PathBuf {
    // This package depends on puna-ffi: cargo has put its libraries where this test is.
    let here = std::env::current_exe().unwrap();
    let library = here.with_file_name("libpuna_ffi.a");
    assert!(library.is_file(), "no {}", library.display());
    let program = into.join(name);
    let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args([
        "-std=c99",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-I",
    ]);
    cc.arg(ffi().join("include"));
    cc.arg(ffi().join("examples/c").join(name).with_extension("c"));
    cc.arg(library).args(["-lpthread", "-ldl", "-lm", "-o"]);
    done(cc.arg(&program));
    program
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{error}",
        output.status
    );
    output
}

#[test]
fn the_example_answers() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile("chat", folder.path());
    let mut chat = Command::new(program);
    let output = done(
        chat.arg(default_model())
            .arg("What is the capital of France?"),
    );
    let answer = String::from_utf8(output.stdout).unwrap();
    assert!(answer.contains("Paris"), "{answer}");
}

#[test]
fn use_and_misuse() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile("check", folder.path());
    let licensed = folder.path().join("licensed.gguf");
    let mut tiny = Tiny::new(Shape::of(WeightType::Q8_0));
    tiny.set("general.license", "llama3.1");
    std::fs::write(&licensed, tiny.bytes()).unwrap();
    let output = done(Command::new(program).arg(default_model()).arg(licensed));
    assert_eq!(output.stdout, b"ok\n");
}

/// Every function of the header is one of the library, and the other way round; and so the numbers of the statuses.
#[test]
fn the_header_and_the_library_say_the_same() {
    let header = std::fs::read_to_string(ffi().join("include/puna.h")).unwrap();
    let source = std::fs::read_to_string(ffi().join("src/c_api.rs")).unwrap();
    let mut declared: Vec<&str> = header
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#']))
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("puna_"))
        .collect();
    let mut defined: Vec<&str> = source
        .lines()
        .filter_map(|line| line.split_once("extern \"C\" fn ")?.1.split('(').next())
        .collect();
    declared.sort_unstable();
    defined.sort_unstable();
    assert!(declared.len() >= 9, "{declared:?}");
    assert_eq!(declared, defined);

    let statuses = |text: &str, prefix: &str| -> Vec<(String, String)> {
        let lines = text.lines().filter_map(|line| {
            let (name, number) = line.trim().split_once(" = ")?;
            let name = name.strip_prefix(prefix)?.replace('_', "").to_lowercase();
            let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
            let is_name = name.chars().all(|c| c.is_ascii_alphabetic());
            (is_name && !digits.is_empty()).then_some((name, digits))
        });
        lines.collect()
    };
    let wanted = statuses(&header, "PUNA_");
    assert_eq!(wanted.len(), 18, "{wanted:?}");
    assert_eq!(wanted, statuses(&source, ""));
}
