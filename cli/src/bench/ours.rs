//! This program as one of two that take turns.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::{
    Args,
    process::{self, Ended},
    trial::Test,
};

/// How it is called.
pub const NAME: &str = "puna";

/// Starts this program anew for each sample, with what computes as this command has it.
pub struct Ours<'a> {
    args: &'a Args,
    program: PathBuf,
}

impl<'a> Ours<'a> {
    /// For the tests of `args`.
    pub fn new(args: &'a Args) -> Result<Self> {
        let program = std::env::current_exe().context("where this program is")?;
        Ok(Self { args, program })
    }

    /// One sample of a test, after a warm-up.
    pub fn test(&self, test: &Test) -> Result<Ended> {
        self.run(&[], test, 1)
    }

    /// Both tests of a start, each once.
    pub fn start(&self, n_prompt: usize, n_gen: usize) -> Result<Ended> {
        let test = Test {
            n_prompt,
            n_gen,
            n_depth: 0,
        };
        self.run(&["--no-warmup"], &test, 2)
    }

    /// One test, once, whose depth is computed or, if `state` is given, restored from it.
    pub fn prewarmed(&self, test: &Test, state: Option<&Path>) -> Result<Ended> {
        let state = state.map(|state| format!("--prewarmed={}", state.display()));
        let flags: Vec<_> = ["--no-warmup"]
            .into_iter()
            .chain(state.as_deref())
            .collect();
        self.run(&flags, test, 1)
    }

    fn run(&self, flags: &[&str], test: &Test, tests: usize) -> Result<Ended> {
        let mut command = Command::new(&self.program);
        command.args(["bench", "--json", "--repetitions=1"]);
        command.args(flags).arg("--model").arg(&self.args.model);
        command.args(numbers(test)).args(self.compute());
        process::run(NAME, &self.args.model, &mut command, tests)
    }

    /// This program's file.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The arguments that say how to compute, as they were given.
    pub fn compute(&self) -> Vec<OsString> {
        let compute = &self.args.compute;
        let mut given = vec![format!("--batch={}", compute.batch)];
        given.extend(compute.threads.map(|n| format!("--threads={n}")));
        let named = |value: Option<clap::builder::PossibleValue>| {
            value.map_or_else(String::new, |value| value.get_name().to_owned())
        };
        let kv = compute.kv.as_ref().map(|kv| named(kv.to_possible_value()));
        given.extend(kv.map(|kv| format!("--kv={kv}")));
        given.extend(compute.exact.then(|| "--exact".to_owned()));
        let backend = named(compute.backend.to_possible_value());
        given.push(format!("--backend={backend}"));
        given.into_iter().map(OsString::from).collect()
    }
}

/// A test in the arguments that both programs take.
pub fn numbers(test: &Test) -> [String; 6] {
    let [p, n, d] = [test.n_prompt, test.n_gen, test.n_depth].map(|n| n.to_string());
    ["-p".to_owned(), p, "-n".to_owned(), n, "-d".to_owned(), d]
}
