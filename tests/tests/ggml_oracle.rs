//! Our kernels' definitions against ggml itself, on random and hostile blocks. `cargo xtask test`
//! builds ggml for it (feature `ggml`).

#[path = "../../kernels/tests/common/mod.rs"]
mod common;

use common::{Range, Rng, assert_same, floats, weights};
use puna_core::gguf::GgmlType;
use puna_ggml_sys::{Engine, Type, Weights};
use puna_kernels::{ActType, Activations, Kernels, TileMut, WeightType, dequantize, quantize_row};
use puna_tests::ggml::{bound, exact_floats, ggml_type, magnitudes};

#[test]
fn the_table_of_types_is_that_of_ggml() {
    let theirs: Vec<_> = Type::all().map(Type::number).collect();
    let ours: Vec<_> = GgmlType::ALL.iter().map(|ty| ty.number()).collect();
    assert_eq!(ours, theirs, "numbers");
    for ty in GgmlType::ALL {
        let other = Type::from_number(ty.number()).expect("as just compared");
        assert!(ty.name().eq_ignore_ascii_case(other.name()), "{ty}");
        assert_eq!(
            (ty.block_len(), ty.block_bytes()),
            (other.block_len(), other.block_bytes()),
            "{ty}: block length and bytes"
        );
        let products = other.act_type().is_some();
        assert_eq!(ty.ggml_multiplies(), products, "{ty}: ggml multiplies");
    }
    for ty in WeightType::ALL {
        let other = ggml_type(ty.name());
        assert_eq!(
            (ty.block_len(), ty.block_bytes()),
            (other.block_len(), other.block_bytes()),
            "{ty}: block length and bytes"
        );
    }
}

#[test]
fn dequantize_has_the_bits_of_ggml() {
    for (i, ty) in WeightType::ALL.into_iter().enumerate() {
        for (j, range) in Range::ALL.into_iter().enumerate() {
            let mut rng = Rng::new((10 * i + j) as u64);
            let blocks = 65_536 / ty.block_len();
            let w = weights(&mut rng, ty, blocks, range);
            let mut got = vec![0.0; blocks * ty.block_len()];
            let mut want = got.clone();
            dequantize(ty, &w, &mut got);
            if !ggml_type(ty.name()).dequantize(&w, &mut want) {
                assert_eq!(ty, WeightType::F32, "only floats need no function");
                let singles = w.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
                want = singles.collect();
            }
            assert_same(&got, &want, &|| format!("dequantize {ty} {range:?}"));
        }
    }
}

/// Rows that a quantizer may stumble over, `k` long each. All are finite and either zero or not so
/// small that the inverse of a scale overflows, where C leaves the conversion to an integer undefined.
fn rows_to_quantize(rng: &mut Rng, k: usize) -> Vec<Vec<f32>> {
    let mut rows = vec![vec![0.0; k], vec![-0.0; k], vec![1.0; k], vec![-1.5; k]];
    for scale in [1e-30, 1e-8, 1e-4, 1.0, 6e4, 1e6, 1e30] {
        for _ in 0..40 {
            rows.push((0..k).map(|_| rng.unit() * scale).collect());
        }
    }
    for _ in 0..100 {
        // Multiples of a power of two: ties, and the largest magnitude more than once, of both signs.
        let levels = 1 << (1 + rng.below(8));
        let one = |rng: &mut Rng| (rng.below(2 * levels + 1) as f32 - levels as f32) / 16.0;
        rows.push((0..k).map(|_| one(rng)).collect());
        rows.push(floats(rng, k, Range::Extreme));
    }
    for at in 0..k.min(64) {
        let mut lonely = vec![0.0; k];
        lonely[at] = if at % 2 == 0 { 3.0 } else { -3.0 };
        rows.push(lonely);
    }
    rows
}

#[test]
fn quantize_row_has_the_bits_of_ggml() {
    let mut done = Vec::new();
    for ty in WeightType::ALL {
        let k = 64.max(ty.block_len());
        let mut rng = Rng::new(77);
        let mut compared = 0;
        for x in rows_to_quantize(&mut rng, k) {
            let mut got = vec![0; ty.row_bytes(k)];
            let mut want = got.clone();
            if ty == WeightType::F32 || !quantize_row(ty, &x, &mut got) {
                continue;
            }
            assert!(ggml_type(ty.name()).quantize(&x, &mut want), "ggml has it");
            assert_eq!(got, want, "quantize {ty} of {x:?}");
            compared += 1;
        }
        if compared > 0 {
            done.push(ty.name());
        }
    }
    assert_eq!(
        done,
        ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]
    );
}

/// Any bits at all, NaN included, to the two small floats. A NaN stays one, whatever its other bits.
#[test]
fn halves_of_any_float_are_those_of_ggml() {
    let mut rng = Rng::new(5);
    let x: Vec<f32> = (0..1 << 20)
        .map(|_| f32::from_bits(rng.next() as u32))
        .collect();
    for ty in [WeightType::F16, WeightType::BF16] {
        let mut bytes = [vec![0; 2 * x.len()], vec![0; 2 * x.len()]];
        assert!(quantize_row(ty, &x, &mut bytes[0]));
        assert!(ggml_type(ty.name()).quantize(&x, &mut bytes[1]));
        let [got, want] = bytes.map(|bytes| {
            let mut floats = vec![0.0; x.len()];
            dequantize(ty, &bytes, &mut floats);
            floats
        });
        assert_same(&got, &want, &|| format!("rounding to {ty}"));
    }
}

/// `x` in ggml's blocks for activations, by its reference function where it has one.
fn ggml_activations(ty: Type, x: &[f32]) -> Vec<u8> {
    let mut blocks = vec![0; ty.row_bytes(x.len())];
    if ty.name() == "f32" {
        let bytes: Vec<_> = x.iter().flat_map(|x| x.to_le_bytes()).collect();
        return bytes;
    }
    let done = ty.quantize(x, &mut blocks) || ty.quantize_activations(x, &mut blocks);
    assert!(done, "ggml quantizes to {}", ty.name());
    blocks
}

/// The integers are ggml's; our scales are its scales before it rounds them to halves
/// (docs/adr/0001-activation-scales-stay-f32.md).
#[test]
fn activations_have_the_integers_of_ggml() {
    use puna_kernels::block::Half;
    let k = 256;
    for (ty, name, scales, first) in [
        (ActType::Q8_0, "q8_0", 2, 2),
        (ActType::Q8_1, "q8_1", 2, 4),
        (ActType::Q8_K, "q8_K", 4, 4),
    ] {
        let theirs = ggml_type(name);
        let mut rng = Rng::new(6);
        for x in rows_to_quantize(&mut rng, k) {
            let blocks = ggml_activations(theirs, &x);
            let mut acts = Activations::default();
            let ours = acts.quantize(&Kernels::best(), ty, &x, k).row(0);
            let (len, bytes) = (theirs.block_len(), theirs.block_bytes());
            for (i, block) in blocks.chunks_exact(bytes).enumerate() {
                let ints: Vec<_> = block[first..first + len].iter().map(|&b| b as i8).collect();
                assert_eq!(ours.qs()[i * len..][..len], ints, "{name} of {x:?}");
                let d = ours.d()[i];
                let rounded = if scales == 2 {
                    Half::from_f32(d).0.to_vec()
                } else {
                    d.to_le_bytes().to_vec()
                };
                assert_eq!(rounded, block[..scales], "{name}: scale {d:e} of {x:?}");
            }
        }
    }
}

#[test]
fn dot_is_that_of_ggml_within_the_bound() {
    for (i, ty) in WeightType::ALL.into_iter().enumerate() {
        let theirs = ggml_type(ty.name());
        let act_type = theirs.act_type().expect("ggml computes with it");
        for seed in 0..200 {
            let mut rng = Rng::new(seed + 1000 * i as u64);
            let range = Range::ALL[(seed % 2) as usize];
            let blocks = 1 + rng.below(512 / ty.block_len());
            // ggml's floats take a whole number of 32.
            let k = (blocks * ty.block_len()).next_multiple_of(32);
            let float = ty.block_len() == 1;
            let kind = if float { Range::Tame } else { range };
            let w = weights(&mut rng, ty, k / ty.block_len(), kind);
            let f = floats(&mut rng, k, range);
            let want = theirs.dot(&w, &ggml_activations(act_type, &f), k);
            let want = f64::from(want.expect("it has an activation type"));
            for kernels in Kernels::available() {
                let mut acts = Activations::default();
                let x = acts.quantize(&kernels, ty.act_type(), &f, k);
                let got = f64::from(kernels.dot(ty, &w, x));
                let bound = bound(ty, &magnitudes(ty, &w, k), &x.row(0));
                assert!(
                    (got - want).abs() <= bound,
                    "{:?} {ty} k={k} seed={seed}: {got}, ggml {want}, bound {bound:e}",
                    kernels.isa()
                );
            }
        }
    }
}

/// Through ggml's graph, in the buffer of its choice, so its repacked and tiled kernels too.
#[test]
fn matmul_is_that_of_ggml_within_the_bound() {
    let (rows, k) = (64, 512);
    let kernels = Kernels::best();
    for (i, ty) in WeightType::ALL.into_iter().enumerate() {
        for (j, (n, threads)) in [(1, 1), (3, 2), (32, 1), (33, 2)].into_iter().enumerate() {
            let mut rng = Rng::new((100 * i + j) as u64);
            let w = weights(&mut rng, ty, rows * k / ty.block_len(), Range::Tame);
            let f = exact_floats(|below| rng.below(below), n * k);
            let weights = Weights::new(ggml_type(ty.name()), &w, rows, k).expect("memory");
            let mut want = vec![0.0; n * rows];
            Engine::new(threads).products(&f, &mut [(&weights, &mut want)]);

            let mut got = vec![0.0; n * rows];
            let mut acts = Activations::default();
            let x = acts.quantize(&kernels, ty.act_type(), &f, k);
            kernels.matmul(ty, &w, x, &mut TileMut::new(&mut got, rows));
            let buffer = weights.buffer().unwrap_or_default();
            println!("{ty} n={n}: ggml keeps the weights in {buffer}");
            for (at, (got, want)) in got.iter().zip(&want).enumerate() {
                let (column, row) = (at / rows, at % rows);
                let row_bytes = &w[row * ty.row_bytes(k)..][..ty.row_bytes(k)];
                let bound = bound(ty, &magnitudes(ty, row_bytes, k), &x.row(column));
                assert!(
                    f64::from(got - want).abs() <= bound,
                    "{ty} in {buffer}, n={n}, row {row}, column {column}: {got}, ggml {want}, bound {bound:e}"
                );
            }
        }
    }
}
