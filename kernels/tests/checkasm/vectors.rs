//! quantize, and the operations on plain `f32` vectors.

use puna_kernels::{ActType, Activations, Kernels};

use crate::common::{Range, Rng, assert_same, floats};
use crate::guard::{Output, in_place};
use crate::tiers;

/// Around every vector width, and odd.
const LENGTHS: [usize; 15] = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 131];

/// Calls `check` with each tier, random numbers of each length and range, and the case's name.
fn each(
    name: &str,
    first_seed: u64,
    check: impl Fn(&Kernels, &Kernels, &mut Rng, usize, Range, &dyn Fn() -> String),
) {
    let (scalar, fast) = tiers();
    let mut seed = first_seed;
    for n in LENGTHS {
        for range in Range::ALL {
            for _ in 0..4 {
                seed += 1;
                for kernels in &fast {
                    let case = || format!("{:?} {name} n={n} {range:?} seed={seed}", kernels.isa());
                    check(kernels, &scalar, &mut Rng::new(seed), n, range, &case);
                }
            }
        }
    }
}

#[test]
fn quantize_has_the_bits_of_scalar() {
    let (scalar, fast) = tiers();
    let mut seed = 40_000;
    for ty in [ActType::Q8_0, ActType::Q8_1, ActType::Q8_K] {
        for blocks in [1, 2, 3, 5] {
            for range in Range::ALL {
                for n in [1, 3] {
                    for _ in 0..4 {
                        seed += 1;
                        let k = blocks * ty.block_len();
                        let mut x = floats(&mut Rng::new(seed), n * k, range);
                        if seed.is_multiple_of(5) {
                            // Ties, for the rounding: multiples of half a step of max / 127.
                            x.iter_mut()
                                .enumerate()
                                .for_each(|(i, x)| *x = (i % 255) as f32 * 0.5 - 63.5);
                        }
                        for kernels in &fast {
                            check_quantize(kernels, &scalar, ty, &x, k, seed);
                        }
                    }
                }
            }
        }
    }
}

/// Ties, and the numbers next to them: with a largest number of ±127 the scale is exactly 1.
#[test]
fn quantize_rounds_as_scalar_does() {
    let (scalar, fast) = tiers();
    for largest in [127.0f32, -127.0] {
        let near = |x: f32| {
            [
                x.next_down(),
                x,
                x.next_up(),
                -x.next_down(),
                -x,
                -x.next_up(),
            ]
        };
        let mut x: Vec<f32> = (0..127).flat_map(|i| near(i as f32 + 0.5)).collect();
        x.retain(|x| x.abs() < 126.9);
        x.resize(1024, 0.25);
        x.iter_mut().step_by(32).for_each(|x| *x = largest);
        for kernels in &fast {
            for ty in [ActType::Q8_0, ActType::Q8_1, ActType::Q8_K] {
                check_quantize(kernels, &scalar, ty, &x, 256, 0);
            }
        }
    }
}

fn check_quantize(
    kernels: &Kernels,
    scalar: &Kernels,
    ty: ActType,
    x: &[f32],
    k: usize,
    seed: u64,
) {
    let (mut a, mut b) = (Activations::default(), Activations::default());
    let got = a.quantize(kernels, ty, x, k);
    let want = b.quantize(scalar, ty, x, k);
    let case = || {
        format!(
            "{:?} quantize {ty:?} k={k} n={} seed={seed}",
            kernels.isa(),
            got.n()
        )
    };
    for t in 0..got.n() {
        let (got, want) = (got.row(t), want.row(t));
        assert_eq!(got.qs(), want.qs(), "{}: qs", case());
        assert_eq!(got.sums(), want.sums(), "{}: sums", case());
        assert_same(got.d(), want.d(), &case);
        assert_same(got.s(), want.s(), &case);
        assert!(!got.qs().contains(&-128), "{}: -128", case());
    }
}

#[test]
fn rms_norm_has_the_bits_of_scalar() {
    each(
        "rms_norm",
        50_000,
        |kernels, scalar, rng, n, range, case| {
            let (x, w) = (floats(rng, n, range), floats(rng, n, range));
            let mut want = vec![0.0; n];
            scalar.rms_norm(&x, &w, 1e-5, &mut want);
            let got = Output::new(1, n).fill(|y| kernels.rms_norm(&x, &w, 1e-5, y.row(0)), case);
            assert_same(&got, &want, case);
        },
    );
}

#[test]
fn rope_has_the_bits_of_scalar() {
    each("rope", 51_000, |kernels, scalar, rng, n, range, case| {
        let x = floats(rng, n, range);
        // All the pairs, and, as in partial rotary embeddings, only some.
        for pairs in [n / 2, n / 3] {
            let (cos, sin) = (floats(rng, pairs, range), floats(rng, pairs, range));
            let mut want = x.clone();
            scalar.rope(&mut want, &cos, &sin);
            let got = in_place(&x, |x| kernels.rope(x, &cos, &sin), case);
            assert_same(&got, &want, case);
        }
    });
}

#[test]
fn softmax_part_has_the_bits_of_scalar() {
    each(
        "softmax_part",
        52_000,
        |kernels, scalar, rng, n, range, case| {
            let mut x = floats(rng, n, range);
            x.iter_mut().for_each(|x| *x *= 10.0);
            if rng.below(8) == 0 {
                x.fill(f32::NEG_INFINITY);
            }
            let mut want = x.clone();
            let (max, sum) = scalar.softmax_part(&mut want);
            let mut part = (0.0, 0.0);
            let got = in_place(&x, |x| part = kernels.softmax_part(x), case);
            assert_same(&got, &want, case);
            // Which of two zeros is the larger is nobody's business: + 0.0 makes them one.
            assert_same(&[part.0 + 0.0, part.1], &[max + 0.0, sum], case);
        },
    );
}

#[test]
fn swiglu_has_the_bits_of_scalar() {
    each("swiglu", 53_000, |kernels, scalar, rng, n, range, case| {
        let (x, up) = (floats(rng, n, range), floats(rng, n, range));
        let mut want = x.clone();
        scalar.swiglu(&mut want, &up);
        assert_same(&in_place(&x, |x| kernels.swiglu(x, &up), case), &want, case);
    });
}

#[test]
fn add_has_the_bits_of_scalar() {
    each("add", 54_000, |kernels, scalar, rng, n, range, case| {
        let (x, y) = (floats(rng, n, range), floats(rng, n, range));
        let mut want = x.clone();
        scalar.add(&mut want, &y);
        assert_same(&in_place(&x, |x| kernels.add(x, &y), case), &want, case);
    });
}

#[test]
fn scale_and_add_has_the_bits_of_scalar() {
    each(
        "scale_and_add",
        55_000,
        |kernels, scalar, rng, n, range, case| {
            let (x, y) = (floats(rng, n, range), floats(rng, n, range));
            let (a, b) = (floats(rng, 1, range)[0], floats(rng, 1, range)[0]);
            let mut want = x.clone();
            scalar.scale_and_add(&mut want, a, &y, b);
            let got = in_place(&x, |x| kernels.scale_and_add(x, a, &y, b), case);
            assert_same(&got, &want, case);
        },
    );
}

#[test]
fn hadamard_has_the_bits_of_scalar() {
    let (scalar, fast) = tiers();
    let mut seed = 56_000;
    for n in [8, 16, 32, 64, 128, 256] {
        for range in Range::ALL {
            seed += 1;
            let x = floats(&mut Rng::new(seed), n, range);
            let mut want = x.clone();
            scalar.hadamard(&mut want);
            for kernels in &fast {
                let case = || format!("{:?} hadamard n={n} {range:?} seed={seed}", kernels.isa());
                let got = in_place(&x, |x| kernels.hadamard(x), &case);
                assert_same(&got, &want, &case);
            }
        }
    }
}
