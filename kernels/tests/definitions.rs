//! The scalar definitions against answers that are not ours: golden blocks made by the PyPI package
//! `gguf` (tests/data/make_goldens.py), and `f64` arithmetic.

mod common;

use common::{Range, Rng, floats, same, weights};
use puna_kernels::{
    ActRow, Activations, Isa, Kernels, WeightType, block::Half, dequantize, quantize_row,
};

fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn golden_f32(name: &str) -> Vec<f32> {
    let bytes = golden(name);
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect()
}

#[test]
fn dequantize_matches_gguf() {
    for ty in WeightType::ALL {
        let want = golden_f32(&format!("{ty}.f32"));
        let mut got = vec![0.0; want.len()];
        dequantize(ty, &golden(&format!("{ty}.blocks")), &mut got);
        for (i, (g, w)) in got.iter().zip(&want).enumerate() {
            assert!(same(*g, *w), "{ty}[{i}]: {g:e}, gguf says {w:e}");
        }
    }
}

#[test]
fn quantize_row_matches_gguf() {
    let rows = golden_f32("rows.f32");
    let mut done = Vec::new();
    for ty in WeightType::ALL {
        if ty.block_len() > 32 {
            continue;
        }
        let mut got = vec![0; ty.row_bytes(rows.len())];
        if quantize_row(ty, &rows, &mut got) && ty != WeightType::F32 {
            assert_eq!(got, golden(&format!("{ty}.rounded")), "{ty}");
            done.push(ty.name());
        }
    }
    assert_eq!(
        done,
        ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]
    );
}

/// The bytes of a block of `ty` that hold quants, for the types with minimums.
fn quants(ty: WeightType) -> std::ops::Range<usize> {
    match ty {
        WeightType::Q4_1 | WeightType::Q5_1 => 4..ty.block_bytes(),
        WeightType::Q2_K => 16..80,
        WeightType::Q4_K | WeightType::Q5_K => 16..ty.block_bytes(),
        _ => 0..0,
    }
}

/// The minimums of a row: what its weights are when every quant is 0.
fn minimums(ty: WeightType, row: &[u8], k: usize) -> Vec<f32> {
    let mut out = vec![0.0; k];
    if !quants(ty).is_empty() {
        let mut row = row.to_vec();
        for block in row.chunks_exact_mut(ty.block_bytes()) {
            block[quants(ty)].fill(0);
        }
        dequantize(ty, &row, &mut out);
    }
    out
}

/// The numbers that an activation row stands for.
fn activations(x: &ActRow<'_>, k: usize) -> Vec<f64> {
    if !x.f().is_empty() {
        return x.f().iter().map(|&x| f64::from(x)).collect();
    }
    let per = k / x.d().len();
    let value = |(i, &q): (usize, &i8)| f64::from(x.d()[i / per]) * f64::from(q);
    x.qs().iter().enumerate().map(value).collect()
}

/// `Q8_1` keeps `d * Σq` rounded: what that rounding may cost, times the minimum.
fn sum_rounding(ty: WeightType, row: &[u8], x: &ActRow<'_>) -> f64 {
    let blocks = row.chunks_exact(ty.block_bytes());
    let minimum = |b: &[u8]| f64::from(Half([b[2], b[3]]).to_f32()).abs();
    let sums = blocks.zip(x.s()).zip(x.d().iter().zip(x.sums()));
    sums.map(|((b, s), (d, sum))| {
        let exact = f64::from(*d) * f64::from(*sum);
        let error = (f64::from(*s) - exact).abs();
        assert!(
            error <= exact.abs() * 1e-7 + 1e-37,
            "s = {s}, d Σq = {exact}"
        );
        minimum(b) * error
    })
    .sum()
}

#[test]
fn scalar_dot_is_close_to_f64() {
    let scalar = Kernels::for_isa(Isa::Scalar).expect("scalar always runs");
    for (i, ty) in WeightType::ALL.into_iter().enumerate() {
        for seed in 0..60 {
            let seed = seed + 1000 * i as u64;
            let mut rng = Rng::new(seed);
            let range = if seed.is_multiple_of(4) {
                Range::Extreme
            } else {
                Range::Tame
            };
            let blocks = 1 + rng.below(if ty.block_len() == 1 { 300 } else { 6 });
            let k = blocks * ty.block_len();
            let row = weights(
                &mut rng,
                ty,
                blocks,
                if ty.block_len() == 1 {
                    Range::Tame
                } else {
                    range
                },
            );
            let f = floats(&mut rng, k, range);
            let mut acts = Activations::default();
            let x = acts.quantize(&scalar, ty.act_type(), &f, k);
            let got = f64::from(scalar.dot(ty, &row, x));

            let mut w = vec![0.0; k];
            dequantize(ty, &row, &mut w);
            let (mins, x) = (minimums(ty, &row, k), x.row(0));
            let (mut want, mut magnitude) = (0.0f64, 0.0f64);
            for ((&w, &m), x) in w.iter().zip(&mins).zip(activations(&x, k)) {
                want += f64::from(w) * x;
                magnitude += ((f64::from(w) - f64::from(m)).abs() + f64::from(m).abs()) * x.abs();
            }
            let steps = blocks as f64 + 8.0;
            let bound = magnitude * f64::from(f32::EPSILON) * steps
                + if x.s().is_empty() {
                    0.0
                } else {
                    sum_rounding(ty, &row, &x)
                };
            assert!(
                (got - want).abs() <= bound,
                "{ty} k={k} seed={seed}: {got} != {want} within {bound:e}"
            );
        }
    }
}

#[test]
fn a_dot_of_the_largest_numbers_does_not_overflow() {
    let scalar = Kernels::for_isa(Isa::Scalar).expect("scalar always runs");
    let mut row = vec![0x80; WeightType::Q8_0.row_bytes(64)];
    for block in row.chunks_exact_mut(34) {
        block[..2].copy_from_slice(&Half::from_f32(1.0).0);
    }
    let mut acts = Activations::default();
    let x = vec![-127.0; 64];
    let x = acts.quantize(&scalar, WeightType::Q8_0.act_type(), &x, 64);
    for kernels in Kernels::available() {
        assert_eq!(kernels.dot(WeightType::Q8_0, &row, x), 64.0 * 128.0 * 127.0);
    }
}

/// The matrix's entry is `(-1)^(number of ones in i & j) / sqrt(n)`.
#[test]
fn hadamard_is_the_matrix_and_its_own_inverse() {
    let kernels = Kernels::for_isa(Isa::Scalar).unwrap();
    for n in [8usize, 32, 64, 128] {
        let x = floats(&mut Rng::new(n as u64), n, Range::Tame);
        let mut got = x.clone();
        kernels.hadamard(&mut got);
        for (i, got) in got.iter().enumerate() {
            let term = |(j, x): (usize, &f32)| match (i & j).count_ones() % 2 {
                0 => f64::from(*x),
                _ => -f64::from(*x),
            };
            let want = x.iter().enumerate().map(term).sum::<f64>() / (n as f64).sqrt();
            let reach: f64 = x.iter().map(|x| f64::from(x.abs())).sum();
            assert!((f64::from(*got) - want).abs() <= 1e-6 * reach, "{n}: [{i}]");
        }
        kernels.hadamard(&mut got);
        let largest = x.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let back = x
            .iter()
            .zip(&got)
            .all(|(x, y)| (x - y).abs() <= 2e-6 * largest);
        assert!(back, "{n}: not its own inverse");
    }
}
