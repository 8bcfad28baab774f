//! The same tokens give the same bits, whatever way they came into the cache; and after an error the
//! session is as it was.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use puna_core::{
    cancel::Cancel,
    kv_cache::KvType,
    model::Model,
    session::{Session, SessionError, SessionOptions},
    tokenizer::TokenId,
};
use puna_kernels::{Kernels, WeightType, quantize_row};
use puna_tests::tiny::{N_CTX, N_VOCAB, Shape, Tiny};

/// Longer than a chunk of the cache (256 places) and than the batches below.
const N: usize = 270;

/// Narrow, so that hundreds of tokens cost little; every activation form.
fn tiny() -> Tiny {
    Tiny::new(Shape {
        n_embd: 64,
        n_ff: 96,
        types: vec![
            WeightType::Q4_0,
            WeightType::Q4_1,
            WeightType::F16,
            WeightType::Q8_0,
        ],
        ..Shape::of(WeightType::Q8_0).heads(4, 2)
    })
}

/// As [`tiny`] with super-blocks.
fn tiny_k() -> Tiny {
    Tiny::new(Shape {
        n_layer: 1,
        n_ff: 256,
        types: vec![WeightType::Q4_K, WeightType::Q6_K, WeightType::IQ4_XS],
        ..Shape::of(WeightType::Q4_K)
    })
}

/// With kernels whose results do not depend on how many tokens are computed at once.
fn open(tiny: &Tiny) -> Model {
    tiny.model().with_kernels(Kernels::best_exact())
}

fn session(model: &Model, kv: KvType, n_batch: usize, n_threads: usize) -> Session {
    let options = SessionOptions {
        n_ctx: Some(512),
        kv,
        n_threads: Some(n_threads),
        n_batch,
        ..SessionOptions::default()
    };
    Session::new(model, &options).unwrap()
}

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|l| l.to_bits()).collect()
}

/// Logits after the last of `tokens`, computed at once by one thread.
fn at_once(model: &Model, kv: KvType, tokens: &[TokenId]) -> Vec<u32> {
    let mut session = session(model, kv, 512, 1);
    session.prefill(tokens, &Cancel::new()).unwrap();
    bits(session.logits())
}

#[test]
fn batches_pieces_threads_and_single_tokens_give_the_same_bits() {
    let go = Cancel::new();
    for (tiny, n) in [(tiny(), N), (tiny_k(), 40)] {
        let (model, tokens) = (open(&tiny), tiny.tokens(n));
        for kv in KvType::ALL {
            let want = at_once(&model, kv, &tokens);
            for (n_batch, n_threads) in [(512, 2), (7, 1), (64, 3)] {
                let mut session = session(&model, kv, n_batch, n_threads);
                session.prefill(&tokens, &go).unwrap();
                let same = bits(session.logits()) == want;
                assert!(
                    same,
                    "{}, batches of {n_batch}, {n_threads} threads",
                    kv.name()
                );
            }
            let mut pieces = session(&model, kv, 32, 2);
            let cuts = [0, 1, 2, 5, 13, n - 3, n - 1, n];
            for cut in cuts.windows(2) {
                pieces.prefill(&tokens[cut[0]..cut[1]], &go).unwrap();
            }
            assert!(bits(pieces.logits()) == want, "{}, pieces", kv.name());
            let mut steps = session(&model, kv, 512, 1);
            for &token in &tokens {
                steps.decode(token, &go).unwrap();
            }
            assert!(
                bits(steps.logits()) == want,
                "{}, token by token",
                kv.name()
            );
            assert_eq!(steps.tokens(), tokens);
        }
    }
}

#[test]
fn scores_are_the_logits_of_prefill_at_every_position() {
    let tiny = tiny();
    let (model, tokens) = (open(&tiny), tiny.tokens(60));
    let go = Cancel::new();
    let mut steps = session(&model, KvType::F16, 512, 1);
    let want: Vec<_> = tokens
        .iter()
        .map(|&t| bits(steps.decode(t, &go).unwrap()))
        .collect();
    for (n_batch, first) in [
        (512, 0),
        (512, 41),
        (7, 0),
        (7, 12),
        (1, 30),
        (512, 59),
        (512, 60),
    ] {
        let mut session = session(&model, KvType::F16, n_batch, 2);
        let mut next = first;
        session
            .score(&tokens, first, &go, |i, row| {
                assert_eq!(i, next);
                assert!(
                    bits(row) == want[i],
                    "batches of {n_batch} from {first}: {i}"
                );
                next += 1;
            })
            .unwrap();
        assert_eq!(next, tokens.len());
        assert!(
            bits(session.logits()) == want[59],
            "batches of {n_batch}: the last"
        );
    }
    // After other tokens, indices count from the first of the call.
    let mut session = session(&model, KvType::F16, 16, 2);
    session.prefill(&tokens[..20], &go).unwrap();
    let mut seen = Vec::new();
    session
        .score(&tokens[20..], 3, &go, |i, row| seen.push((i, bits(row))))
        .unwrap();
    assert!(
        seen.into_iter()
            .eq((3..40).map(|i| (i, want[20 + i].clone())))
    );
}

#[test]
fn what_was_truncated_leaves_no_trace() {
    let tiny = tiny();
    let (model, tokens) = (open(&tiny), tiny.tokens(N));
    let other: Vec<_> = tokens.iter().rev().copied().collect();
    let go = Cancel::new();
    for kv in KvType::ALL {
        let want = at_once(&model, kv, &tokens);
        let mut session = session(&model, kv, 100, 1);
        for keep in [0, 1, 255, 256, 257, N - 1] {
            session.truncate(0);
            session.prefill(&tokens[..keep.max(1)], &go).unwrap();
            session.prefill(&other[keep / 2..], &go).unwrap();
            session.truncate(keep);
            assert_eq!(session.tokens(), &tokens[..keep]);
            session.prefill(&tokens[keep..], &go).unwrap();
            assert!(bits(session.logits()) == want, "{}, {keep} kept", kv.name());
        }
    }
}

#[test]
fn prefill_to_computes_only_what_is_new() {
    let tiny = tiny();
    let (model, tokens) = (open(&tiny), tiny.tokens(40));
    let go = Cancel::new();
    let mut session = session(&model, KvType::F16, 16, 2);
    let mut to = |tokens: &[TokenId], computed: usize| {
        assert_eq!(session.prefill_to(tokens, &go).unwrap(), computed);
        assert_eq!(session.tokens(), tokens);
        assert!(bits(session.logits()) == at_once(&model, KvType::F16, tokens));
    };
    to(&tokens[..10], 10);
    to(&tokens[..30], 20);
    // The same again: the last is computed for its logits.
    to(&tokens[..30], 1);
    to(&tokens[..12], 1);
    let mut changed = tokens.clone();
    changed[5] = TokenId((changed[5].0 + 1) % N_VOCAB as u32);
    to(&changed, 35);
    to(&tokens, 35);
    assert!(matches!(
        session.prefill_to(&[], &go),
        Err(SessionError::Empty)
    ));
}

/// A model whose logits are not finite once it has seen the token 7.
fn poisoned() -> Tiny {
    let mut tiny = Tiny::new(Shape {
        n_embd: 64,
        n_ff: 96,
        ..Shape::of(WeightType::F32)
    });
    let row = &mut tiny.tensor_mut("token_embd.weight").bytes[7 * 64 * 4..][..4];
    assert!(quantize_row(WeightType::F32, &[f32::INFINITY], row));
    tiny
}

#[test]
fn after_an_error_the_session_is_as_it_was() {
    let tiny = poisoned();
    let model = open(&tiny);
    let mut tokens = tiny.tokens(100);
    tokens.iter_mut().filter(|t| t.0 == 7).for_each(|t| t.0 = 8);
    let go = Cancel::new();
    let stop = Cancel::new();
    stop.cancel();
    let want = at_once(&model, KvType::F32, &tokens);
    let mut with_poison = tokens[50..].to_vec();
    with_poison[20] = TokenId(7);

    let mut session = session(&model, KvType::F32, 16, 2);
    session.prefill(&tokens[..50], &go).unwrap();
    let before = bits(session.logits());
    let mut failed = 0;
    let mut fails = |result: Result<(), SessionError>, says: &str, session: &Session| {
        let error = result.expect_err(says).to_string();
        assert!(error.contains(says), "{error:?} must say {says:?}");
        assert_eq!(session.tokens(), &tokens[..50], "{says}");
        assert!(bits(session.logits()) == before, "{says}: other logits");
        failed += 1;
    };
    let result = session.prefill(&[], &go);
    fails(result, "no tokens to compute", &session);
    let result = session.prefill(&tiny.tokens(463), &go);
    fails(
        result,
        "463 more tokens do not fit: 50 of a context of 512",
        &session,
    );
    let result = session.prefill(&[TokenId(0), TokenId(N_VOCAB as u32)], &go);
    fails(
        result,
        "token 300 is not in the vocabulary of 300",
        &session,
    );
    let result = session.prefill(&[TokenId(u32::MAX)], &go);
    fails(result, "token 4294967295 is not", &session);
    let result = session.prefill(&tokens[50..], &stop);
    fails(result, "cancelled", &session);
    let result = session.prefill(&with_poison, &go);
    fails(result, "a logit that is not finite", &session);
    let result = session.decode(TokenId(7), &go).map(drop);
    fails(result, "a logit that is not finite", &session);
    let mut rows = 0;
    let result = session.score(&with_poison, 0, &go, |_, row| {
        assert!(row.iter().all(|l| l.is_finite()), "a broken row was shown");
        rows += 1;
    });
    fails(result, "a logit that is not finite", &session);
    assert!(rows >= 16, "the batch before the broken one is fine");
    // Cancelled between the batches.
    let midway = Cancel::new();
    let result = session.score(&tokens[50..], 0, &midway, |i, _| {
        if i == 15 {
            midway.cancel();
        }
    });
    fails(result, "cancelled", &session);
    assert_eq!(failed, 9);

    session.prefill(&tokens[50..], &go).unwrap();
    assert!(
        bits(session.logits()) == want,
        "the errors left something behind"
    );
}

#[test]
fn the_context_can_be_filled_to_the_last_place() {
    let tiny = tiny();
    let (model, go) = (open(&tiny), Cancel::new());
    let mut session = session(&model, KvType::Q8_0, 500, 2);
    session.prefill(&tiny.tokens(511), &go).unwrap();
    session.decode(TokenId(5), &go).unwrap();
    let full = session.decode(TokenId(5), &go);
    assert!(matches!(
        full,
        Err(SessionError::ContextFull {
            wanted: 1,
            used: 512,
            n_ctx: 512
        })
    ));
    session.truncate(511);
    session.decode(TokenId(5), &go).unwrap();
}

#[test]
fn a_cancel_from_another_thread_ends_a_prefill_soon() {
    let tiny = Tiny::new(Shape::of(WeightType::Q6_K));
    let (model, tokens) = (open(&tiny), tiny.tokens(N_CTX));
    let options = SessionOptions {
        n_ctx: Some(N_CTX),
        n_threads: Some(2),
        n_batch: N_CTX,
        ..SessionOptions::default()
    };
    let mut session = Session::new(&model, &options).unwrap();
    let start = Instant::now();
    session.prefill(&tokens, &Cancel::new()).unwrap();
    let (whole, want) = (start.elapsed(), bits(session.logits()));
    session.truncate(0);

    let cancel = Cancel::new();
    let (begin, begun) = mpsc::channel::<()>();
    let (result, from_cancel) = std::thread::scope(|scope| {
        let (flag, wait) = (cancel.clone(), whole / 10);
        let other = scope.spawn(move || {
            begun.recv().unwrap();
            std::thread::sleep(wait);
            flag.cancel();
            Instant::now()
        });
        begin.send(()).unwrap();
        let result = session.prefill(&tokens, &cancel);
        let ended = Instant::now();
        (
            result,
            ended.saturating_duration_since(other.join().unwrap()),
        )
    });
    println!("whole prefill {whole:?}, from cancel to return {from_cancel:?}");
    assert!(matches!(result, Err(SessionError::Cancelled)));
    assert!(from_cancel < whole / 2 + Duration::from_millis(50));
    assert_eq!(session.tokens(), []);

    cancel.reset();
    session.prefill(&tokens, &cancel).unwrap();
    assert!(bits(session.logits()) == want);
}

#[test]
fn sessions_of_one_model_do_not_meet() {
    let tiny = tiny();
    let (model, tokens) = (open(&tiny), tiny.tokens(30));
    let want = at_once(&model, KvType::F16, &tokens);
    std::thread::scope(|scope| {
        for n_threads in 1..=4 {
            let (model, tokens, want) = (&model, &tokens, &want);
            scope.spawn(move || {
                let mut session = session(model, KvType::F16, 8, n_threads);
                for _ in 0..5 {
                    session.truncate(0);
                    session.prefill(tokens, &Cancel::new()).unwrap();
                    assert!(bits(session.logits()) == *want, "{n_threads} threads");
                }
            });
        }
    });
}

#[test]
fn a_session_that_cannot_be_is_an_error() {
    let tiny = Tiny::new(Shape::of(WeightType::F32));
    let model = open(&tiny);
    let new = |n_ctx, kv| {
        let options = SessionOptions {
            n_ctx: Some(n_ctx),
            kv,
            ..SessionOptions::default()
        };
        Session::new(&model, &options)
            .map(drop)
            .map_err(|e| e.to_string())
    };
    let says = |result: Result<(), String>, says: &str| {
        let error = result.expect_err(says);
        assert!(error.contains(says), "{error:?} must say {says:?}");
    };
    says(
        new(0, KvType::F32),
        "a context of 0 tokens, wanted 1 to the model's 1024",
    );
    says(new(N_CTX + 1, KvType::F32), "a context of 1025 tokens");
    says(
        new(64, KvType::Q8_0),
        "heads of a multiple of 32, this model's have 20",
    );
    says(
        new(64, KvType::Q4_0),
        "heads of a power of two from 32 on, this model's have 20",
    );
    assert_eq!(new(N_CTX, KvType::F16), Ok(()));
    // Whole blocks, but no Hadamard matrix.
    let tiny = Tiny::new(Shape::of(WeightType::Q8_0).head_dim(96));
    for kv in KvType::ALL {
        let options = SessionOptions {
            n_ctx: Some(64),
            kv,
            ..SessionOptions::default()
        };
        let error = Session::new(&open(&tiny), &options).err();
        let refused = matches!(
            error,
            Some(SessionError::KvType {
                kv: "q4_0",
                head_dim: 96,
                ..
            })
        );
        assert_eq!(refused, kv == KvType::Q4_0, "{error:?}");
        assert_eq!(refused, kv.bytes(open(&tiny).config(), 64).is_none());
    }
}
