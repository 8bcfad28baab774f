//! The ggml leg: builds ggml from the source that a crate carries, holds our kernels to it, and tests it as
//! a backend.

use crate::apt::{self, Package};
use crate::cargo;
use crate::model;
use crate::report::{Outcome, Report};
use anyhow::Result;
use std::path::Path;

/// What building ggml and reading its headers takes. Debian's gcc 12 miscompiles ggml's AMX code.
const TOOLS: [Package; 5] = [
    Package {
        name: "cmake",
        shows: "cmake",
    },
    Package {
        name: "make",
        shows: "make",
    },
    // For the C++ library that clang uses too.
    Package {
        name: "g++",
        shows: "g++",
    },
    Package {
        name: "clang-19",
        shows: "clang++-19",
    },
    Package {
        name: "libclang1-19",
        shows: "/usr/lib/llvm-19/lib/libclang-19.so.1",
    },
];

/// Installs what building ggml takes, or says why it cannot.
pub fn install_tools() -> Result<Option<String>> {
    apt::install(&TOOLS)
}

/// Clippy and tests of what is compiled only with ggml.
pub fn run(report: &mut Report, model: Option<&Path>) {
    match install_tools() {
        Ok(None) => {}
        Ok(Some(why)) => return report.leg("ggml", || Ok(Outcome::NotRun(why))),
        Err(error) => return report.leg("ggml", || Err(error)),
    }
    // The whole workspace, so that packages keep the features that the other legs built them with.
    let select = ["--locked", "--workspace", "--features", "puna-tests/ggml"];
    report.leg("ggml tests", || {
        let mut command = cargo::cargo();
        command.arg("test").args(select);
        if let Some(model) = model {
            command.env(model::VARIABLE, model);
        }
        let tests = ["ggml_oracle", "ggml_backend", "compare_parts"];
        let tests = tests.iter().flat_map(|test| ["--test", test]);
        cargo::count_tests(command.arg("--no-fail-fast").args(tests))
    });
    report.leg("ggml clippy", || {
        let mut command = cargo::cargo();
        command.arg("clippy").args(select).arg("--all-targets");
        cargo::check(command.args(["--", "-D", "warnings"]))
    });
}
