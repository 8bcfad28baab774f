//! The tests of what is for Android alone: on Android's own classes, which Robolectric runs on a JVM, offline.

use super::{Kotlin, files};
use crate::apt;
use crate::report::Outcome;
use crate::{cargo, model};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

impl Kotlin {
    /// Compiles and runs the tests in puna/src/robolectric; the modules that they test are compiled.
    pub(super) fn test_android(&self, native: &Path, model: &Path) -> Result<Outcome> {
        let folder = self.out.join("robolectric");
        let pom = self.sources.join("pom-robolectric.xml");
        super::copy_jars(&pom, &folder, unpack)?;
        let jars = files(&folder.join("run"), "jar")?;
        ensure!(jars.len() > 10, "Maven copied {} jars", jars.len());
        let jars: Vec<_> = jars.iter().map(|jar| jar.display().to_string()).collect();
        let jars = format!("{}:{}", self.jars.run, jars.join(":"));

        let sources = self.sources.join("puna/src/robolectric/kotlin");
        let before = ["bindings", "puna", "android", "tests"];
        // Robolectric wants Android's plain classes too, beside those that it has changed.
        let jars = format!("{jars}:{}", self.jars.compile);
        self.kotlinc_with("android-tests", &[&sources], &before, &["-nowarn"], &jars)?;
        let mut java = Command::new("java");
        let modules = [&["android-tests"], &before[..]].concat();
        java.arg("-cp").arg(self.class_path(&modules, &jars));
        java.args(["-Xmx768m", "-Drobolectric.offline=true"]);
        let android = folder.join("provided");
        java.arg(format!(
            "-Drobolectric.dependency.dir={}",
            android.display()
        ));
        for package in ["java.io", "java.lang", "java.util", "java.net"] {
            java.args(["--add-opens", &format!("java.base/{package}=ALL-UNNAMED")]);
        }
        let libraries = native.parent().context("the library is in a folder")?;
        java.arg(format!("-Djna.library.path={}", libraries.display()));
        super::same_bits(&mut java);
        java.env(model::VARIABLE, fs::canonicalize(model)?);
        let classes = super::class_names(&sources)?;
        cargo::count_tests(java.arg("dev.puna.RunTestsKt").args(classes))
    }
}

/// Takes the classes out of Android's own kind of archive, which no JVM reads.
fn unpack(folder: &Path) -> Result<()> {
    for archive in files(&folder.join("run"), "aar")? {
        let into = archive.with_extension("classes");
        fs::create_dir_all(&into)?;
        let mut jar = Command::new("jar");
        jar.current_dir(&into);
        apt::run(jar.arg("xf").arg(&archive).arg("classes.jar"))?;
        fs::rename(into.join("classes.jar"), archive.with_extension("jar"))?;
        fs::remove_dir_all(into)?;
    }
    Ok(())
}
