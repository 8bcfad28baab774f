//! The house rules that a compiler does not check: which package may know which, what the default
//! build pulls in, how long a file may be, and where `unsafe` may stand.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Package → the packages of this workspace that it may depend on, in any way. `None`: all.
const ARROWS: [(&str, Option<&[&str]>); 9] = [
    ("puna-kernels", Some(&[])),
    // Nothing but the tests and one feature of puna-core may know it: it is C++.
    ("puna-ggml-sys", Some(&[])),
    ("puna-core", Some(&["puna-kernels", "puna-ggml-sys"])),
    ("puna-ffi", Some(&["puna-core"])),
    // Reads the library's file, not its package.
    ("puna-bindgen", Some(&[])),
    ("puna-cli", Some(&["puna-core"])),
    ("puna-tests", None),
    ("xtask", Some(&[])),
    // Loaded by an emulator that `xtask` starts.
    ("puna-icount", Some(&[])),
];

/// The arrows that only a feature may draw.
const OPTIONAL: [(&str, &str); 1] = [("puna-core", "puna-ggml-sys")];

/// What the runtime, `puna-core` and all below it, must not need: a C or C++ compiler, an async
/// runtime, a language binding, the network.
const UNWANTED: [&str; 20] = [
    "async-executor",
    "async-std",
    "bindgen",
    "cc",
    "cmake",
    "compio",
    "cxx",
    "cxx-build",
    "glommio",
    "hyper",
    "jni",
    "monoio",
    "nasm-rs",
    "puna-ggml-sys",
    "reqwest",
    "smol",
    "socket2",
    "tokio",
    "uniffi",
    "ureq",
];

/// Files, and folders ending in `/`, that may say `unsafe`, and for what.
const UNSAFE: [(&str, &str); 13] = [
    (
        "core/src/gguf/map.rs",
        "maps a file, duplicates a descriptor",
    ),
    (
        "core/src/pool/",
        "lends the caller's closure to the workers while it waits, and keeps their columns apart",
    ),
    (
        "ffi/src/android.rs",
        "is called by a Java virtual machine, writes the phone's log",
    ),
    ("ffi/src/c_api.rs", "takes pointers from C"),
    (
        "kernels/examples/arm_cost.rs",
        "marks a region by a hint, in asm",
    ),
    ("kernels/ggml-sys/src/", "calls C"),
    ("kernels/src/aarch64/", "loads from sized arrays, asm"),
    ("kernels/src/dispatch.rs", "calls what the table chose"),
    ("kernels/src/scalar/mod.rs", "signatures of the table"),
    (
        "kernels/src/tile.rs",
        "rows of one matrix, written by several threads",
    ),
    ("kernels/src/x86_64/", "loads from sized arrays, asm"),
    (
        "tests/benches/compare/peak.rs",
        "asm: the machine's peak, which no compiler may change",
    ),
    ("xtask/icount/src/", "QEMU's plugin interface"),
];

/// More lines than this are worth a question.
const LONG_FILE: usize = 500;
/// More are refused.
const TOO_LONG_FILE: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the workspace")
}

/// A dependency of one of the workspace's packages.
struct Dependency {
    name: String,
    kind: String,
    optional: bool,
}

/// What `cargo metadata` says of the workspace's packages: name → dependencies.
fn dependencies() -> BTreeMap<String, Vec<Dependency>> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("normal").to_owned();
    let list = |value: &serde_json::Value| value.as_array().expect("an array").clone();
    let package = |package: &serde_json::Value| {
        let dependencies = list(&package["dependencies"]).into_iter();
        let named = dependencies.map(|d| Dependency {
            name: text(&d["name"]),
            kind: text(&d["kind"]),
            optional: d["optional"] == true,
        });
        (text(&package["name"]), named.collect())
    };
    list(&metadata["packages"]).iter().map(package).collect()
}

#[test]
fn arrows_point_downwards() {
    let packages = dependencies();
    let names: BTreeSet<&str> = packages.keys().map(String::as_str).collect();
    let placed: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, placed, "every package has a place in ARROWS");
    for (from, allowed) in ARROWS {
        let Some(allowed) = allowed else { continue };
        for Dependency {
            name,
            kind,
            optional,
        } in &packages[from]
        {
            let to = name.as_str();
            let ok = !names.contains(to) || allowed.contains(&to);
            assert!(ok, "{from} → {to} ({kind}) is not one of the arrows");
            let ok = *optional || !OPTIONAL.contains(&(from, to));
            assert!(ok, "{from} → {to} ({kind}) must be optional");
        }
    }
}

#[test]
fn the_runtime_needs_no_c_compiler_no_async_runtime_and_no_network() {
    // Cargo.lock knows every platform's packages; it does not say which are for tests or which are
    // optional, but of these it lists only those of the workspace itself, left out here. What the
    // default features add to them, the tests below see.
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    let lock: toml::Table = lock.parse().expect("TOML");
    let text = |value: &toml::Value| value.as_str().expect("a string").to_owned();
    let first_word = |value: &toml::Value| text(value).split(' ').next().map(str::to_owned);
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in lock["package"].as_array().expect("packages") {
        let list = package.get("dependencies").and_then(toml::Value::as_array);
        let list = list.into_iter().flatten().filter_map(first_word);
        needs
            .entry(text(&package["name"]))
            .or_default()
            .extend(list);
    }
    for (package, dependencies) in dependencies() {
        let needed = dependencies.into_iter();
        let needed = needed.filter(|d| d.kind != "dev" && !d.optional);
        needs.insert(package, needed.map(|d| d.name).collect());
    }

    let mut why = BTreeMap::from([("puna-core".to_owned(), "puna-core".to_owned())]);
    let mut todo = vec!["puna-core".to_owned()];
    while let Some(package) = todo.pop() {
        for dependency in needs.get(&package).into_iter().flatten() {
            if !why.contains_key(dependency) {
                why.insert(
                    dependency.clone(),
                    format!("{} → {dependency}", why[&package]),
                );
                todo.push(dependency.clone());
            }
        }
    }
    assert!(
        why.contains_key("memmap2"),
        "the walk reaches what puna-core needs"
    );
    for unwanted in UNWANTED {
        assert!(!why.contains_key(unwanted), "{}", why[unwanted]);
    }
}

/// What turns C or C++ into something that links.
const C_BUILDERS: [&str; 6] = [
    "bindgen",
    "cc",
    "cmake",
    "cxx-build",
    "nasm-rs",
    "pkg-config",
];

/// The packages that `cargo build` compiles here with these arguments.
fn compiled(arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["tree", "--edges", "normal,build", "--prefix", "none"])
        .args(["--format", "{p}", "--offline", "--locked"])
        .args(arguments)
        .output()
        .expect("cargo starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let names = text.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn the_default_build_compiles_no_c() {
    let everywhere = ["-p", "puna-core", "-p", "puna-cli", "--target", "all"];
    for arguments in [
        &[][..],
        &["-p", "puna-core"],
        &["-p", "puna-cli"],
        &everywhere,
    ] {
        let compiled = compiled(arguments);
        assert!(compiled.contains("puna-kernels"), "the tree is whole");
        assert!(!compiled.contains("puna-ggml-sys"), "{arguments:?}");
        for builder in C_BUILDERS {
            assert!(!compiled.contains(builder), "{arguments:?}: {builder}");
        }
    }
}

/// What opens connections, or encrypts them.
const NETWORK: [&str; 6] = [
    "graviola",
    "hyper",
    "native-tls",
    "reqwest",
    "rustls",
    "ureq",
];

#[test]
fn what_apps_get_opens_no_connection() {
    let apps = compiled(&["-p", "puna-ffi", "--target", "all"]);
    assert!(apps.contains("http"), "the store is in it");
    for package in NETWORK {
        assert!(!apps.contains(package), "{package}");
    }
    assert!(compiled(&["-p", "puna-cli"]).contains("ureq"));
}

#[test]
fn the_feature_ggml_is_what_adds_the_bindings() {
    for package in ["puna-core", "puna-cli"] {
        for feature in ["ggml", "ggml-system"] {
            let compiled = compiled(&["-p", package, "--features", feature]);
            assert!(compiled.contains("puna-ggml-sys"), "{package}, {feature}");
        }
    }
}

#[test]
fn without_a_feature_the_bindings_compile_no_c_either() {
    let alone = compiled(&["-p", "puna-ggml-sys"]);
    let only_itself = BTreeSet::from(["puna-ggml-sys".to_owned()]);
    assert_eq!(alone, only_itself, "without features");
    assert!(!compiled(&["-p", "puna-tests"]).contains("puna-ggml-sys"));
}

/// Every Rust file of the workspace, by its path from the root.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                walk(&path, files);
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(root(), &mut files);
    assert!(files.len() > 20, "the walk finds the sources");
    let named = files.into_iter().map(|file| {
        let text = std::fs::read_to_string(&file).expect("UTF-8");
        let name = file
            .strip_prefix(root())
            .expect("below the root")
            .to_string_lossy();
        (name.replace('\\', "/"), text)
    });
    named.collect()
}

#[test]
fn files_are_short_enough_to_read() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(
            lines <= TOO_LONG_FILE,
            "{name} has {lines} lines, more than {TOO_LONG_FILE}"
        );
        if lines > LONG_FILE {
            // Past the test harness, which swallows what passing tests print.
            let warning = format!("warning: {name} has {lines} lines; {LONG_FILE} are enough\n");
            std::io::stderr()
                .write_all(warning.as_bytes())
                .expect("stderr");
        }
    }
}

#[test]
fn unsafe_code_stays_in_its_places() {
    let is_listed = |name: &str| {
        UNSAFE
            .iter()
            .any(|(place, _)| name == *place || place.ends_with('/') && name.starts_with(place))
    };
    for (name, text) in sources() {
        for (number, line) in (1..).zip(text.lines()) {
            let listed = is_listed(&name) || !says_unsafe(line);
            assert!(
                listed,
                "{name}:{number}: unsafe code outside its places: {}",
                line.trim()
            );
        }
    }
}

/// docs/SECURITY.md counts `unsafe` by file; this is how its list is kept true.
#[test]
fn the_list_of_unsafe_code_is_true() {
    let count = |text: &str| text.lines().map(count_unsafe).sum::<usize>();
    let counted = sources()
        .into_iter()
        .map(|(name, text)| (name, count(&text)));
    let counted: BTreeMap<String, usize> = counted.filter(|(_, n)| *n > 0).collect();
    let page = std::fs::read_to_string(root().join("docs/SECURITY.md")).expect("docs/SECURITY.md");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, n, reason, _] = cells.as_slice() else {
            return None;
        };
        let name = name.strip_prefix('`')?.strip_suffix('`')?;
        let n = n.parse().ok().filter(|_| !reason.is_empty())?;
        Some((name.to_owned(), n))
    };
    let listed: BTreeMap<String, usize> = page.lines().filter_map(row).collect();
    let wrong = |name: &&String| counted.get(*name) != listed.get(*name);
    let names: BTreeSet<&String> = counted.keys().chain(listed.keys()).collect();
    let wrong: Vec<String> = names
        .into_iter()
        .filter(wrong)
        .map(|name| {
            format!(
                "{name}: {:?} counted, {:?} listed",
                counted.get(name),
                listed.get(name)
            )
        })
        .collect();
    assert!(wrong.is_empty(), "docs/SECURITY.md:\n{}", wrong.join("\n"));
}

/// Whether a line has the word `unsafe` outside comments and strings.
fn says_unsafe(line: &str) -> bool {
    count_unsafe(line) > 0
}

/// How often it does.
fn count_unsafe(line: &str) -> usize {
    let code = line.split("//").next().unwrap_or_default();
    let outside_strings = code.split('"').step_by(2);
    let no_word = |c: char| !c.is_alphanumeric() && c != '_';
    outside_strings
        .flat_map(|part| part.split(no_word))
        .filter(|word| *word == "unsafe")
        .count()
}

#[test]
fn the_word_unsafe_is_found_only_where_it_means_something() {
    assert!(says_unsafe("    unsafe { *p }"));
    assert!(says_unsafe("pub unsafe fn f(); // why"));
    assert!(!says_unsafe("// unsafe: no"));
    assert!(!says_unsafe(&format!("let s = {:?};", "unsafe")));
    assert!(!says_unsafe("#![deny(unsafe_code)]"));
}
