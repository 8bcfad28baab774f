//! Tiers that take many vectors in another form than the definitions do: near them, by a bound from the
//! magnitudes, and the same bits however rows and vectors are grouped.

use puna_kernels::{ActType, Activations, Kernels, TileMut, WeightType, dequantize};

use crate::common::{Range, Rng, assert_same, floats, weights};
use crate::guard::{Output, Unaligned, in_place};
use crate::tiers;

/// The tiers that have such a form, each with the types that it takes in it.
fn cases() -> impl Iterator<Item = (Kernels, WeightType)> {
    let (_, fast) = tiers();
    let all = fast
        .into_iter()
        .flat_map(|kernels| WeightType::ALL.map(|ty| (kernels.clone(), ty)));
    all.filter(|(kernels, ty)| kernels.act_type(*ty, usize::MAX, 32) != ty.act_type())
}

/// `y[t][r]` in double precision, and how far rounding `w` and `x` to eight bits of mantissa may move it.
fn definition(w: &[f32], x: &[f32], k: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut y, mut bound) = (Vec::new(), Vec::new());
    for x in x.chunks_exact(k) {
        for w in w.chunks_exact(k) {
            let largest = w.iter().fold(0.0f32, |max, w| max.max(w.abs()));
            let (mut sum, mut reach) = (0.0, 0.0);
            for (&w, &x) in w.iter().zip(x) {
                let (w, x) = (f64::from(w), f64::from(x));
                sum += w * x;
                // Two roundings to nearest, by 2^-8 each at most; and a weight near 0 is the difference of two larger numbers.
                reach += x.abs() * (w.abs() / 127.0 + f64::from(largest) * 1e-6);
            }
            y.push(sum);
            bound.push(reach);
        }
    }
    (y, bound)
}

#[test]
fn many_vectors_are_near_the_definition() {
    let mut seed = 40_000;
    for (kernels, ty) in cases() {
        for (rows, n, k) in [
            (1, 32, 256),
            (16, 33, 512),
            (33, 48, 768),
            (70, 40, 1280),
            (5, 70, 2304),
        ] {
            for range in [Range::Tame, Range::Extreme] {
                seed += 1;
                let mut rng = Rng::new(seed);
                let w = weights(&mut rng, ty, rows * k / ty.block_len(), range);
                let w = Unaligned::new(&w, seed as usize % 16);
                let f = floats(&mut rng, n * k, range);
                let form = kernels.act_type(ty, 64, k);
                assert_eq!(form, ActType::BF16, "the only other form");
                let mut acts = Activations::default();
                let x = acts.quantize(&kernels, form, &f, k);
                let case = || {
                    format!(
                        "{:?} {ty} rows={rows} n={n} k={k} {range:?} seed={seed}",
                        kernels.isa()
                    )
                };
                let got = Output::new(n, rows).fill(|y| kernels.matmul(ty, w.bytes(), x, y), &case);
                let mut plain = vec![0.0; rows * k];
                dequantize(ty, w.bytes(), &mut plain);
                let (want, bound) = definition(&plain, &f, k);
                for (i, (got, (want, bound))) in got.iter().zip(want.iter().zip(&bound)).enumerate()
                {
                    let off = (f64::from(*got) - want).abs();
                    assert!(
                        off <= *bound,
                        "{}: [{i}] is {got:e}, not {want:e} by {bound:e}",
                        case()
                    );
                }
            }
        }
    }
}

#[test]
fn many_vectors_give_the_same_bits_in_every_grouping() {
    let (rows, n, k) = (75, 67, 768);
    for (seed, (kernels, ty)) in (50_000..).zip(cases()) {
        let mut rng = Rng::new(seed);
        let w = weights(&mut rng, ty, rows * k / ty.block_len(), Range::Tame);
        let f = floats(&mut rng, n * k, Range::Tame);
        let mut acts = Activations::default();
        let x = acts.quantize(&kernels, ActType::BF16, &f, k);
        let mut whole = vec![0.0; n * rows];
        kernels.matmul(ty, &w, x, &mut TileMut::new(&mut whole, rows));
        for (first, some) in [(0, 1), (1, 16), (17, 33), (50, 25)] {
            for (t, vectors) in [(0, 32), (16, 51), (48, 19)] {
                let case = || {
                    format!(
                        "{:?} {ty} rows {first} + {some}, vectors {t} + {vectors}",
                        kernels.isa()
                    )
                };
                let row_bytes = ty.row_bytes(k);
                let w = &w[first * row_bytes..(first + some) * row_bytes];
                let part = x.range(t, vectors);
                let got =
                    Output::new(vectors, some).fill(|y| kernels.matmul(ty, w, part, y), &case);
                let want: Vec<_> = (t..t + vectors)
                    .flat_map(|t| whole[t * rows + first..][..some].to_vec())
                    .collect();
                assert_same(&got, &want, &case);
            }
        }
    }
}

#[test]
fn many_vectors_do_not_hide_numbers_that_are_none() {
    let k = 256;
    for (kernels, ty) in cases() {
        let mut rng = Rng::new(60_000);
        let w = weights(&mut rng, ty, 17 * k / ty.block_len(), Range::Tame);
        for bad in [f32::NAN, f32::INFINITY] {
            let mut f = floats(&mut rng, 32 * k, Range::Tame);
            f[3 * k + 5] = bad;
            let mut acts = Activations::default();
            let x = acts.quantize(&kernels, ActType::BF16, &f, k);
            let mut y = vec![0.0; 32 * 17];
            kernels.matmul(ty, &w, x, &mut TileMut::new(&mut y, 17));
            for (t, y) in y.chunks_exact(17).enumerate() {
                let finite = y.iter().filter(|y| y.is_finite()).count();
                let want = if t == 3 { 0 } else { 17 };
                assert_eq!(
                    finite,
                    want,
                    "{:?} {ty}: {bad} in vector 3, vector {t}",
                    kernels.isa()
                );
            }
        }
    }
}

#[test]
#[should_panic(expected = "has no tiles of bfloat16")]
fn a_tier_without_tiles_refuses_them() {
    let (scalar, _) = tiers();
    let mut acts = Activations::default();
    let _ = acts.quantize(&scalar, ActType::BF16, &[0.0; 64], 32);
}

/// What several rows of weights make of a cache: every tier as its rows one by one, or near the
/// definition where it takes many in another form; the same bits with any rows beside them.
#[test]
fn many_rows_mix_as_each_alone() {
    let (_, fast) = tiers();
    let mut seed = 70_000;
    for kernels in fast {
        for ty in [
            WeightType::F32,
            WeightType::F16,
            WeightType::Q8_0,
            WeightType::Q4_0,
        ] {
            for (rows, len, width) in [
                (1, 5, 64),
                (1, 256, 96),
                (2, 7, 128),
                (3, 40, 32),
                (3, 41, 64),
                (5, 30, 160),
                (8, 3, 64),
                (32, 33, 64),
                (40, 256, 96),
                (47, 100, 128),
            ] {
                seed += 1;
                let mut rng = Rng::new(seed);
                let v = weights(&mut rng, ty, len * width / ty.block_len(), Range::Tame);
                let v = Unaligned::new(&v, seed as usize % 16);
                let p: Vec<_> = (0..rows * len).map(|_| rng.unit().abs()).collect();
                // A single token's heads see all; so does every other case here.
                let all = seed % 2 == 0;
                let some = |rng: &mut Rng| if all { len } else { rng.below(len + 1) };
                let seen: Vec<_> = (0..rows).map(|_| some(&mut rng)).collect();
                let out = floats(&mut rng, rows * width, Range::Tame);
                let form = kernels.act_type(ty, rows, width);
                let case = || {
                    format!(
                        "{:?} {ty} rows={rows} len={len} width={width} seed={seed}",
                        kernels.isa()
                    )
                };
                let mix = |p: &[f32], seen: &[usize], out: &[f32]| {
                    in_place(
                        out,
                        |out| kernels.mix_many(ty, v.bytes(), form, &mut p.to_vec(), seen, out),
                        &case,
                    )
                };
                let got = mix(&p, &seen, &out);
                let mut plain = vec![0.0; len * width];
                dequantize(ty, v.bytes(), &mut plain);
                let mut alone = out.clone();
                for (r, out) in alone.chunks_exact_mut(width).enumerate() {
                    let v = &v.bytes()[..seen[r] * ty.row_bytes(width)];
                    kernels.mix(ty, v, &p[r * len..][..seen[r]], out);
                }
                for (i, (got, alone)) in got.iter().zip(&alone).enumerate() {
                    let (r, c) = (i / width, i % width);
                    let terms = (0..seen[r]).map(|j| (p[r * len + j] * plain[j * width + c]).abs());
                    let reach = terms.sum::<f32>() / 127.0 + out[i].abs() * 1e-6;
                    let bound = if form == ty.act_type() { 0.0 } else { reach };
                    assert!(
                        (got - alone).abs() <= bound,
                        "{}: [{r}, {c}] is {got}, not {alone} by {bound}",
                        case()
                    );
                }
                if rows >= 40 {
                    let part = mix(
                        &p[4 * len..37 * len],
                        &seen[4..37],
                        &out[4 * width..37 * width],
                    );
                    assert_same(&part, &got[4 * width..37 * width], &case);
                }
            }
        }
    }
}
