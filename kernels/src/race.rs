//! Which of the tiers with the same bits is the fastest on this very CPU.
//!
//! A CPU's list of features does not say: Oryon multiplies with `smmla` more slowly than with `sdot`. So those that there
//! are compute a small product in turns, once a process.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::{Activations, Isa, Kernels, TileMut, WeightType};

/// The product: 64 rows of 512 weights of `Q4_0`, which the first cache holds, by 32 vectors.
const SHAPE: (usize, usize, usize) = (64, 512, 32);
/// Turns of each tier; the shortest counts.
const ROUNDS: u32 = 8;
/// Fewer turns where they would take longer than this.
const BUDGET: Duration = Duration::from_millis(10);
/// A tier has to be slower than another by this part to be refused for it: noise is not to decide.
const MARGIN: f64 = 0.05;

/// The time of each tier that this CPU runs with the bits of the definitions, the scalar one left out, in the order of
/// [`Isa::ALL`]; measured at the first call. Empty where there are not two of them.
pub fn times() -> &'static [(Isa, Duration)] {
    static TIMES: OnceLock<Vec<(Isa, Duration)>> = OnceLock::new();
    TIMES.get_or_init(|| {
        let exact = |isa: &Isa| isa.is_exact() && *isa != Isa::Scalar;
        let tiers = Isa::ALL.into_iter().filter(exact);
        let tables: Vec<_> = tiers.filter_map(Kernels::for_isa).collect();
        if tables.len() < 2 {
            Vec::new()
        } else {
            measure(&tables)
        }
    })
}

/// The first tier that no other beats by more than the margin.
#[must_use]
pub fn winner(times: &[(Isa, Duration)]) -> Option<Isa> {
    let least = times.iter().map(|(_, time)| *time).min()?;
    let good = |time: Duration| time.as_secs_f64() * (1.0 - MARGIN) <= least.as_secs_f64();
    let (isa, _) = times.iter().find(|(_, time)| good(*time))?;
    Some(*isa)
}

/// The shortest time that each of `tables` takes.
fn measure(tables: &[Kernels]) -> Vec<(Isa, Duration)> {
    let (rows, k, n) = SHAPE;
    let ty = WeightType::Q4_0;
    // Every byte 0x28 makes scales that are plain numbers.
    let w = vec![0x28; rows * ty.row_bytes(k)];
    let x: Vec<f32> = (0..n * k).map(|i| (i % 255) as f32 - 127.0).collect();
    let mut acts = Activations::default();
    let x = acts.quantize(&tables[0], ty.act_type(), &x, k);
    let mut y = vec![0.0; n * rows];
    let mut least = vec![Duration::MAX; tables.len()];
    let begin = Instant::now();
    for round in 1..=ROUNDS {
        for (table, least) in tables.iter().zip(&mut least) {
            let start = Instant::now();
            table.matmul(ty, &w, x, &mut TileMut::new(&mut y, rows));
            *least = start.elapsed().min(*least);
        }
        if begin.elapsed() / round * (round + 1) > BUDGET {
            break;
        }
    }
    tables.iter().map(Kernels::isa).zip(least).collect()
}
