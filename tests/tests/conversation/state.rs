//! What was saved comes back bit for bit, and only for the model that it was made with.

use puna_core::{
    cancel::Cancel,
    conversation::Conversation,
    kv_cache::KvType,
    model::Model,
    sampler::SamplerState,
    saved::StateError,
    session::{Session, SessionOptions},
    tokenizer::TokenId,
};
use puna_kernels::{Kernels, WeightType};
use puna_tests::{
    script,
    tiny::{Shape, Tiny},
};

fn bits(session: &Session) -> Vec<u32> {
    session.logits().iter().map(|l| l.to_bits()).collect()
}

fn tiny(seed: u64) -> Tiny {
    let shape = Shape::of(WeightType::Q8_0).heads(4, 2);
    Tiny::new(Shape {
        n_embd: 64,
        n_ff: 96,
        seed,
        ..shape
    })
}

fn open(tiny: &Tiny) -> Model {
    tiny.model().with_kernels(Kernels::best_exact())
}

fn with(kv: KvType, n_ctx: usize) -> SessionOptions {
    SessionOptions {
        n_ctx: Some(n_ctx),
        kv,
        n_threads: Some(2),
        ..SessionOptions::default()
    }
}

#[test]
fn a_session_comes_back_and_goes_on_as_it_would_have() {
    let (tiny, dir, go) = (tiny(3), tempfile::tempdir().unwrap(), Cancel::new());
    let (model, path) = (open(&tiny), dir.path().join("state"));
    let tokens = tiny.tokens(700);
    for kv in KvType::ALL {
        for n in [0, 1, 255, 256, 257, 600] {
            let mut session = Session::new(&model, &with(kv, 700)).unwrap();
            if n > 0 {
                session.prefill(&tokens[..n], &go).unwrap();
            }
            session.save(&path).unwrap();
            // Other threads, another context: neither is part of the state.
            let mut back = Session::restore(&model, &path, &with(kv, 800)).unwrap();
            assert_eq!(back.tokens(), &tokens[..n]);
            assert_eq!(bits(&back), bits(&session));
            assert!(
                script::rows(&back) == script::rows(&session),
                "{} {n}",
                kv.name()
            );
            assert_eq!(
                back.cache().n_shared_pages(),
                n / 256,
                "whole pages stay mapped"
            );
            // A state can be written over while sessions have it mapped.
            back.save(&path).unwrap();
            session.prefill(&tokens[n..n + 60], &go).unwrap();
            back.prefill(&tokens[n..n + 60], &go).unwrap();
            assert_eq!(bits(&back), bits(&session), "{} {n}", kv.name());
            back.truncate(n / 3);
            session.truncate(n / 3);
            session.prefill(&tokens[20..60], &go).unwrap();
            back.prefill(&tokens[20..60], &go).unwrap();
            assert_eq!(bits(&back), bits(&session), "{} {n}, cut", kv.name());
        }
    }
}

#[test]
fn rows_that_were_forgotten_are_not_in_the_file() {
    let (tiny, dir, go) = (tiny(3), tempfile::tempdir().unwrap(), Cancel::new());
    let (model, tokens) = (open(&tiny), tiny.tokens(300));
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let mut session = Session::new(&model, &with(KvType::F16, 400)).unwrap();
    session.prefill(&tokens[..10], &go).unwrap();
    session.save(&one).unwrap();
    session.prefill(&tokens[10..], &go).unwrap();
    session.truncate(9);
    session.prefill(&tokens[9..10], &go).unwrap();
    session.save(&two).unwrap();
    assert!(std::fs::read(one).unwrap() == std::fs::read(two).unwrap());
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        2,
        "no file is left over"
    );
}

#[test]
fn a_sampler_is_kept_beside_the_session() {
    let (tiny, dir) = (tiny(3), tempfile::tempdir().unwrap());
    let (model, path) = (open(&tiny), dir.path().join("state"));
    let options = with(KvType::F16, 400);
    let session = Session::new(&model, &options).unwrap();
    let state = SamplerState {
        rng: 7,
        mu: 3.5,
        history: vec![TokenId(4), TokenId(299)],
    };
    session.save_with_sampler(&path, &state).unwrap();
    let (_, back) = Session::restore_with_sampler(&model, &path, &options).unwrap();
    assert_eq!(back, Some(state));
    session.save(&path).unwrap();
    let (_, back) = Session::restore_with_sampler(&model, &path, &options).unwrap();
    assert_eq!(back, None);
}

#[test]
fn a_state_of_something_else_is_refused_by_name() {
    let (tiny, dir, go) = (tiny(3), tempfile::tempdir().unwrap(), Cancel::new());
    let (model, path) = (open(&tiny), dir.path().join("state"));
    let options = with(KvType::F16, 400);
    let mut session = Session::new(&model, &options).unwrap();
    session.prefill(&tiny.tokens(300), &go).unwrap();
    session.save(&path).unwrap();
    let restore = |model: &Model, options: &SessionOptions| {
        Session::restore(model, &path, options)
            .map(drop)
            .unwrap_err()
    };
    // The same shape and vocabulary, other weights.
    let other = open(&self::tiny(4));
    assert!(matches!(restore(&other, &options), StateError::OtherModel));
    assert!(matches!(
        restore(&model, &with(KvType::Q8_0, 400)),
        StateError::KvType {
            had: "f16",
            wanted: "q8_0"
        }
    ));
    assert!(matches!(
        restore(&model, &with(KvType::F16, 299)),
        StateError::TooLong {
            tokens: 300,
            n_ctx: 299
        }
    ));
    assert!(matches!(
        restore(&model, &with(KvType::F16, 0)),
        StateError::Session(_)
    ));
    let template = script::template(&model);
    assert!(matches!(
        Conversation::restore(&model, template, &path, &options),
        Err(StateError::Missing {
            part: "conversation"
        })
    ));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = 9;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(
        restore(&model, &options),
        StateError::Version { had: 9, wanted: 1 }
    ));
    std::fs::write(&path, "GGUF and more").unwrap();
    assert!(matches!(
        restore(&model, &options),
        StateError::NotAState { .. }
    ));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(restore(&model, &options), StateError::Map(_)));
}

#[test]
fn a_conversation_goes_on_as_it_would_have() {
    let (model, dir) = (script::model(), tempfile::tempdir().unwrap());
    let path = dir.path().join("state");
    let mut chat = script::start(&model);
    // Every kind of step comes after a save once.
    for i in 0..14 {
        chat.save(&path).unwrap();
        let template = script::template(&model);
        let mut back = Conversation::restore(&model, template, &path, &script::options()).unwrap();
        assert_eq!(back.messages(), chat.messages());
        assert_eq!(bits(back.session()), bits(chat.session()));
        script::step(&mut chat, i);
        script::step(&mut back, i);
        assert_eq!(back.messages(), chat.messages(), "step {i}");
        assert_eq!(back.session().tokens(), chat.session().tokens(), "step {i}");
        assert!(
            script::rows(back.session()) == script::rows(chat.session()),
            "step {i}"
        );
    }
}
