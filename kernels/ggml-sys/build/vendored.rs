//! ggml's CPU backend, built for this machine from the source inside a crate.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The crate that carries llama.cpp.
const CARRIER: &str = "llama-cpp-sys-2";

/// Compilers to prefer where `CC` is not set, best first: gcc up to 12 miscompiles ggml's AMX code,
/// and clang has made the faster ggml.
const CLANG: [(&str, &str); 4] = [
    ("clang-19", "clang++-19"),
    ("clang-20", "clang++-20"),
    ("clang-18", "clang++-18"),
    ("clang", "clang++"),
];

/// Builds the libraries and tells cargo to link them; returns where the headers are.
pub fn include_folders() -> Vec<PathBuf> {
    for variable in ["CC", "CXX"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let carrier = carrier_folder();
    let ggml = carrier.join("llama.cpp/ggml");
    assert!(ggml.is_dir(), "{CARRIER} carries no llama.cpp/ggml");
    build(&ggml);
    println!("cargo::rustc-env=PUNA_GGML_ORIGIN={}", origin(&carrier));
    vec![ggml.join("include")]
}

/// The crate with its version, and the compiler by its own words.
fn origin(carrier: &Path) -> String {
    let cc = std::env::var_os("CC").or_else(|| clang().map(|(cc, _)| cc.into()));
    let cc = cc.unwrap_or_else(|| "cc".into());
    let output = Command::new(cc).arg("--version").output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    let first = text.as_deref().and_then(|text| text.lines().next());
    let carrier = carrier.file_name().unwrap_or_default().to_string_lossy();
    format!("{carrier}, {}", first.unwrap_or("an unknown compiler"))
}

/// Where cargo keeps the crate's source: what `cargo metadata` says, which first downloads it, at the
/// version and checksum of Cargo.lock, if it is not there.
fn carrier_folder() -> PathBuf {
    let cargo = std::env::var_os("CARGO").expect("cargo sets CARGO");
    let output = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["metadata", "--locked", "--format-version", "1"])
        .args(["--features", "vendored"])
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == CARRIER);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.unwrap_or_else(|| panic!("cargo metadata knows no {CARRIER}"));
    Path::new(manifest).parent().expect("a folder").to_owned()
}

/// Builds ggml-base and ggml-cpu as ggml is at its best here: all that this CPU has, its own thread
/// pool, optimised whatever the profile.
fn build(ggml: &Path) {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let clang = clang();
    // CMake does not change the compiler of a folder that it has configured.
    let out = out.join(clang.map_or("chosen", |(cc, _)| cc));
    let lib = out.join("lib");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("build");
    let mut config = cmake::Config::new(ours);
    config
        .define("GGML_SOURCE", ggml)
        .out_dir(&out)
        .no_default_flags(true)
        .profile("Release")
        .build_target("ggml-cpu")
        .define("BUILD_SHARED_LIBS", "OFF")
        .define("CMAKE_POSITION_INDEPENDENT_CODE", "ON")
        .define("CMAKE_ARCHIVE_OUTPUT_DIRECTORY", &lib)
        .define("GGML_NATIVE", "ON")
        .define("GGML_LLAMAFILE", "ON")
        .define("GGML_OPENMP", "OFF")
        .define("GGML_CCACHE", "OFF")
        .define("GGML_BUILD_TESTS", "OFF")
        .define("GGML_BUILD_EXAMPLES", "OFF");
    let mut flags = Vec::new();
    // A fused multiply-add in ggml's reference functions would change their last bit. x86-64 without
    // options has none, and the reference is built without; elsewhere it must be told.
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("x86_64") {
        flags.push("-ffp-contract=off");
    }
    if let Some((cc, cxx)) = clang {
        config.define("CMAKE_C_COMPILER", cc);
        config.define("CMAKE_CXX_COMPILER", cxx);
    } else if miscompiles_amx() {
        println!(
            "cargo::warning=ggml is built WITHOUT AMX: this gcc miscompiles it. Install clang for a \
             fair comparison on a CPU that has AMX."
        );
        flags.extend(["-mno-amx-tile", "-mno-amx-int8", "-mno-amx-bf16"]);
    }
    // The environment's flags stay: cmake reads them where these are not defined.
    for (variable, name) in [("CFLAGS", "CMAKE_C_FLAGS"), ("CXXFLAGS", "CMAKE_CXX_FLAGS")] {
        let theirs = std::env::var(variable).unwrap_or_default();
        config.define(name, format!("{theirs} {}", flags.join(" ")));
    }
    config.build();
    println!("cargo::rustc-link-search=native={}", lib.display());
    for name in ["ggml-cpu", "ggml-base"] {
        println!("cargo::rustc-link-lib=static={name}");
    }
    let apple = std::env::var("CARGO_CFG_TARGET_VENDOR").as_deref() == Ok("apple");
    println!(
        "cargo::rustc-link-lib={}",
        if apple { "c++" } else { "stdc++" }
    );
}

/// The clang to build with, if there is one and the user has chosen no other compiler.
fn clang() -> Option<(&'static str, &'static str)> {
    if std::env::var_os("CC").is_some() || std::env::var_os("CXX").is_some() {
        return None;
    }
    CLANG.into_iter().find(|(cc, cxx)| runs(cc) && runs(cxx))
}

fn runs(program: &str) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

/// Whether the C compiler is a gcc of at most version 12 for x86-64.
fn miscompiles_amx() -> bool {
    let cc = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let say = |arg: &str| {
        let output = Command::new(&cc).arg(arg).output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let is_clang = say("--version").is_some_and(|text| text.contains("clang"));
    let major = say("-dumpversion").and_then(|text| {
        text.trim()
            .split('.')
            .next()
            .and_then(|n| n.parse::<u32>().ok())
    });
    let x86 = std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64");
    x86 && !is_clang && major.is_some_and(|major| major <= 12)
}
