//! The choice among tiers of the same bits.

use std::time::{Duration, Instant};

use puna_kernels::{Isa, Kernels, race};

fn times(of: &[(Isa, u64)]) -> Vec<(Isa, Duration)> {
    let time = |&(isa, nanos)| (isa, Duration::from_nanos(nanos));
    of.iter().map(time).collect()
}

#[test]
fn a_newer_tier_loses_only_by_more_than_noise() {
    let of = |new, old| race::winner(&times(&[(Isa::Dotprod, new), (Isa::Neon, old)]));
    assert_eq!(of(1000, 3000), Some(Isa::Dotprod));
    assert_eq!(of(1000, 1000), Some(Isa::Dotprod));
    assert_eq!(of(1040, 1000), Some(Isa::Dotprod), "four percent are noise");
    assert_eq!(of(1100, 1000), Some(Isa::Neon), "ten are not");
}

#[test]
fn the_fastest_is_the_measure_for_all() {
    let three = |a, b, c| {
        race::winner(&times(&[
            (Isa::Amx, a),
            (Isa::Avx512Vnni, b),
            (Isa::Avx2, c),
        ]))
    };
    assert_eq!(three(2000, 1500, 1000), Some(Isa::Avx2));
    assert_eq!(three(2000, 1030, 1000), Some(Isa::Avx512Vnni));
    assert_eq!(three(1049, 1000, 1020), Some(Isa::Amx));
    assert_eq!(race::winner(&[]), None);
}

#[test]
fn the_choice_is_made_once_and_is_short() {
    let start = Instant::now();
    let first = race::times();
    let took = start.elapsed();
    assert!(
        first
            .iter()
            .all(|(isa, _)| isa.is_exact() && isa.is_available())
    );
    assert!(first.iter().all(|(_, time)| *time < took));
    assert_eq!(first.as_ptr(), race::times().as_ptr(), "measured again");
    println!("{first:?} in {took:?}");
    let best = Kernels::best_exact();
    assert!(best.is_exact());
    let won = race::winner(first).unwrap_or(best.isa());
    assert_eq!(best.isa(), won);
}

#[test]
fn what_has_other_bits_is_chosen_by_rule() {
    let best = Kernels::best().isa();
    let inexact = Isa::ALL
        .into_iter()
        .find(|isa| !isa.is_exact() && isa.is_available());
    assert_eq!(best, inexact.unwrap_or(Kernels::best_exact().isa()));
}
