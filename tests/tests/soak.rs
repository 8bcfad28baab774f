//! The short form of `cargo xtask soak`, in a process of its own, since what a whole process holds is measured.

#![cfg(target_os = "linux")]

use std::process::Command;

use puna_tests::soak::ONE_HEAP;

#[test]
fn models_that_were_closed_leave_nothing() {
    let (name, value) = ONE_HEAP;
    let mut soak = Command::new(env!("CARGO_BIN_EXE_soak"));
    let output = soak.arg("20").env(name, value).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
