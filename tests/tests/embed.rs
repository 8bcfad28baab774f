//! Texts as vectors, against the paper's forward pass.

use puna_core::{
    cancel::Cancel,
    embed::{EmbedError, EmbedOptions, Embedder, Pooling},
    gguf::OwnedValue,
    kv_cache::KvType,
    model::Model,
    session::{SessionError, SessionOptions},
    tokenizer::TokenId,
};
use puna_kernels::WeightType;
use puna_tests::{
    judge::options,
    paper::Paper,
    tiny::{Shape, Tiny},
};

const POOLINGS: [Pooling; 3] = [Pooling::Mean, Pooling::Cls, Pooling::Last];

fn embedder(model: &Model, pooling: Pooling, normalize: bool, session: SessionOptions) -> Embedder {
    let options = EmbedOptions {
        pooling: Some(pooling),
        normalize,
        session,
    };
    Embedder::new(model, &options).unwrap()
}

/// The definition, of the paper's hidden states.
fn pooled(states: &[Vec<f64>], pooling: Pooling, normalize: bool) -> Vec<f64> {
    let mut vector = match pooling {
        Pooling::Mean => (0..states[0].len())
            .map(|i| states.iter().map(|s| s[i]).sum::<f64>() / states.len() as f64)
            .collect(),
        Pooling::Cls => states[0].clone(),
        Pooling::Last => states[states.len() - 1].clone(),
    };
    if normalize {
        let length = norm(&vector);
        vector.iter_mut().for_each(|x: &mut f64| *x /= length);
    }
    vector
}

fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn wide(vector: &[f32]) -> Vec<f64> {
    vector.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn vectors_are_those_of_the_paper() {
    // Bounds of the judge of logits: relative to the largest number.
    let paths = [(KvType::F32, true, 2e-6), (KvType::F16, false, 0.05)];
    for ty in [WeightType::Q8_0, WeightType::Q4_K, WeightType::F16] {
        let tiny = Tiny::new(Shape::of(ty));
        let model = tiny.model();
        for n in [1, 7, 40] {
            let tokens = tiny.tokens(n);
            let states = Paper::new(&tiny).hidden(&tokens);
            for (kv, exact, bound) in paths {
                for pooling in POOLINGS {
                    for normalize in [true, false] {
                        let mut embedder = embedder(&model, pooling, normalize, options(kv, exact));
                        let got = embedder.embed_tokens(&tokens, &Cancel::new()).unwrap();
                        let want = pooled(&states, pooling, normalize);
                        let largest = want.iter().fold(0.0, |a: f64, x| a.max(x.abs()));
                        let pairs = want.iter().zip(&got);
                        let off = pairs.map(|(w, g)| (w - f64::from(*g)).abs());
                        let off = off.fold(0.0, f64::max) / largest;
                        assert_eq!(got.len(), want.len());
                        assert!(off <= bound, "{ty:?} {n} {pooling:?} {exact}: {off}");
                    }
                }
            }
        }
    }
}

#[test]
fn equal_texts_have_equal_vectors_of_length_1_at_every_thread_count_and_batch() {
    let tiny = Tiny::new(Shape::of(WeightType::Q4_0));
    let model = tiny.model();
    for pooling in POOLINGS {
        let mut want = None;
        for (threads, n_batch) in [(1, 512), (2, 512), (3, 4), (2, 1)] {
            let session = SessionOptions {
                n_threads: Some(threads),
                n_batch,
                ..options(KvType::F16, false)
            };
            let mut embedder = embedder(&model, pooling, true, session);
            let texts = ["the inner one", "another on there", "the inner one"];
            let vectors = texts.map(|text| embedder.embed(text, &Cancel::new()).unwrap());
            for vector in &vectors {
                assert!((norm(&wide(vector)) - 1.0).abs() < 1e-6);
            }
            assert_eq!(vectors[0], vectors[2]);
            if pooling != Pooling::Cls {
                assert_ne!(vectors[0], vectors[1]);
            }
            let want = want.get_or_insert_with(|| vectors.clone());
            assert!(
                *want == vectors,
                "{pooling:?}, {threads} threads, {n_batch}"
            );
        }
    }
}

#[test]
fn the_file_says_how_to_pool() {
    let of = |value: Option<OwnedValue>| {
        let mut tiny = Tiny::new(Shape::of(WeightType::Q4_0));
        tiny.keys
            .extend(value.map(|value| ("llama.pooling_type".to_owned(), value)));
        let options = EmbedOptions {
            session: options(KvType::F16, false),
            ..EmbedOptions::default()
        };
        Embedder::new(&tiny.model(), &options).map(|e| e.pooling())
    };
    assert_eq!(of(None).unwrap(), Pooling::Mean);
    for (number, want) in [
        (0, Pooling::Mean),
        (1, Pooling::Mean),
        (2, Pooling::Cls),
        (3, Pooling::Last),
    ] {
        assert_eq!(of(Some(OwnedValue::U32(number))).unwrap(), want);
    }
    let rank = of(Some(OwnedValue::U32(4))).unwrap_err();
    assert!(matches!(rank, EmbedError::Pooling { had: 4 }), "{rank}");
    let text = of(Some("mean".into())).unwrap_err();
    assert!(matches!(text, EmbedError::Gguf(_)), "{text}");
}

#[test]
fn what_does_not_fit_is_told_and_the_next_text_is_as_if_nothing_were() {
    let tiny = Tiny::new(Shape::of(WeightType::Q4_0));
    let session = SessionOptions {
        n_ctx: Some(8),
        ..options(KvType::F16, false)
    };
    let mut embedder = embedder(&tiny.model(), Pooling::Mean, true, session);
    let cancel = Cancel::new();
    let want = embedder.embed_tokens(&tiny.tokens(8), &cancel).unwrap();
    let long = embedder.embed_tokens(&tiny.tokens(9), &cancel).unwrap_err();
    let empty = embedder.embed_tokens(&[], &cancel).unwrap_err();
    let unknown = embedder.embed_tokens(&[TokenId(300)], &cancel).unwrap_err();
    cancel.cancel();
    let cancelled = embedder.embed_tokens(&tiny.tokens(8), &cancel).unwrap_err();
    cancel.reset();
    for (error, want) in [
        (long, "8"),
        (empty, "no tokens"),
        (unknown, "300"),
        (cancelled, "cancelled"),
    ] {
        assert!(matches!(error, EmbedError::Session(_)), "{error}");
        assert!(error.to_string().contains(want), "{error}");
        assert!(!matches!(
            error,
            EmbedError::Session(SessionError::NotFinite { .. })
        ));
    }
    assert_eq!(
        embedder.embed_tokens(&tiny.tokens(8), &cancel).unwrap(),
        want
    );
}
