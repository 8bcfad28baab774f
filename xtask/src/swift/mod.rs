//! The Swift leg: the package in `ios/` and its tests, built and run on Linux against the library itself.

mod root;
pub mod xcframework;

use crate::kotlin::{api, snippets};
use crate::report::{Outcome, Report, Tally};
use crate::{apt, cargo, kotlin, model};
use anyhow::{Context, Result, ensure};
use root::{Root, WORK};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where modules in the place of Apple's are, as the programs of the root see it.
const STUBS: &str = "/w/stubs";

/// What `cargo xtask swift` takes.
#[derive(clap::Args, Default)]
pub struct Args {
    /// Only these tests, such as `CancelTests`
    tests: Vec<String>,
    /// Records the public API in ios/api/Puna.swiftinterface
    #[arg(long)]
    record_api: bool,
}

/// One leg: everything.
pub fn run(report: &mut Report, model: Option<&Path>, args: &Args) {
    report.leg("Swift tests on Linux", || match (Root::prepare()?, model) {
        (Err(why), _) => Ok(Outcome::NotRun(why)),
        (_, None) => Ok(Outcome::NotRun("there is no model to run".into())),
        (Ok(root), Some(model)) => Swift::new(root, model)?.test(args),
    });
}

/// The bindings of a library, written into a copy of the package.
fn generate(library: &Path, package: &Path) -> Result<()> {
    let sources = package.join("Sources");
    let generated = cargo::target_dir().join("swift/generated");
    let mut bindgen = Command::new(library.with_file_name("puna-bindgen"));
    bindgen.current_dir(cargo::root());
    bindgen.args(["generate", "--language", "swift", "--no-format"]);
    bindgen.args(["--config", "ffi/bindings.toml", "--out-dir"]);
    apt::run(bindgen.arg(&generated).arg(library))?;
    for (name, target) in [
        ("PunaBindings.swift", "PunaBindings"),
        ("PunaFFI.h", "PunaFFI"),
    ] {
        fs::create_dir_all(sources.join(target))?;
        copy(&generated.join(name), &sources.join(target).join(name))?;
    }
    Ok(())
}

/// Where things are.
struct Swift {
    root: Root,
    /// `target/swift/work`, which the programs of the root see as [`WORK`].
    work: PathBuf,
}

impl Swift {
    /// Lays out the work folder: the package, the library and the model.
    fn new(root: Root, model: &Path) -> Result<Self> {
        let work = cargo::target_dir().join("swift/work");
        let package = work.join("package");
        mirror(&cargo::root().join("ios"), &package)?;
        let native = kotlin::build_library(false)?;
        generate(&native, &package)?;
        fs::create_dir_all(work.join("lib"))?;
        if copy(&native.with_extension("a"), &work.join("lib/libpuna_ffi.a"))? {
            // The package's own build knows nothing of the library, and would not link anew.
            for program in ["PunaPackageTests.xctest", "Keeper"] {
                let program = package.join(".build/debug").join(program);
                if program.exists() {
                    fs::remove_file(program)?;
                }
            }
        }
        copy(model, &work.join("model.gguf"))?;
        Ok(Self { root, work })
    }

    fn test(&self, args: &Args) -> Result<Outcome> {
        apt::run(self.swift("build").args(["--build-tests", "--jobs", "2"]))?;
        self.build_stubs()?;
        let recorded = cargo::root().join("ios/api/Puna.swiftinterface");
        api::compare(&self.interface()?, &recorded, args.record_api, "swift")?;
        self.check_sample()?;
        self.check_pages()?;
        let mut test = self.swift("test");
        for name in &args.tests {
            test.args(["--filter", name]);
        }
        let outcome = cargo::count_tests(test.arg("--skip-build"))?;
        if let Outcome::Ran(Tally {
            passed: 0,
            failed: 0,
        }) = outcome
        {
            return Ok(Outcome::Ran(Tally::one(false)));
        }
        Ok(outcome)
    }

    /// `swift build` or `swift test` of the package, with the library.
    fn swift(&self, task: &str) -> Command {
        let model = format!("{}={WORK}/model.gguf", model::VARIABLE);
        let mut command = self.root.command(&self.work, &[&model], "swift");
        command.args([task, "--package-path", &format!("{WORK}/package")]);
        command.args([
            "-Xlinker",
            &format!("-L{WORK}/lib"),
            "-Xlinker",
            "-l:libpuna_ffi.a",
        ]);
        command
    }

    /// The compiler, for files of the work folder. It looks for modules among the stubs first.
    fn compiler(&self, action: &str) -> Command {
        let package = format!("{WORK}/package");
        let mut command = self.root.command(&self.work, &[], "swiftc");
        command.args([action, "-swift-version", "6", "-parse-as-library"]);
        command.arg(format!("-I{STUBS}"));
        command.args(["-I", &format!("{package}/.build/debug/Modules")]);
        command.args(["-I", &format!("{package}/Sources/PunaFFI")]);
        command
    }

    /// Modules in the place of Apple's, with what the package and the sample app use of them.
    fn build_stubs(&self) -> Result<()> {
        fs::create_dir_all(self.work.join("stubs"))?;
        // One imports the other.
        for name in ["UIKit", "UniformTypeIdentifiers", "SwiftUI"] {
            let mut emit = self.compiler("-emit-module");
            emit.args(["-suppress-warnings", "-enable-library-evolution"]);
            emit.args(["-module-name", name, "-o"]);
            emit.arg(format!("{STUBS}/{name}.swiftmodule"));
            emit.arg(format!("{WORK}/package/Tests/Stubs/{name}.swift"));
            apt::run(&mut emit)?;
        }
        Ok(())
    }

    /// Compiles the whole sample app, its views against the stubs, on the module that [`interface`](Self::interface) made.
    fn check_sample(&self) -> Result<()> {
        let mut command = self.compiler("-typecheck");
        command.arg("-warnings-as-errors");
        for source in files(&self.work.join("package/Sample.swiftpm"))? {
            if source
                .file_name()
                .is_some_and(|name| name != "Package.swift")
            {
                command.arg(self.inside(&source)?);
            }
        }
        apt::run(&mut command)
    }

    /// The module's interface: its public declarations, as the compiler prints them. What is for phones alone is compiled
    /// for it too, against the stubs.
    fn interface(&self) -> Result<String> {
        let mut command = self.compiler("-emit-module");
        command.args(["-module-name", "Puna", "-enable-library-evolution"]);
        command.args(["-suppress-warnings", "-o"]);
        command.arg(format!("{STUBS}/Puna.swiftmodule"));
        command.arg("-emit-module-interface-path");
        command.arg(format!("{WORK}/Puna.swiftinterface"));
        let sources = files(&self.work.join("package/Sources/Puna"))?;
        for source in &sources {
            command.arg(self.inside(source)?);
        }
        apt::run(&mut command)?;
        Ok(declarations(&fs::read_to_string(
            self.work.join("Puna.swiftinterface"),
        )?))
    }

    /// Compiles each piece of Swift on the pages for app developers, for phones too: against the stubs.
    fn check_pages(&self) -> Result<()> {
        let folder = self.work.join("pages");
        let count = snippets::write(cargo::root(), &folder, ("swift", "swift"), |_| {
            String::new()
        })?;
        eprintln!("{count} pieces of Swift on the pages");
        for page in files(&folder)? {
            apt::run(self.compiler("-typecheck").arg(self.inside(&page)?))?;
        }
        Ok(())
    }

    /// A file of the work folder, as the programs of the root see it.
    fn inside(&self, file: &Path) -> Result<PathBuf> {
        Ok(Path::new(WORK).join(file.strip_prefix(&self.work)?))
    }
}

/// An interface without what the compiler says of itself.
fn declarations(interface: &str) -> String {
    let lines = interface.lines();
    let lines = lines.filter(|line| !line.starts_with("//") && !line.starts_with("import "));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// What is made in the package's folder and no part of it: ios/.gitignore.
const MADE: [&str; 4] = [".build", "PunaBindings", "PunaFFI.h", "PunaFFI.xcframework"];

/// Makes the folder `to` hold what `from` holds, but for what is made in either.
fn mirror(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        let name = entry.file_name();
        let (path, is_gone) = (entry.path(), !from.join(&name).exists());
        if is_gone && !MADE.iter().any(|made| name == *made) {
            if path.is_dir() {
                fs::remove_dir_all(path)?;
            } else {
                fs::remove_file(path)?;
            }
        }
    }
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if MADE.iter().any(|made| name == *made) {
            continue;
        }
        let (path, copied) = (entry.path(), to.join(&name));
        if path.is_dir() {
            mirror(&path, &copied)?;
        } else {
            copy(&path, &copied)?;
        }
    }
    Ok(())
}

/// Copies a file where the other is not the same: what has not changed is not built again. Whether it did.
fn copy(from: &Path, to: &Path) -> Result<bool> {
    let bytes = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
    let is_new = fs::read(to).ok().as_ref() != Some(&bytes);
    if is_new {
        fs::write(to, bytes)?;
    }
    Ok(is_new)
}

/// The Swift files of a folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "swift") {
            found.push(path);
        }
    }
    ensure!(!found.is_empty(), "{} has no Swift", folder.display());
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_follows_the_folder_and_keeps_what_was_built() {
        let folder = std::env::temp_dir().join(format!("puna-mirror-{}", std::process::id()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        fs::create_dir_all(from.join("a")).expect("it can be made");
        fs::create_dir_all(to.join(".build")).expect("it can be made");
        fs::create_dir_all(to.join("gone")).expect("it can be made");
        fs::write(from.join("a/b"), "1").expect("it can be written");
        mirror(&from, &to).expect("it is copied");
        assert_eq!(fs::read(to.join("a/b")).expect("it is there"), b"1");
        assert!(to.join(".build").exists() && !to.join("gone").exists());
        fs::remove_dir_all(folder).expect("it was made");
    }

    #[test]
    fn an_interface_is_its_declarations() {
        let text = "// swift-compiler-version: 6\n// swift-module-flags: -x\nimport Swift\npublic func f()\n";
        assert_eq!(declarations(text), "public func f()\n");
    }
}
