//! Every tier that this CPU runs against the scalar definitions, bit for bit.
//!
//! `WANT_TIER=avx2` (or `neon`, `dotprod`, `i8mm`, …) makes the absence of that tier a failure: without it a
//! broken kernel passes wherever the CPU cannot run it.

#[path = "../common/mod.rs"]
mod common;
mod guard;
mod many;
mod matrices;
mod vectors;

use puna_kernels::{Isa, Kernels};

/// The definitions, and the tiers to compare with them.
fn tiers() -> (Kernels, Vec<Kernels>) {
    let scalar = Kernels::for_isa(Isa::Scalar).expect("scalar always runs");
    let mut fast = Kernels::available();
    fast.retain(|k| k.isa() != Isa::Scalar);
    (scalar, fast)
}

#[test]
fn the_wanted_tier_is_there() {
    let names: Vec<_> = Kernels::available()
        .iter()
        .map(|k| k.isa().name())
        .collect();
    println!("tiers: {}", names.join(", "));
    if let Ok(want) = std::env::var("WANT_TIER") {
        assert!(
            names.contains(&want.as_str()),
            "WANT_TIER={want}, but this CPU has only {}",
            names.join(", ")
        );
    }
}
