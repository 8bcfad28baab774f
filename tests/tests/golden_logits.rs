//! The default model against Hugging Face transformers in f32 (tests/data/smollm2).

use puna_core::{
    cancel::Cancel,
    kv_cache::KvType,
    model::Model,
    session::{Session, SessionOptions},
};
use puna_tests::{
    compare::{argmax, kl_divergence, max_difference},
    golden::{PROMPTS, golden},
    model::default_model,
};

fn session(model: &Model, exact: bool) -> Session {
    let kv = if exact { KvType::F32 } else { KvType::F16 };
    let options = SessionOptions {
        n_ctx: Some(64),
        kv,
        exact,
        ..SessionOptions::default()
    };
    Session::new(model, &options).unwrap()
}

#[test]
fn exact_logits_are_those_of_transformers() {
    let model = Model::open(&default_model()).unwrap();
    for prompt in PROMPTS {
        let golden = golden(prompt);
        let mut session = session(&model, true);
        session.prefill(&golden.ids, &Cancel::new()).unwrap();
        let difference = max_difference(session.logits(), &golden.logits);
        println!("{prompt}: exact, max |difference| {difference:.2e}");
        assert!(difference <= 1e-3, "{prompt}: {difference}");
    }
}

#[test]
fn int8_logits_are_close() {
    let model = Model::open(&default_model()).unwrap();
    for prompt in PROMPTS {
        let golden = golden(prompt);
        let mut session = session(&model, false);
        session.prefill(&golden.ids, &Cancel::new()).unwrap();
        let difference = max_difference(session.logits(), &golden.logits);
        let kl = kl_divergence(&golden.logits, session.logits());
        println!("{prompt}: int8, max |difference| {difference:.3}, KL {kl:.5}");
        assert!(difference <= 1.0, "{prompt}: {difference}");
        assert!(kl <= 0.02, "{prompt}: {kl}");
    }
}

#[test]
fn greedy_tokens_are_as_given_or_part_at_a_narrow_margin() {
    let model = Model::open(&default_model()).unwrap();
    for prompt in PROMPTS {
        let golden = golden(prompt);
        let mut fast = session(&model, false);
        let mut exact = session(&model, true);
        let cancel = Cancel::new();
        fast.prefill(&golden.ids, &cancel).unwrap();
        exact.prefill(&golden.ids, &cancel).unwrap();
        for (i, &want) in golden.greedy.iter().enumerate() {
            let got = argmax(fast.logits());
            assert_eq!(argmax(exact.logits()), want, "{prompt}: exact, token {i}");
            if got != want {
                let mut top = exact.logits().to_vec();
                top.sort_by(|a, b| b.total_cmp(a));
                let margin = top[0] - top[1];
                println!("{prompt}: parts at token {i}, margin {margin}");
                assert!(margin < 0.3, "{prompt}: token {i}, margin {margin}");
                break;
            }
            fast.decode(want, &cancel).unwrap();
            exact.decode(want, &cancel).unwrap();
        }
    }
}

#[test]
fn logits_are_the_same_bits_at_every_thread_count_batch_size_and_tier() {
    let golden = golden("p3");
    let mut want: Option<Vec<f32>> = None;
    for kernels in puna_kernels::Kernels::available() {
        let isa = kernels.isa();
        let model = Model::open(&default_model()).unwrap().with_kernels(kernels);
        for (n_threads, n_batch) in [(1, 512), (2, 512), (3, 5), (2, 1)] {
            let options = SessionOptions {
                n_ctx: Some(64),
                n_threads: Some(n_threads),
                n_batch,
                ..SessionOptions::default()
            };
            let mut session = Session::new(&model, &options).unwrap();
            session.prefill(&golden.ids, &Cancel::new()).unwrap();
            let want = want.get_or_insert_with(|| session.logits().to_vec());
            let same = session
                .logits()
                .iter()
                .zip(&*want)
                .all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{isa:?}, {n_threads} threads, batches of {n_batch}");
        }
    }
}
