//! Keys that moved beside keys that were stored at their new places, and values, which are the same.

use puna_core::{
    cancel::Cancel,
    kv_cache::KvType,
    session::{Session, SessionError},
};
use puna_kernels::{Kernels, WeightType, dequantize};
use puna_tests::{
    script,
    tiny::{Shape, Tiny},
};

use super::session;

/// In the first layer a key follows from its token and place alone, so one layer is all that these models have.
fn shapes() -> [(&'static str, Shape); 4] {
    let shape = Shape {
        n_layer: 1,
        n_embd: 64,
        n_ff: 96,
        ..Shape::of(WeightType::Q8_0).heads(4, 2)
    };
    [
        (
            "half of a head is rotated",
            Shape {
                rope_dim: 16,
                ..shape.clone()
            },
        ),
        (
            "rope_freqs",
            Shape {
                rope_freqs: true,
                rope_base: 500_000.0,
                ..shape.clone()
            },
        ),
        (
            "linear scaling",
            Shape {
                rope_stretch: Some(("rope.scaling.factor", 4.0)),
                ..shape.clone()
            },
        ),
        ("plain", shape),
    ]
}

/// The rows of one head as numbers.
fn numbers(session: &Session, head: usize, pos: usize) -> [Vec<f32>; 2] {
    let (kv, hd) = (session.cache(), session.model().config().head_dim);
    let rows = [
        kv.keys(0, head, pos..pos + 1),
        kv.values(0, head, pos..pos + 1),
    ];
    rows.map(|row| {
        let mut out = vec![0.0; hd];
        dequantize(kv.ty().weight_type(), row, &mut out);
        out
    })
}

/// The most that a key may be off: the root of its mean square error, in units of its largest number. Rotations, and
/// the Hadamard matrix of `q4_0`, leave the length of an error as it is, so what counts is three roundings, of half
/// a step each at most: of the key that was stored, of the one that moved, and of what it is held to. Their largest
/// numbers, which a step follows, may differ by √2.
fn bound(kv: KvType) -> f32 {
    let half_step = match kv {
        KvType::F32 => return 1e-5,
        KvType::F16 => 0.5 / 1024.0,
        KvType::Q8_0 => 0.5 / 127.0,
        KvType::Q4_0 => 0.5 / 8.0,
    };
    half_step * 3.0 * std::f32::consts::SQRT_2
}

#[test]
fn keys_that_moved_are_those_stored_at_their_new_places() {
    let go = Cancel::new();
    for (name, shape) in shapes() {
        let tiny = Tiny::new(shape);
        let model = tiny.model().with_kernels(Kernels::best_exact());
        let tokens = tiny.tokens(600);
        for kv in KvType::ALL {
            let mut worst = 0.0f32;
            for (keep, drop) in [
                (0, 1),
                (3, 100),
                (10, 256),
                (10, 300),
                (255, 1),
                (256, 256),
                (300, 5),
                (590, 4),
            ] {
                let mut moved = session(&model, kv, 600, 2);
                moved.prefill(&tokens, &go).unwrap();
                let logits = moved.logits().to_vec();
                moved.shift(keep, drop).unwrap();
                assert_eq!(moved.logits(), logits);
                let rest = [&tokens[..keep], &tokens[keep + drop..]].concat();
                assert_eq!(moved.tokens(), rest);
                let mut stored = session(&model, kv, 600, 1);
                stored.prefill(&rest, &go).unwrap();
                for pos in 0..rest.len() {
                    for head in 0..2 {
                        let [key, value] = numbers(&moved, head, pos);
                        let [want, same] = numbers(&stored, head, pos);
                        assert_eq!(value, same, "{name}, {}: a value", kv.name());
                        if pos < keep {
                            assert_eq!(key, want, "{name}, {}: a key that stays", kv.name());
                        }
                        let most = want.iter().fold(0.0f32, |most, k| most.max(k.abs()));
                        let off = key.iter().zip(&want).map(|(a, b)| (a - b) * (a - b));
                        let off = (off.sum::<f32>() / key.len() as f32).sqrt();
                        worst = worst.max(off / most);
                    }
                }
            }
            println!("{name}, {}: {worst:.1e} of a key", kv.name());
            assert!(worst <= bound(kv), "{name}, {}: {worst:.1e}", kv.name());
        }
    }
}

#[test]
fn threads_move_the_same_bits_and_forks_keep_their_rows() {
    let (_, shape) = shapes().into_iter().last().unwrap();
    let tiny = Tiny::new(Shape {
        n_layer: 2,
        ..shape
    });
    let model = tiny.model().with_kernels(Kernels::best_exact());
    let (tokens, go) = (tiny.tokens(600), Cancel::new());
    for kv in KvType::ALL {
        let mut wants = Vec::new();
        for n_threads in [1, 2, 3] {
            let mut session = session(&model, kv, 600, n_threads);
            session.prefill(&tokens[..560], &go).unwrap();
            let fork = session.fork();
            let before = script::rows(&fork);
            session.shift(20, 290).unwrap();
            session.prefill(&tokens[560..], &go).unwrap();
            assert!(script::rows(&fork) == before, "{}: a fork", kv.name());
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("state");
            fork.save(&path).unwrap();
            let options = puna_core::session::SessionOptions {
                n_ctx: Some(600),
                kv,
                exact: kv == KvType::F32,
                ..Default::default()
            };
            let mut mapped = Session::restore(&model, &path, &options).unwrap();
            mapped.shift(20, 290).unwrap();
            mapped.prefill(&tokens[560..], &go).unwrap();
            assert!(script::rows(&mapped) == script::rows(&session), "a map");
            let bits: Vec<_> = session.logits().iter().map(|l| l.to_bits()).collect();
            wants.push((script::rows(&session), bits));
        }
        assert!(wants.windows(2).all(|w| w[0] == w[1]), "{}", kv.name());
    }
}

#[test]
fn what_is_not_there_cannot_be_dropped() {
    let (_, shape) = shapes().into_iter().last().unwrap();
    let tiny = Tiny::new(shape);
    let model = tiny.model();
    let mut session = session(&model, KvType::F16, 100, 1);
    session.prefill(&tiny.tokens(50), &Cancel::new()).unwrap();
    for (keep, drop) in [(0, 51), (51, 0), (40, 11), (usize::MAX, 2)] {
        let error = session.shift(keep, drop).unwrap_err();
        assert!(
            matches!(error, SessionError::Shift { used: 50, .. }),
            "{error}"
        );
    }
    session.shift(10, 0).unwrap();
    assert_eq!(session.tokens(), tiny.tokens(50));
    session.shift(10, 40).unwrap();
    assert_eq!(session.tokens(), &tiny.tokens(50)[..10]);
}
