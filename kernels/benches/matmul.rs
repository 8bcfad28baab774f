//! Speed of GEMV and GEMM, each weight type on each tier that this CPU runs, one thread.
//!
//! `cargo bench -p puna-kernels --bench matmul -- [TYPE or TIER …]`
//!
//! GEMV is given as GB/s of weights, once from the second cache (what the loop can do) and once from
//! memory (what decode sees); GEMM as GMAC/s. Each figure is the best of several runs, so a busy
//! machine lowers it least; compare the figures of one run only.

use std::time::{Duration, Instant};

use puna_kernels::{Activations, Kernels, TileMut, WeightType};

/// Weights per row.
const K: usize = 4096;
/// Rows of the matrix that fits the second cache.
const ROWS: usize = 256;
/// Rows of a GEMM: what a thread takes at a time.
const GEMM_ROWS: usize = 256;
/// Vectors of a GEMM.
const VECTORS: usize = 512;
/// Bytes that no cache holds.
const LARGE: usize = 192 << 20;
/// Time given to one figure.
const BUDGET: Duration = Duration::from_millis(60);

fn main() {
    let wanted: Vec<_> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let chosen = |name: &str, names: &[&str]| {
        let mine: Vec<_> = wanted
            .iter()
            .filter(|w| names.contains(&w.as_str()))
            .collect();
        mine.is_empty() || mine.iter().any(|w| *w == name)
    };
    let kernels = Kernels::available();
    let tiers: Vec<_> = kernels.iter().map(|k| k.isa().name()).collect();
    let types = WeightType::ALL.map(WeightType::name);
    // Small numbers in every byte: no scale is infinite or subnormal, which would change the speed.
    let weights: Vec<u8> = (0..LARGE).map(|i| 0x20 + (i % 29) as u8).collect();

    println!(
        "{:8} {:10} {:>12} {:>12} {:>12}",
        "type", "tier", "GEMV L2", "GEMV memory", "GEMM"
    );
    println!(
        "{:8} {:10} {:>12} {:>12} {:>12}",
        "", "", "GB/s", "GB/s", "GMAC/s"
    );
    for ty in WeightType::ALL {
        for kernels in &kernels {
            let tier = kernels.isa().name();
            if chosen(ty.name(), &types) && chosen(tier, &tiers) {
                let [l2, memory, gemm] = measure(kernels, ty, &weights);
                println!(
                    "{:8} {tier:10} {l2:12.2} {memory:12.2} {gemm:12.2}",
                    ty.name()
                );
            }
        }
    }
}

/// GEMV in GB/s from cache and from memory, GEMM in GMAC/s.
fn measure(kernels: &Kernels, ty: WeightType, weights: &[u8]) -> [f64; 3] {
    let f: Vec<f32> = (0..VECTORS * K)
        .map(|i| (i % 255) as f32 / 127.0 - 1.0)
        .collect();
    let mut acts = Activations::default();
    let x = acts.quantize(kernels, ty.act_type(), &f, K);
    let small = &weights[..ROWS * ty.row_bytes(K)];
    let mut y = vec![0.0; ROWS * VECTORS];

    let seconds = best(|| {
        kernels.matmul(
            ty,
            small,
            x.range(0, 1),
            &mut TileMut::new(&mut y[..ROWS], ROWS),
        )
    });
    let l2 = small.len() as f64 / seconds / 1e9;

    // Slices of the large matrix in turn, each of them once through memory.
    let mut pieces = weights.chunks_exact(small.len()).cycle();
    let seconds = best(|| {
        let w = pieces
            .next()
            .expect("the large matrix holds several small ones");
        kernels.matmul(
            ty,
            w,
            x.range(0, 1),
            &mut TileMut::new(&mut y[..ROWS], ROWS),
        );
    });
    let memory = small.len() as f64 / seconds / 1e9;

    let mut acts = Activations::default();
    let x = acts.quantize(kernels, kernels.act_type(ty, VECTORS, K), &f, K);
    let small = &small[..GEMM_ROWS * ty.row_bytes(K)];
    let y = &mut y[..GEMM_ROWS * VECTORS];
    let seconds = best(|| kernels.matmul(ty, small, x, &mut TileMut::new(y, GEMM_ROWS)));
    let gemm = (GEMM_ROWS * K * VECTORS) as f64 / seconds / 1e9;
    [l2, memory, gemm]
}

/// The shortest time that `f` takes, in seconds.
fn best(mut f: impl FnMut()) -> f64 {
    f();
    let (start, mut least) = (Instant::now(), Duration::MAX);
    while start.elapsed() < BUDGET {
        let begin = Instant::now();
        f();
        least = least.min(begin.elapsed());
    }
    least.as_secs_f64()
}
