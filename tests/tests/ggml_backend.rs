//! The backend "ggml": models of every type that ggml multiplies, against the paper and against our own
//! kernels. `cargo xtask test` builds ggml for it (feature `ggml`).

use std::{thread, time::Duration};

use puna_core::{
    cancel::Cancel,
    gguf::{GgmlType, Gguf},
    kv_cache::KvType,
    model::{Backend, Model, ModelError, ModelOptions},
    session::{Session, SessionError, SessionOptions},
};
use puna_ggml_sys::Type;
use puna_kernels::{Kernels, WeightType};
use puna_tests::{
    compare::{argmax, kl_divergence},
    golden::{PROMPTS, golden},
    judge::{EXACT, INT8, distance, every_logit, options},
    model::default_model,
    paper::Paper,
    tiny::{Shape, Tiny},
};

/// Widths that every type's blocks fit, and some of ggml's register and AMX tiles.
fn shape(ty: WeightType) -> Shape {
    Shape {
        types: vec![ty],
        ..Shape::of(WeightType::Q4_K)
    }
}

/// A model whose matrices ggml has quantized to `ty`; what they mean is what ggml says.
fn tiny(ty: GgmlType) -> Tiny {
    let mut tiny = Tiny::new(shape(WeightType::F32));
    let of_ggml = Type::from_number(ty.number()).expect("ggml has it");
    for tensor in tiny.tensors.iter_mut().filter(|t| t.dims.len() == 2) {
        let k = tensor.dims[0] as usize;
        let floats = std::mem::take(&mut tensor.values);
        tensor.values = vec![0.0; floats.len()];
        tensor.bytes = vec![0; of_ggml.row_bytes(floats.len())];
        tensor.ty = ty;
        let done = of_ggml.quantize_rows(&floats, k, &mut tensor.bytes);
        assert!(done, "ggml quantizes {ty}");
        if !of_ggml.dequantize(&tensor.bytes, &mut tensor.values) {
            assert_eq!(ty, GgmlType::F32, "only floats need no function");
            tensor.values = floats;
        }
    }
    tiny
}

fn open(tiny: &Tiny) -> Model {
    let opened = tiny.open_with(Backend::Ggml);
    opened.unwrap_or_else(|error| panic!("{error}"))
}

fn types() -> impl Iterator<Item = GgmlType> {
    GgmlType::ALL
        .iter()
        .copied()
        .filter(|t| t.ggml_multiplies())
}

#[test]
fn every_type_is_as_the_paper_says() {
    let mut alone = Vec::new();
    for ty in types() {
        let tiny = tiny(ty);
        let model = open(&tiny);
        let want = Paper::new(&tiny).logits(&tiny.tokens(20));
        for (path, kv, exact, most) in [
            ("products by ggml", KvType::F16, false, INT8),
            ("exact", KvType::F32, true, EXACT),
        ] {
            let had = distance(&want, &every_logit(&model, &tiny, 20, &options(kv, exact)));
            println!(
                "{ty:8} {path:17} |Δ| {:.1e}, KL {:.1e}",
                had.difference, had.kl
            );
            assert!(had.difference <= most.difference, "{ty}, {path}");
            assert!(had.kl <= most.kl, "{ty}, {path}");
        }
        if tiny.open().is_err() {
            alone.push(ty.name());
        }
    }
    let wanted = [
        "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ3_S", "IQ2_S", "IQ1_M", "TQ1_0", "TQ2_0",
        "MXFP4", "NVFP4", "Q1_0", "Q2_0",
    ];
    assert_eq!(alone, wanted, "types that only this backend runs");
}

/// How alike two sessions went on.
#[derive(Debug, Default)]
struct Alike {
    /// Tokens, and those of them that both found most likely.
    n: usize,
    same: usize,
    /// Nats between the distributions, the sum and the most.
    kl: f64,
    max_kl: f64,
}

/// Goes on for 24 tokens, all sessions as the first says. Asserts that the second's most likely token is
/// another only where the logits of the third, exact, differ by less than `margin`.
fn go_on(alike: &mut Alike, name: &str, [ours, theirs, exact]: [&mut Session; 3], margin: f32) {
    for i in 0..24 {
        let (a, b) = (argmax(ours.logits()), argmax(theirs.logits()));
        let kl = kl_divergence(ours.logits(), theirs.logits());
        (alike.n, alike.kl, alike.max_kl) = (alike.n + 1, alike.kl + kl, alike.max_kl.max(kl));
        if a == b {
            alike.same += 1;
        } else {
            let gap = exact.logits()[a.0 as usize] - exact.logits()[b.0 as usize];
            println!("{name}: part at token {i}, by {gap} in the exact logits");
            assert!(gap.abs() < margin, "{name}: token {i}, by {gap}");
        }
        for session in [&mut *ours, &mut *theirs, &mut *exact] {
            session.decode(a, &Cancel::new()).unwrap();
        }
    }
}

/// Greedy texts of the types that both have. The sessions take turns on one thread, where our kernels
/// and ggml's may both use AMX.
#[test]
fn tiny_models_go_on_as_with_our_kernels() {
    let mut alike = Alike::default();
    for ty in WeightType::ALL {
        let tiny = Tiny::new(shape(ty));
        let (ours, theirs) = (tiny.model(), open(&tiny));
        let session = |model: &Model, exact| {
            let mut session = Session::new(model, &options(KvType::F16, exact)).unwrap();
            session.prefill(&tiny.tokens(7), &Cancel::new()).unwrap();
            session
        };
        let mut sessions = [
            session(&ours, false),
            session(&theirs, false),
            session(&ours, true),
        ];
        let largest = sessions[2]
            .logits()
            .iter()
            .fold(0.0, |m: f32, l| m.max(l.abs()));
        // Each is off by up to INT8's difference.
        let margin = 2.0 * INT8.difference as f32 * largest;
        go_on(&mut alike, ty.name(), sessions.each_mut(), margin);
    }
    println!("{alike:?}");
    assert!(20 * alike.same >= 19 * alike.n, "{alike:?}");
    assert!(alike.max_kl <= INT8.kl, "{alike:?}");
}

#[test]
fn the_default_model_goes_on_as_with_our_kernels() {
    let ours = Model::open(&default_model()).unwrap();
    let options = ModelOptions {
        backend: Backend::Ggml,
        ..ModelOptions::default()
    };
    let theirs = Model::open_with(&default_model(), &options).unwrap();
    let mut alike = Alike::default();
    for prompt in PROMPTS {
        let golden = golden(prompt);
        let session = |model: &Model, exact| {
            let options = SessionOptions {
                n_ctx: Some(64),
                n_threads: Some(2),
                exact,
                ..SessionOptions::default()
            };
            let mut session = Session::new(model, &options).unwrap();
            session.prefill(&golden.ids, &Cancel::new()).unwrap();
            session
        };
        let mut sessions = [
            session(&ours, false),
            session(&theirs, false),
            session(&ours, true),
        ];
        go_on(&mut alike, prompt, sessions.each_mut(), 0.3);
    }
    // Both are about as far from the exact logits: ggml rounds other things than we do.
    println!("{alike:?}");
    assert!(10 * alike.same >= 9 * alike.n, "{alike:?}");
    assert!(alike.kl <= 0.01 * alike.n as f64, "{alike:?}");
    assert!(alike.max_kl <= 0.1, "{alike:?}");
}

/// Types that ggml keeps as they are, repacks, and lays out for tiles.
const KINDS: [GgmlType; 6] = [
    GgmlType::IQ3_S,
    GgmlType::MXFP4,
    GgmlType::Q4_1,
    GgmlType::Q4_K,
    GgmlType::F16,
    GgmlType::TQ1_0,
];

#[test]
fn threads_and_batches_do_not_matter() {
    for ty in KINDS {
        let tiny = tiny(ty);
        let model = open(&tiny);
        let want = Paper::new(&tiny).logits(&tiny.tokens(40));
        for (n_threads, n_batch) in [(1, 512), (2, 512), (3, 1), (2, 7), (4, 32)] {
            let options = SessionOptions {
                n_threads: Some(n_threads),
                n_batch,
                ..options(KvType::F16, false)
            };
            let had = distance(&want, &every_logit(&model, &tiny, 40, &options));
            let close = had.difference <= INT8.difference && had.kl <= INT8.kl;
            assert!(
                close,
                "{ty}, {n_threads} threads, batches of {n_batch}: {had:?}"
            );
        }
    }
}

#[test]
fn sessions_on_several_threads_share_a_model() {
    for ty in KINDS {
        let tiny = tiny(ty);
        let model = open(&tiny);
        let options = options(KvType::F16, false);
        let want = every_logit(&model, &tiny, 30, &options);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..3 {
                        let got = every_logit(&model, &tiny, 30, &options);
                        assert!(got == want, "{ty}: two sessions at once");
                    }
                });
            }
        });
    }
}

/// Whatever kernels we run beside ggml's, AMX too, on the same thread.
#[test]
fn every_tier_goes_with_it() {
    let tiny = tiny(GgmlType::Q4_1);
    let model = open(&tiny);
    for kernels in Kernels::available() {
        let isa = kernels.isa();
        let ours = tiny.model().with_kernels(kernels.clone());
        let theirs = model.clone().with_kernels(kernels);
        let options = options(KvType::Q8_0, false);
        let want = every_logit(&theirs, &tiny, 40, &options);
        let _ = every_logit(&ours, &tiny, 40, &options);
        let again = every_logit(&theirs, &tiny, 40, &options);
        assert!(want == again, "{isa:?}: after our own products");
    }
}

/// Weights that ggml leaves as they are stay in the mapped file; the same bytes elsewhere are copied.
#[test]
fn what_ggml_leaves_as_it_is_stays_in_the_file() {
    let tiny = tiny(GgmlType::IQ2_XXS);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    std::fs::write(&path, tiny.bytes()).unwrap();
    let backend = ModelOptions {
        backend: Backend::Ggml,
        ..ModelOptions::default()
    };
    let mapped = Model::open_with(&path, &backend).unwrap();
    assert_eq!(mapped.rearranged_bytes(), 0);
    // A window that begins at an odd byte, so nothing in it is aligned.
    let mut shifted = vec![0];
    shifted.extend(tiny.bytes());
    let odd = folder.path().join("odd.gguf");
    std::fs::write(&odd, &shifted).unwrap();
    let file = std::fs::File::open(&odd).unwrap();
    let len = shifted.len() as u64 - 1;
    let map = puna_core::gguf::Map::from_fd(file, 1, len).unwrap();
    let copied = Model::from_gguf_with(Gguf::from_map(map).unwrap(), &backend).unwrap();
    assert!(copied.rearranged_bytes() > 0);
    let options = options(KvType::F16, false);
    let logits = |model| every_logit(model, &tiny, 9, &options);
    assert!(logits(&mapped) == logits(&copied));
}

#[test]
fn cancelling_stops_it_and_leaves_the_session_as_it_was() {
    let backend = ModelOptions {
        backend: Backend::Ggml,
        ..ModelOptions::default()
    };
    let model = Model::open_with(&default_model(), &backend).unwrap();
    let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
    let ids = golden("p3").ids;
    let cancel = Cancel::new();
    cancel.cancel();
    let stopped = session.prefill(&ids, &cancel);
    assert!(matches!(stopped, Err(SessionError::Cancelled)));
    assert!(session.tokens().is_empty());

    cancel.reset();
    let long: Vec<_> = ids.iter().copied().cycle().take(2000).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            cancel.cancel();
        });
        let stopped = session.prefill(&long, &cancel);
        assert!(matches!(stopped, Err(SessionError::Cancelled)));
    });
    assert!(session.tokens().is_empty());

    session.prefill(&ids, &Cancel::new()).unwrap();
    assert_eq!(session.tokens(), ids);
}

#[test]
fn what_ggml_cannot_multiply_is_an_error() {
    for ty in GgmlType::ALL.iter().filter(|ty| !ty.ggml_multiplies()) {
        let mut tiny = Tiny::new(shape(WeightType::Q4_K));
        let tensor = tiny.tensor_mut("blk.0.attn_q.weight");
        let bytes = ty.bytes_of(tensor.dims.iter().product()).unwrap();
        (tensor.ty, tensor.bytes) = (*ty, vec![0; bytes as usize]);
        let error = tiny.open_with(Backend::Ggml).expect_err("no products");
        assert!(matches!(error, ModelError::TensorType { by: None, .. }));
    }
}

#[test]
fn broken_weights_are_an_error() {
    let mut tiny = tiny(GgmlType::IQ3_S);
    // The scale of the first block is a half, NaN.
    tiny.tensor_mut("blk.1.ffn_down.weight").bytes[..2].copy_from_slice(&[0xff, 0x7f]);
    let mut session = Session::new(&open(&tiny), &options(KvType::F16, false)).unwrap();
    let tokens = tiny.tokens(3);
    let error = session.prefill(&tokens, &Cancel::new());
    assert!(matches!(error, Err(SessionError::NotFinite { .. })));
    assert!(session.tokens().is_empty());
}
