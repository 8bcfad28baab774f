//! The command `puna` as programs and people meet it: what it prints where, and how it exits.
//!
//! The answers are judged by the default model, which `PUNA_TEST_MODEL` must name.

mod common;
#[cfg(unix)]
mod compare;
mod draft;
mod errors;
mod fetch;
mod keep;
mod limits;
mod measures;
mod models;
mod redaction;
mod text;
#[cfg(unix)]
mod unix;
mod vectors;
mod vocabulary;
