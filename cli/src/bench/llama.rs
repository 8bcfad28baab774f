//! llama.cpp's llama-bench as one of two programs that take turns.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use super::{
    ours,
    process::{self, Ended},
    trial::Test,
};

/// How it is called.
pub const NAME: &str = "llama-bench";

/// Where llama-bench is.
#[derive(Clone, Debug)]
pub struct LlamaBench {
    program: PathBuf,
}

/// The value of `--compare`: `llama-bench=PATH`.
///
/// # Errors
/// If the name is another, or the path is empty.
pub fn parse(text: &str) -> Result<LlamaBench, String> {
    match text.split_once('=') {
        Some((NAME, path)) if !path.is_empty() => Ok(LlamaBench {
            program: path.into(),
        }),
        Some((NAME, _)) => Err("a path is missing after `=`".to_owned()),
        Some((name, _)) => Err(format!("`{name}` is not known; known is: {NAME}=PATH")),
        None => Err(format!("this is not NAME=PATH; known is: {NAME}=PATH")),
    }
}

/// A way to run llama-bench, of those that a person who wants it fast would try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    flash_attention: bool,
    kv: &'static str,
}

impl Setting {
    /// Those to try for a test. A quantized cache wants flash attention, and only pays with much in it.
    pub fn of(test: &Test) -> Vec<Self> {
        let setting = |flash_attention, kv| Self {
            flash_attention,
            kv,
        };
        let mut settings = vec![setting(false, "f16"), setting(true, "f16")];
        if test.n_depth > 0 {
            settings.push(setting(true, "q8_0"));
        }
        settings
    }

    /// In llama-bench's words.
    pub fn name(self) -> String {
        self.arguments().join(" ")
    }

    fn arguments(self) -> Vec<&'static str> {
        let mut arguments = vec!["-fa", if self.flash_attention { "1" } else { "0" }];
        if self.kv != "f16" {
            arguments.extend(["-ctk", self.kv, "-ctv", self.kv]);
        }
        arguments
    }
}

/// What both programs are told alike.
#[derive(Clone, Copy, Debug)]
pub struct Common<'a> {
    pub model: &'a Path,
    pub threads: usize,
    pub batch: usize,
}

impl LlamaBench {
    /// One sample of a test, after a warm-up.
    pub fn test(&self, common: Common<'_>, test: &Test, setting: Setting) -> Result<Ended> {
        self.run(common, &setting.arguments(), test, 1)
    }

    /// Both tests of a start, each once.
    pub fn start(&self, common: Common<'_>, n_prompt: usize, n_gen: usize) -> Result<Ended> {
        let test = Test {
            n_prompt,
            n_gen,
            n_depth: 0,
        };
        self.run(common, &["--no-warmup"], &test, 2)
    }

    fn run(&self, common: Common<'_>, flags: &[&str], test: &Test, tests: usize) -> Result<Ended> {
        let mut command = Command::new(&self.program);
        command.args(["-r", "1", "-o", "json", "-m"]);
        command.arg(common.model).args(flags);
        command.args(["-t", &common.threads.to_string()]);
        command.args(["-ub", &common.batch.to_string()]);
        command.args(ours::numbers(test));
        process::run(NAME, common.model, &mut command, tests)
    }
}
