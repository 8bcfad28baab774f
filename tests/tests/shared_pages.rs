//! Forked sessions share pages of the cache, and none sees what another writes.

use puna_core::{
    cancel::Cancel,
    kv_cache::{KvType, PAGE},
    model::Model,
    session::{Session, SessionOptions},
    tokenizer::TokenId,
};
use puna_tests::tiny::Tiny;

fn session(model: &Model, kv: KvType) -> Session {
    let options = SessionOptions {
        n_ctx: Some(700),
        kv,
        n_threads: Some(2),
        n_batch: 300,
        ..SessionOptions::default()
    };
    Session::new(model, &options).unwrap()
}

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|l| l.to_bits()).collect()
}

/// Logits and every row of the cache of a session that computes `tokens` afresh.
fn afresh(model: &Model, kv: KvType, tokens: &[TokenId]) -> (Vec<u32>, Vec<u8>) {
    let mut session = session(model, kv);
    session.prefill(tokens, &Cancel::new()).unwrap();
    (bits(session.logits()), rows(&session))
}

/// Every row of the cache.
fn rows(session: &Session) -> Vec<u8> {
    let (cache, c) = (session.cache(), session.model().config());
    let n = session.tokens().len();
    let mut rows = Vec::new();
    for start in (0..n).step_by(PAGE) {
        let range = start..(start + PAGE).min(n);
        for (layer, head) in (0..c.n_layer).flat_map(|l| (0..c.n_head_kv).map(move |h| (l, h))) {
            rows.extend_from_slice(cache.keys(layer, head, range.clone()));
            rows.extend_from_slice(cache.values(layer, head, range.clone()));
        }
    }
    rows
}

#[test]
fn a_fork_goes_its_own_way_from_any_place() {
    let tiny = Tiny::for_sessions();
    let (model, tokens) = (tiny.exact_model(), tiny.tokens(600));
    let other: Vec<_> = tokens.iter().rev().copied().collect();
    let go = Cancel::new();
    for kv in KvType::ALL {
        for cut in [1, 255, 256, 257, 512, 520] {
            let mut first = session(&model, kv);
            first.prefill(&tokens[..cut], &go).unwrap();
            let before = (bits(first.logits()), rows(&first));
            let mut second = first.fork();
            assert_eq!(second.tokens(), first.tokens());
            assert_eq!((bits(second.logits()), rows(&second)), before);
            let n_pages = cut.div_ceil(PAGE);
            assert_eq!(second.cache().n_shared_pages(), n_pages);

            second.prefill(&other[..70], &go).unwrap();
            assert_eq!(
                (bits(first.logits()), rows(&first)),
                before,
                "{cut}: the first"
            );
            // Only the page that both would write to was copied.
            assert_eq!(second.cache().n_shared_pages(), cut / PAGE, "{cut}");
            let joined = [&tokens[..cut], &other[..70]].concat();
            let want = afresh(&model, kv, &joined);
            assert!(
                (bits(second.logits()), rows(&second)) == want,
                "{cut}: the second"
            );

            first.prefill(&tokens[cut..cut + 40], &go).unwrap();
            let want = afresh(&model, kv, &tokens[..cut + 40]);
            assert!(
                (bits(first.logits()), rows(&first)) == want,
                "{cut}: the first goes on"
            );
            drop(first);
            // Back into the common part, over pages that now have one holder.
            second.truncate(cut / 2);
            second.prefill(&other[..300], &go).unwrap();
            let joined = [&tokens[..cut / 2], &other[..300]].concat();
            let want = afresh(&model, kv, &joined);
            assert!(
                (bits(second.logits()), rows(&second)) == want,
                "{cut}: back"
            );
        }
    }
}

#[test]
fn forks_compute_at_once_on_shared_threads() {
    let tiny = Tiny::for_sessions();
    let (model, tokens) = (tiny.exact_model(), tiny.tokens(400));
    let mut prefix = session(&model, KvType::F16);
    prefix.prefill(&tokens[..300], &Cancel::new()).unwrap();
    std::thread::scope(|scope| {
        for i in 0..4 {
            let mut fork = prefix.fork();
            let (model, tokens) = (&model, &tokens);
            scope.spawn(move || {
                let rest = &tokens[300 + i..330 + 2 * i];
                fork.prefill(rest, &Cancel::new()).unwrap();
                let joined = [&tokens[..300], rest].concat();
                let want = afresh(model, KvType::F16, &joined);
                assert!((bits(fork.logits()), rows(&fork)) == want, "fork {i}");
            });
        }
    });
    let want = afresh(&model, KvType::F16, &tokens[..300]);
    assert!((bits(prefix.logits()), rows(&prefix)) == want);
}
