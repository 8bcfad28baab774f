//! dot, matmul and mix.

use puna_kernels::{Activations, WeightType};

use crate::common::{Range, Rng, assert_same, floats, weights};
use crate::guard::{Output, Unaligned, in_place};
use crate::tiers;

const VECTORS: [usize; 13] = [1, 2, 3, 4, 5, 7, 8, 11, 14, 16, 17, 25, 34];
const ROWS: [usize; 11] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 33];

/// Row lengths in blocks: around the unrolling of a kernel, and odd for the floats.
fn lengths(ty: WeightType) -> &'static [usize] {
    match ty.block_len() {
        1 => &[1, 7, 16, 31, 32, 33, 100],
        32 => &[1, 2, 3, 4, 5, 8, 9],
        _ => &[1, 2, 3],
    }
}

/// One case: every tier's matmul and dot against scalar's.
fn check(ty: WeightType, rows: usize, n: usize, blocks: usize, range: Range, seed: u64) {
    let (scalar, fast) = tiers();
    let mut rng = Rng::new(seed);
    let k = blocks * ty.block_len();
    let w = weights(&mut rng, ty, rows * blocks, range);
    let w = Unaligned::new(&w, seed as usize % 16);
    let f = floats(&mut rng, n * k, range);
    let mut acts = Activations::default();
    let x = acts.quantize(&scalar, ty.act_type(), &f, k);
    let nothing = || String::new();
    let want = Output::new(n, rows).fill(|y| scalar.matmul(ty, w.bytes(), x, y), &nothing);
    for kernels in fast {
        let isa = kernels.isa();
        let case =
            |op: &str| format!("{isa:?} {op} {ty} rows={rows} n={n} k={k} {range:?} seed={seed}");
        let got =
            Output::new(n, rows).fill(|y| kernels.matmul(ty, w.bytes(), x, y), &|| case("matmul"));
        assert_same(&got, &want, &|| case("matmul"));
        let row = &w.bytes()[..w.bytes().len() / rows];
        let got = kernels.dot(ty, row, x);
        assert_same(&[got], &want[..1], &|| case("dot"));
    }
}

/// Every type, row count and vector count; lengths and ranges take turns.
#[test]
fn matmul_has_the_bits_of_scalar() {
    let mut seed = 0;
    for ty in WeightType::ALL {
        let lengths = lengths(ty);
        for rows in ROWS {
            for n in VECTORS {
                seed += 1;
                let turn = seed as usize;
                let blocks = lengths[turn % lengths.len()];
                check(ty, rows, n, blocks, Range::ALL[turn / 7 % 3], seed);
            }
        }
    }
}

/// Every type, length and range, at the shapes of one tile and one row more.
#[test]
fn matmul_at_every_length_and_range() {
    let mut seed = 10_000;
    for ty in WeightType::ALL {
        for &blocks in lengths(ty) {
            for range in Range::ALL {
                for (rows, n) in [(8, 1), (17, 1), (9, 5)] {
                    seed += 1;
                    check(ty, rows, n, blocks, range, seed);
                }
            }
        }
    }
}

/// Rows long enough to be cut into several pieces, alone and in the largest tiles.
#[test]
fn matmul_of_long_rows() {
    let shapes = [(9, 1, 2048 + 256), (9, 5, 4096), (17, 26, 2048 + 256)];
    for (i, ty) in WeightType::ALL.into_iter().enumerate() {
        for (j, (rows, n, k)) in shapes.into_iter().enumerate() {
            let blocks = k / ty.block_len();
            let seed = 20_000 + (shapes.len() * i + j) as u64;
            check(ty, rows, n, blocks, Range::ALL[j], seed);
        }
    }
}

#[test]
fn no_weights_give_zeros() {
    let (_, fast) = tiers();
    for kernels in fast {
        for ty in WeightType::ALL {
            let case = || format!("{:?} {ty} of no rows", kernels.isa());
            let mut acts = Activations::default();
            let k = ty.block_len();
            let f = vec![1.0; k];
            let x = acts.quantize(&kernels, ty.act_type(), &f, k);
            let got = Output::new(1, 0).fill(|y| kernels.matmul(ty, &[], x, y), &case);
            assert!(got.is_empty());
        }
    }
}

#[test]
fn mix_has_the_bits_of_scalar() {
    let (scalar, fast) = tiers();
    let mut seed = 30_000;
    for ty in [
        WeightType::F32,
        WeightType::F16,
        WeightType::Q8_0,
        WeightType::Q4_0,
    ] {
        let widths = if ty.block_len() == 32 {
            &[32, 64, 96, 128, 160][..]
        } else {
            &[1, 5, 8, 31, 32, 64, 80, 100]
        };
        for &width in widths {
            for rows in [0, 1, 2, 3, 7, 16, 33] {
                for range in Range::ALL {
                    seed += 1;
                    let mut rng = Rng::new(seed);
                    let v = weights(&mut rng, ty, rows * width / ty.block_len(), range);
                    let v = Unaligned::new(&v, seed as usize % 16);
                    let p = floats(&mut rng, rows, range);
                    let out = floats(&mut rng, width, range);
                    let mut want = out.clone();
                    scalar.mix(ty, v.bytes(), &p, &mut want);
                    for kernels in &fast {
                        let isa = kernels.isa();
                        let case = || {
                            format!(
                                "{isa:?} mix {ty} rows={rows} width={width} {range:?} seed={seed}"
                            )
                        };
                        let got = in_place(&out, |out| kernels.mix(ty, v.bytes(), &p, out), &case);
                        assert_same(&got, &want, &case);
                    }
                }
            }
        }
    }
}
