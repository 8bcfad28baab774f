//! Tiny models of every type and shape against a forward pass written from the papers in `f64`.

use puna_core::{
    gguf::{Gguf, Map},
    kv_cache::KvType,
    model::Model,
    session::SessionOptions,
};
use puna_kernels::{Kernels, WeightType};
use puna_tests::{
    judge::{EXACT, EXACT_F16, INT8, INT8_Q4_0, INT8_Q8_0, distance, every_logit, options},
    paper::Paper,
    tiny::{Shape, Tiny},
};

/// The exact and the integer path, with each form of the cache, against the paper.
fn judge(name: &str, shape: Shape, n: usize) {
    let tiny = Tiny::new(shape);
    let model = tiny.model();
    let want = Paper::new(&tiny).logits(&tiny.tokens(n));
    let paths = [
        ("exact", KvType::F32, true, EXACT),
        ("exact, f16 cache", KvType::F16, true, EXACT_F16),
        ("int8", KvType::F16, false, INT8),
        ("int8, q8_0 cache", KvType::Q8_0, false, INT8_Q8_0),
        ("int8, q4_0 cache", KvType::Q4_0, false, INT8_Q4_0),
    ];
    for (path, kv, exact, most) in paths {
        if !kv.takes(tiny.shape.head_dim) {
            continue;
        }
        let had = distance(&want, &every_logit(&model, &tiny, n, &options(kv, exact)));
        println!(
            "{name:32} {path:16} |Δ| {:.1e}, KL {:.1e}",
            had.difference, had.kl
        );
        assert!(
            had.difference <= most.difference,
            "{name}: {path}: |Δ| {}",
            had.difference
        );
        assert!(had.kl <= most.kl, "{name}: {path}: KL {}", had.kl);
    }
}

#[test]
fn every_weight_type() {
    for ty in WeightType::ALL {
        judge(ty.name(), Shape::of(ty), 20);
    }
}

#[test]
fn every_grouping_of_queries() {
    for group in 1..=8 {
        for n_head_kv in [1, 2] {
            let shape = Shape::of(WeightType::Q8_0).heads(group * n_head_kv, n_head_kv);
            judge(&format!("{group}:1, {n_head_kv} key heads"), shape, 12);
        }
    }
}

#[test]
fn every_option_of_the_architecture() {
    use WeightType::{BF16, F16, F32, Q4_0, Q5_1, Q8_0};
    let (float, block) = (Shape::of(F32), Shape::of(Q8_0));
    let stretched = |key| Some((key, 4.0));
    let cases = [
        (
            "tied",
            Shape {
                tied: true,
                ..Shape::of(Q4_0)
            },
        ),
        (
            "tied, F16",
            Shape {
                tied: true,
                ..Shape::of(F16)
            },
        ),
        (
            "biases",
            Shape {
                bias: true,
                ..block.clone()
            },
        ),
        (
            "biases, F16 vectors",
            Shape {
                bias: true,
                vector_type: F16,
                ..Shape::of(F16)
            },
        ),
        (
            "BF16 vectors",
            Shape {
                vector_type: BF16,
                ..Shape::of(BF16)
            },
        ),
        (
            "rope_freqs",
            Shape {
                rope_freqs: true,
                rope_base: 500_000.0,
                ..block.clone()
            },
        ),
        (
            "rope.scaling.factor 4",
            Shape {
                rope_stretch: stretched("rope.scaling.factor"),
                ..float.clone()
            },
        ),
        (
            "rope.scale_linear 4",
            Shape {
                rope_stretch: stretched("rope.scale_linear"),
                ..float.clone()
            },
        ),
        (
            "half of the head rotated",
            Shape {
                rope_dim: 16,
                ..block.clone()
            },
        ),
        (
            "two dimensions rotated",
            Shape {
                rope_dim: 2,
                rope_freqs: true,
                ..float.clone()
            },
        ),
        (
            "key_length above n_embd / n_head",
            block.clone().head_dim(64),
        ),
        (
            "key_length below n_embd / n_head",
            float.clone().head_dim(12),
        ),
        ("head_dim 2", float.clone().head_dim(2)),
        ("head_dim 90", float.clone().head_dim(90)),
        (
            "n_embd 31, n_ff 17",
            Shape {
                n_embd: 31,
                n_ff: 17,
                ..float.clone()
            },
        ),
        (
            "n_embd 7, n_ff 1, F16",
            Shape {
                n_embd: 7,
                n_ff: 1,
                ..Shape::of(F16)
            },
        ),
        (
            "n_embd 96, n_ff 32",
            Shape {
                n_embd: 96,
                n_ff: 32,
                ..Shape::of(Q5_1)
            },
        ),
        (
            "one layer",
            Shape {
                n_layer: 1,
                ..block.clone()
            },
        ),
        (
            "five layers",
            Shape {
                n_layer: 5,
                ..block
            },
        ),
        (
            "types mixed",
            Shape {
                types: WeightType::ALL.to_vec(),
                ..Shape::of(WeightType::Q4_K)
            },
        ),
        (
            "types mixed, rows of 32s",
            Shape {
                types: WeightType::ALL.to_vec(),
                ..Shape::of(Q4_0)
            },
        ),
    ];
    for (name, shape) in cases {
        judge(name, shape, 16);
    }
}

/// Past a chunk of the cache, which attention takes 256 places at a time, and past a batch.
#[test]
fn a_long_prompt() {
    let small = Shape {
        n_layer: 2,
        n_ff: 64,
        ..Shape::of(WeightType::Q8_0)
    };
    judge(
        "300 tokens",
        Shape {
            n_embd: 64,
            ..small.heads(4, 2)
        },
        300,
    );
}

#[test]
fn a_model_in_several_files_is_the_same_model() {
    let tiny = Tiny::new(Shape::of(WeightType::Q4_1));
    let want = every_logit(&tiny.model(), &tiny, 5, &options(KvType::F16, false));
    for n in [2, 3, 7] {
        let maps = tiny.shards(n).into_iter().map(Map::from_bytes);
        let gguf = Gguf::from_maps(maps).unwrap();
        assert_eq!(gguf.n_shards(), n);
        let model = Model::from_gguf(gguf).unwrap();
        let got = every_logit(&model, &tiny, 5, &options(KvType::F16, false));
        assert!(got == want, "{n} files");
    }
}

/// Every tier gives the scalar definitions' bits, whatever the type, the threads and the cache.
#[test]
fn every_tier_gives_the_same_bits() {
    let tables = Kernels::available();
    let names: Vec<_> = tables.iter().map(|t| t.isa().name()).collect();
    println!("tiers: {}", names.join(", "));
    if let Ok(wanted) = std::env::var("WANT_TIER") {
        assert!(names.contains(&&*wanted), "no tier {wanted} here");
    }
    let shapes = WeightType::ALL.map(Shape::of).into_iter();
    let odd = Shape {
        n_embd: 31,
        n_ff: 17,
        bias: true,
        ..Shape::of(WeightType::F32)
    };
    for shape in shapes.chain([odd]) {
        let tiny = Tiny::new(shape);
        let model = tiny.model();
        for (kv, exact) in [
            (KvType::F32, false),
            (KvType::F16, false),
            (KvType::Q8_0, false),
            (KvType::Q4_0, false),
            (KvType::F32, true),
        ] {
            if !kv.takes(tiny.shape.head_dim) {
                continue;
            }
            let mut want = None;
            for (i, kernels) in tables.iter().enumerate() {
                let model = model.clone().with_kernels(kernels.clone());
                let options = SessionOptions {
                    n_threads: Some(1 + i),
                    ..options(kv, exact)
                };
                let got = every_logit(&model, &tiny, 9, &options);
                let want = want.get_or_insert_with(|| got.clone());
                let same = got
                    .iter()
                    .flatten()
                    .map(|l| l.to_bits())
                    .eq(want.iter().flatten().map(|l| l.to_bits()));
                assert!(
                    same,
                    "{}, {:?}, cache {}, exact {exact}",
                    kernels.isa().name(),
                    tiny.shape.types,
                    kv.name()
                );
            }
        }
    }
}
