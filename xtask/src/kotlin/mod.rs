//! The Kotlin leg: the wrapper and its tests, compiled and run on a plain JVM against the library itself.
//!
//! No Gradle and no Android SDK: Maven brings the pinned jars of `android/pom.xml`, the compiler among them.

pub mod api;
mod jar;
mod robolectric;
pub mod snippets;

use crate::apt::{self, Package};
use crate::report::{Outcome, Report, Tally};
use crate::{cargo, model};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TOOLS: [Package; 2] = [
    Package {
        name: "openjdk-17-jdk-headless",
        shows: "javac",
    },
    Package {
        name: "maven",
        shows: "mvn",
    },
];

/// The library as cargo names its file.
pub const LIBRARY: &str = if cfg!(target_os = "macos") {
    "libpuna_ffi.dylib"
} else {
    "libpuna_ffi.so"
};

/// How the compiler reads what apps see.
const STRICT: [&str; 2] = ["-Xexplicit-api=strict", "-Werror"];

/// What `cargo xtask kotlin` takes.
#[derive(clap::Args, Default)]
pub struct Args {
    /// Only these test classes, such as `ChatTest`
    classes: Vec<String>,
    /// Records the public API in android/puna/api/puna.api
    #[arg(long)]
    record_api: bool,
    /// Only the tests on Android's classes, of what an earlier run has compiled
    #[arg(long)]
    android: bool,
    /// Only writes target/kotlin/puna-jvm.jar, with the library of a release build for this machine
    #[arg(long)]
    jar: bool,
}

/// One leg: everything.
pub fn run(report: &mut Report, model: Option<&Path>, args: &Args) {
    if args.jar {
        return report.leg("the jar for desktops", || match apt::install(&TOOLS)? {
            Some(why) => Ok(Outcome::NotRun(why)),
            None => Kotlin::new()?.pack(),
        });
    }
    let leg = |test: &dyn Fn(&Kotlin, &Path) -> Result<Outcome>| match apt::install(&TOOLS)? {
        Some(why) => Ok(Outcome::NotRun(why)),
        None => match model {
            Some(model) => test(&Kotlin::new()?, model),
            None => Ok(Outcome::NotRun("there is no model to run".into())),
        },
    };
    if !args.android {
        report.leg("Kotlin tests on the JVM", || {
            leg(&|kotlin, model| kotlin.test(model, args))
        });
    }
    if args.classes.is_empty() {
        // After the leg above, which compiles what these tests need.
        report.leg("Kotlin tests on Android's classes", || {
            leg(&|kotlin, model| kotlin.test_android(&build_library(false)?, model))
        });
    }
}

/// Where things are.
struct Kotlin {
    /// `target/kotlin`.
    out: PathBuf,
    sources: PathBuf,
    jars: Jars,
}

/// The jars of the pom.
struct Jars {
    /// Those that tests run with.
    run: String,
    /// Those and Android's classes.
    compile: String,
    /// The compiler's.
    compiler: String,
}

impl Kotlin {
    fn new() -> Result<Self> {
        let out = cargo::target_dir().join("kotlin");
        let sources = cargo::root().join("android");
        let pom = sources.join("pom.xml");
        let catalog = sources.join("gradle/libs.versions.toml");
        same_versions(&fs::read_to_string(&pom)?, &fs::read_to_string(catalog)?)?;
        let jars = jars(&pom, &out.join("jars"))?;
        Ok(Self { out, sources, jars })
    }

    fn test(&self, model: &Path, args: &Args) -> Result<Outcome> {
        let native = build_library(false)?;
        self.compile(&native)?;
        let wrapper = self.sources.join("puna/src");
        // What is for Android alone is compiled too; of that only what calls native code can run here.
        let platform = wrapper.join("main");
        self.kotlinc("android", &[&platform], &["bindings", "puna"], &STRICT)?;
        let list = api::list(
            &[&self.classes("puna"), &self.classes("android")],
            &self.class_path(&["bindings", "puna", "android"], &self.jars.compile),
        )?;
        let recorded = self.sources.join("puna/api/puna.api");
        api::compare(&list, &recorded, args.record_api, "kotlin")?;
        // As apps see it: without the bindings.
        let pages = self.out.join("snippets");
        let head = |name: &str| format!("package docs.{name}\n\n");
        let count = snippets::write(cargo::root(), &pages, ("kotlin", "kt"), head)?;
        eprintln!("{count} pieces of Kotlin on the pages");
        self.kotlinc("docs", &[&pages], &["puna", "android"], &["-nowarn"])?;

        // The part of the sample app that knows no Android, and no user interface.
        let app = self.sources.join("sample/src/main/kotlin");
        let sample = app.join("dev/puna/sample/Conversation.kt");
        self.kotlinc("sample", &[&sample], &["puna"], &[])?;
        // All of it, against stand-ins for Compose and androidx, which Maven's own repository does not have.
        let stubs = self.sources.join("sample/stubs");
        self.kotlinc("screens", &[&app, &stubs], &["puna", "android"], &[])?;
        let tests = wrapper.join("test");
        let before = ["bindings", "puna", "android", "sample"];
        self.kotlinc("tests", &[&tests.join("kotlin")], &before, &["-nowarn"])?;
        self.javac("tests", &tests.join("java"), &before)?;

        let classes = match args.classes.as_slice() {
            [] => class_names(&tests)?,
            some => some.iter().map(|name| format!("dev.puna.{name}")).collect(),
        };
        let mut java = Command::new("java");
        // The library as desktops have it, the native part in the jar; what is for Android beside it.
        let jars = format!("{}:{}", self.jar(&native)?.display(), self.jars.run);
        java.arg("-cp")
            .arg(self.class_path(&["tests", "sample", "android"], &jars));
        // The number of a descriptor is private to the JVM; on Android an API gives it.
        java.args(["--add-opens", "java.base/java.io=ALL-UNNAMED"]);
        // A heap that is all there from the start, so that what grows is the library's.
        java.args(["-Xms256m", "-Xmx256m", "-XX:+AlwaysPreTouch"]);
        let folder = native.parent().context("the library is in a folder")?;
        java.arg(format!("-Dpuna.natives={}", folder.display()));
        same_bits(&mut java);
        java.env(model::VARIABLE, fs::canonicalize(model)?);
        cargo::count_tests(java.arg("dev.puna.RunTestsKt").args(classes))
    }

    /// The jar for desktops.
    fn pack(&self) -> Result<Outcome> {
        let native = build_library(true)?;
        self.compile(&native)?;
        eprintln!("{}", self.jar(&native)?.display());
        Ok(Outcome::Ran(Tally {
            passed: 1,
            failed: 0,
        }))
    }

    /// Compiles what all else stands on: the bindings of `native`, and the wrapper.
    fn compile(&self, native: &Path) -> Result<()> {
        self.generate(native)?;
        let generated = self.out.join("generated");
        self.kotlinc("bindings", &[&generated], &[], &["-nowarn"])?;
        let common = self.sources.join("puna/src/common");
        self.kotlinc("puna", &[&common], &["bindings"], &STRICT)
    }

    /// The bindings, made from the library itself.
    fn generate(&self, native: &Path) -> Result<()> {
        let generated = self.out.join("generated");
        if generated.exists() {
            fs::remove_dir_all(&generated)?;
        }
        let mut bindgen = Command::new(native.with_file_name("puna-bindgen"));
        bindgen.current_dir(cargo::root());
        bindgen.args(["generate", "--language", "kotlin", "--no-format"]);
        bindgen.args(["--config", "ffi/bindings.toml", "--out-dir"]);
        apt::run(bindgen.arg(generated).arg(native))
    }

    /// Compiles the Kotlin below `sources` to the classes of the module `name`.
    fn kotlinc(
        &self,
        name: &str,
        sources: &[&Path],
        modules: &[&str],
        flags: &[&str],
    ) -> Result<()> {
        self.kotlinc_with(name, sources, modules, flags, &self.jars.compile)
    }

    /// As [`kotlinc`](Self::kotlinc), with other jars.
    fn kotlinc_with(
        &self,
        name: &str,
        sources: &[&Path],
        modules: &[&str],
        flags: &[&str],
        jars: &str,
    ) -> Result<()> {
        eprintln!("compiling the module {name}");
        let into = self.fresh(name)?;
        let mut java = Command::new("java");
        // A compiler that runs once, and shortly, is not worth optimizing: it takes half the time so.
        java.args(["-Xmx1g", "-XX:TieredStopAtLevel=1"]);
        java.args(["-cp", &self.jars.compiler]);
        java.arg("org.jetbrains.kotlin.cli.jvm.K2JVMCompiler");
        java.args([
            "-no-stdlib",
            "-no-reflect",
            "-jvm-target",
            "17",
            "-module-name",
            name,
        ]);
        java.args(flags).arg("-d").arg(&into);
        java.arg("-cp").arg(self.class_path(modules, jars));
        // The wrapper is one module in an app; and tests see what is internal to the others.
        if modules.contains(&"bindings") {
            let friends = modules.iter().filter(|name| **name != "bindings");
            let friends = friends.map(|name| self.classes(name).display().to_string());
            let friends: Vec<_> = friends.collect();
            java.arg(format!("-Xfriend-paths={}", friends.join(",")));
        }
        apt::run(java.args(sources))
    }

    /// Compiles the Java of the folder into the classes of the module `name`, beside its Kotlin.
    fn javac(&self, name: &str, sources: &Path, modules: &[&str]) -> Result<()> {
        let mut javac = Command::new("javac");
        javac.args([
            "--release",
            "17",
            "-Xlint:all,-classfile,-try,-processing",
            "-Werror",
            "-d",
        ]);
        javac.arg(self.classes(name)).arg("-cp");
        javac.arg(self.class_path(&[&[name], modules].concat(), &self.jars.run));
        apt::run(javac.args(files(sources, "java")?))
    }

    /// The folder of a module's classes.
    fn classes(&self, name: &str) -> PathBuf {
        self.out.join("classes").join(name)
    }

    /// That folder, empty.
    fn fresh(&self, name: &str) -> Result<PathBuf> {
        let folder = self.classes(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    fn class_path(&self, modules: &[&str], jars: &str) -> String {
        let folders = modules
            .iter()
            .map(|name| self.classes(name).display().to_string());
        folders
            .chain([jars.to_owned()])
            .collect::<Vec<_>>()
            .join(":")
    }
}

/// The test classes below a folder, by their files' names.
fn class_names(folder: &Path) -> Result<Vec<String>> {
    let mut found = files(folder, "kt")?;
    found.extend(files(folder, "java")?);
    let names = found.iter().filter_map(|file| file.file_stem()?.to_str());
    let names = names.filter(|name| name.ends_with("Test"));
    let classes: Vec<_> = names.map(|name| format!("dev.puna.{name}")).collect();
    ensure!(!classes.is_empty(), "{} has no tests", folder.display());
    Ok(classes)
}

/// Tells a JVM which kernels to take: tests compare answers whose prompts were computed at once and in parts; in
/// `amx-bf16` their bits differ.
fn same_bits(java: &mut Command) {
    if cfg!(target_arch = "x86_64") {
        java.env("PUNA_ISA", "avx2");
    }
}

/// Builds the library, and the program that writes its bindings; returns the library's file, beside which the
/// program is.
pub fn build_library(release: bool) -> Result<PathBuf> {
    // Both at once: alone they would be built with other features of uniffi, each time anew.
    let packages = ["-p", "puna-ffi", "-p", "puna-bindgen"];
    // What Android calls through Java's native interface, too.
    let features = ["--features", "puna-ffi/jvm"];
    apt::run(
        cargo::cargo()
            .args(["build", "--locked"])
            .args(release.then_some("--release"))
            .args(packages)
            .args(features),
    )?;
    let profile = if release { "release" } else { "debug" };
    Ok(cargo::target_dir().join(profile).join(LIBRARY))
}

/// Apps and tests are built with the same versions.
fn same_versions(pom: &str, catalog: &str) -> Result<()> {
    for name in ["kotlin", "coroutines", "jna", "junit"] {
        let wanted = format!("{name} = \"");
        let version = catalog.lines().find_map(|line| line.strip_prefix(&wanted));
        let version = version.with_context(|| format!("no version of {name} in the catalog"))?;
        let version = version.trim_end_matches('"');
        let listed = pom.contains(&format!("<version>{version}</version>"));
        ensure!(
            listed,
            "the pom has another version of {name} than {version}"
        );
    }
    Ok(())
}

/// Has Maven copy the pom's jars into the folders `run` and `provided` of `folder`, where the pom is another than last
/// time; then does `after` with them.
fn copy_jars(pom: &Path, folder: &Path, after: fn(&Path) -> Result<()>) -> Result<()> {
    let stamp = folder.join("pom.xml");
    let wanted = fs::read_to_string(pom)?;
    if fs::read_to_string(&stamp).ok().as_ref() == Some(&wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    for (scope, into) in [("runtime", "run"), ("provided", "provided")] {
        let mut mvn = Command::new("mvn");
        mvn.args(["--quiet", "--batch-mode", "dependency:copy-dependencies"]);
        mvn.arg("--file").arg(pom);
        mvn.arg(format!("-DincludeScope={scope}"));
        let into = folder.join(into);
        apt::run(mvn.arg(format!("-DoutputDirectory={}", into.display())))?;
    }
    after(folder)?;
    Ok(fs::write(&stamp, &wanted)?)
}

/// The jars of the pom for the tests on a plain JVM.
fn jars(pom: &Path, folder: &Path) -> Result<Jars> {
    copy_jars(pom, folder, |_| Ok(()))?;
    let list = |kind: &str, wanted: &dyn Fn(&str) -> bool| -> Result<String> {
        let jars = files(&folder.join(kind), "jar")?;
        let names = jars.iter().filter(|jar| {
            let name = jar.file_name().and_then(|name| name.to_str());
            name.is_some_and(wanted)
        });
        let names: Vec<_> = names.map(|jar| jar.display().to_string()).collect();
        ensure!(!names.is_empty(), "Maven copied no jar of the kind {kind}");
        Ok(names.join(":"))
    };
    let run = list("run", &|_| true)?;
    let android = list("provided", &|name| name.starts_with("android-all"))?;
    let compiler = list("provided", &|name| !name.starts_with("android-all"))?;
    Ok(Jars {
        compile: format!("{run}:{android}"),
        compiler: format!("{run}:{compiler}"),
        run,
    })
}

/// The files of a kind below a folder, in order.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
