//! The default model, which real-model tests run on.

use std::path::PathBuf;

/// Path of the default model: the variable `PUNA_TEST_MODEL`, which `cargo xtask test` sets.
///
/// # Panics
/// When it is not set: a test that cannot run must not pass.
#[must_use]
pub fn default_model() -> PathBuf {
    std::env::var_os("PUNA_TEST_MODEL").map(PathBuf::from).expect(
        "PUNA_TEST_MODEL must name the default model: use `cargo xtask test`, or set it to what \
         `puna fetch` prints",
    )
}
