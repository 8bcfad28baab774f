//! Log-probabilities of continuations, against logits computed one by one and against transformers.

use puna_core::{
    cancel::Cancel,
    kv_cache::KvType,
    model::Model,
    score::{encode, score},
    session::{Session, SessionError, SessionOptions},
    tokenizer::{EncodeOptions, TokenId},
};
use puna_kernels::{Kernels, WeightType};
use puna_tests::{
    compare::log_softmax,
    golden::{PROMPTS, golden},
    judge::options,
    model::default_model,
    tiny::{Shape, Tiny},
};

#[test]
fn scores_are_those_of_logits_one_by_one() {
    for ty in [WeightType::Q4_0, WeightType::Q8_0, WeightType::Q4_K] {
        let tiny = Tiny::new(Shape::of(ty));
        // One tier has other bits for 32 tokens and more.
        let model = tiny.model().with_kernels(Kernels::best_exact());
        let cancel = Cancel::new();
        let text = tiny.tokens(80);
        let prompt = &text[..20];
        let continuations = [
            &text[20..30],
            &text[50..51],
            &[],
            &text[30..70],
            &text[20..30],
        ];
        let continuations = continuations.map(<[TokenId]>::to_vec);
        let mut session = Session::new(&model, &options(KvType::F16, false)).unwrap();
        // It holds something else before.
        session.prefill(&text[..9], &cancel).unwrap();
        session.prefill(&text[60..], &cancel).unwrap();
        let scores = score(&mut session, prompt, &continuations, &cancel).unwrap();
        assert_eq!(session.tokens(), prompt);
        let mut plain = Session::new(&model, &options(KvType::F16, false)).unwrap();
        plain.prefill(prompt, &cancel).unwrap();
        assert!(session.logits() == plain.logits());
        for (tokens, score) in continuations.iter().zip(&scores) {
            plain.prefill_to(prompt, &cancel).unwrap();
            assert_eq!(score.log_probs.len(), tokens.len());
            let mut sum = 0.0;
            for (&token, &got) in tokens.iter().zip(&score.log_probs) {
                let want = log_softmax(plain.logits())[token.0 as usize];
                assert!((want - got).abs() < 1e-4, "{ty:?}: {want}, {got}");
                sum += got;
                plain.decode(token, &cancel).unwrap();
            }
            assert!((score.sum() - sum).abs() < 1e-12);
            let mean = sum / tokens.len().max(1) as f64;
            assert!((score.mean() - mean).abs() < 1e-12);
        }
        assert_eq!(scores[0], scores[4]);
    }
}

#[test]
fn every_next_token_together_has_probability_1() {
    let tiny = Tiny::new(Shape::of(WeightType::Q8_0));
    let mut session = Session::new(&tiny.model(), &options(KvType::F16, false)).unwrap();
    let every: Vec<_> = (0..300).map(|id| vec![TokenId(id)]).collect();
    let scores = score(&mut session, &tiny.tokens(5), &every, &Cancel::new()).unwrap();
    let sum: f64 = scores.iter().map(|s| s.sum().exp()).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
}

#[test]
fn what_cannot_be_scored_is_told() {
    let tiny = Tiny::new(Shape::of(WeightType::Q4_0));
    let session = SessionOptions {
        n_ctx: Some(10),
        ..options(KvType::F16, false)
    };
    let mut session = Session::new(&tiny.model(), &session).unwrap();
    let (prompt, cancel) = (tiny.tokens(6), Cancel::new());
    let mut score = |prompt: &[TokenId], tokens| score(&mut session, prompt, &[tokens], &cancel);
    // The last token need not fit: nothing comes after it.
    assert!(score(&prompt, tiny.tokens(5)).is_ok());
    let long = score(&prompt, tiny.tokens(6));
    assert!(matches!(long, Err(SessionError::ContextFull { .. })));
    let empty = score(&[], tiny.tokens(2));
    assert!(matches!(empty, Err(SessionError::Empty)));
    for tokens in [vec![TokenId(300)], vec![TokenId(3), TokenId(300)]] {
        let unknown = score(&prompt, tokens);
        assert!(matches!(
            unknown,
            Err(SessionError::UnknownToken { token: 300, .. })
        ));
    }
}

#[test]
fn the_default_model_scores_as_transformers() {
    let model = Model::open(&default_model()).unwrap();
    for prompt in PROMPTS {
        let golden = golden(prompt);
        let options = SessionOptions {
            n_ctx: Some(64),
            kv: KvType::F32,
            exact: true,
            ..SessionOptions::default()
        };
        let mut session = Session::new(&model, &options).unwrap();
        let probs = log_softmax(&golden.logits);
        // Likely and unlikely ones.
        let ids: Vec<u32> = golden
            .greedy
            .iter()
            .take(3)
            .map(|t| t.0)
            .chain([7, 999, 40_000])
            .collect();
        let texts: Vec<_> = ids.iter().map(|&id| vec![TokenId(id)]).collect();
        let scores = score(&mut session, &golden.ids, &texts, &Cancel::new()).unwrap();
        for (&id, score) in ids.iter().zip(scores) {
            let want = probs[id as usize];
            assert!(
                (score.sum() - want).abs() < 2e-3,
                "{prompt}, {id}: {want}, {}",
                score.sum()
            );
        }
    }
}

#[test]
fn texts_are_cut_where_all_agree_with_the_prompt() {
    let model = Model::open(&default_model()).unwrap();
    let tokenizer = model.tokenizer();
    let options = EncodeOptions {
        add_special: true,
        parse_special: false,
    };
    let whole = |text: &str| tokenizer.encode(text, options);
    for (prompt, texts, kept) in [
        ("The capital of France is", [" Paris", " Rome"], None),
        // A space goes with the word after it.
        (
            "The capital of France is ",
            ["Paris", "Rome"],
            Some("The capital of France is"),
        ),
        (
            "The capital of Fr",
            ["ance", "anconia"],
            Some("The capital of"),
        ),
    ] {
        let (common, continuations) = encode(tokenizer, prompt, &texts, options);
        assert_eq!(common, whole(kept.unwrap_or(prompt)));
        for (text, rest) in texts.iter().zip(continuations) {
            assert_eq!(
                [&common[..], &rest].concat(),
                whole(&format!("{prompt}{text}"))
            );
        }
    }
    assert_eq!(
        encode(tokenizer, "The end", &[], options),
        (whole("The end"), Vec::new())
    );
}
