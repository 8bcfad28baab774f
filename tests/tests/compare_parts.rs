//! The tests of the peer bench's parts, which are in its files: a bench with a main of its own has no
//! test harness. `cargo xtask test` runs them with ggml.
#![allow(dead_code, reason = "the bench uses all of it")]

#[path = "../benches/compare/args.rs"]
mod args;
#[path = "../../kernels/tests/common/mod.rs"]
mod common;
#[path = "../benches/compare/data.rs"]
mod data;
#[path = "../benches/compare/lane.rs"]
mod lane;
#[path = "../benches/compare/machine.rs"]
mod machine;
#[path = "../benches/compare/memory.rs"]
mod memory;
#[path = "../benches/compare/page.rs"]
mod page;
#[path = "../benches/compare/plan.rs"]
mod plan;
#[path = "../benches/compare/plot.rs"]
mod plot;
#[path = "../benches/compare/report.rs"]
mod report;
#[path = "../benches/compare/shapes.rs"]
mod shapes;
#[path = "../benches/compare/stats.rs"]
mod stats;
#[path = "../benches/compare/table.rs"]
mod table;
#[path = "../benches/compare/together.rs"]
mod together;
