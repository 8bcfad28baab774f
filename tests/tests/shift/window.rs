//! 10,000 tokens through a window of 512.

use puna_core::{
    cancel::Cancel,
    generate::{GenerateOptions, Generator, OnFull, StopReason},
    kv_cache::KvType,
    sampler::SamplerParams,
    tokenizer::TokenId,
};
use puna_kernels::{Kernels, WeightType};
use puna_tests::{
    judge::{INT8, INT8_Q4_0, distance},
    paper::{Paper, Window},
    tiny::{Shape, Tiny},
};

use super::session;

const N_CTX: usize = 512;
const KEEP: usize = 4;

fn tiny() -> Tiny {
    Tiny::new(Shape {
        n_embd: 64,
        n_ff: 96,
        ..Shape::of(WeightType::Q8_0).heads(2, 1)
    })
}

fn options(on_full: OnFull, n: usize) -> GenerateOptions {
    GenerateOptions {
        max_tokens: Some(n),
        sampler: SamplerParams {
            temperature: 1.0,
            seed: 7,
            ..SamplerParams::default()
        },
        ignore_eos: true,
        on_full,
        ..GenerateOptions::default()
    }
}

/// Makes `n` tokens after 20, and hands the tokens so far and the logits of the next to `each`.
fn make(
    kv: KvType,
    n_threads: usize,
    n: usize,
    mut each: impl FnMut(usize, &[f32]),
) -> Vec<TokenId> {
    let tiny = tiny();
    let model = tiny.model().with_kernels(Kernels::best_exact());
    let (mut session, go) = (session(&model, kv, N_CTX, n_threads), Cancel::new());
    session.prefill(&tiny.tokens(20), &go).unwrap();
    let full = OnFull::Shift {
        keep: KEEP,
        free: None,
    };
    let mut generator = Generator::new(&session, &options(full, n), true).unwrap();
    while generator.step(&mut session, &go).unwrap().is_some() {
        let made = generator.tokens().len();
        if generator.stop_reason().is_none() {
            each(made - 1, session.logits());
        }
    }
    assert_eq!(generator.tokens().len(), n);
    assert_eq!(generator.stop_reason(), Some(StopReason::Length));
    // 491 tokens fit after the 20; the 512th is followed by a quarter less one each time.
    assert_eq!(
        generator.n_shifts(),
        (n - 1 - (N_CTX - 20)).div_ceil(N_CTX / 4)
    );
    generator.tokens().to_vec()
}

#[test]
fn ten_thousand_tokens_are_those_of_the_paper_with_the_same_window() {
    const N: usize = 10_000;
    let tiny = tiny();
    let paper = Paper::new(&tiny);
    let mut logits = Vec::new();
    let tokens = make(KvType::F32, 2, N, |_, row| {
        assert!(row.iter().all(|logit| logit.is_finite()));
        logits.push(row.to_vec());
    });
    let mut window = Window::new(&paper);
    let mut want = Vec::new();
    for &token in &tiny.tokens(20) {
        want = window.push(token);
    }
    let mut worst = (0.0f64, 0.0f64);
    for (i, row) in logits.iter().enumerate() {
        let off = distance(&[want], std::slice::from_ref(row));
        worst = (worst.0.max(off.difference), worst.1.max(off.kl));
        if window.len() == N_CTX {
            window.forget(KEEP..KEEP + N_CTX / 4);
        }
        want = window.push(tokens[i]);
    }
    println!("f32: |Δ| {:.1e}, KL {:.1e}", worst.0, worst.1);
    // Every key was rotated up to three times more than once.
    assert!(worst.0 <= 1e-5 && worst.1 <= 1e-9, "{worst:?}");
}

#[test]
fn ten_thousand_tokens_are_the_same_on_every_number_of_threads() {
    const N: usize = 10_000;
    let paper_tiny = tiny();
    let paper = Paper::new(&paper_tiny);
    for kv in [KvType::F16, KvType::Q8_0, KvType::Q4_0] {
        let mut wants: Vec<(Vec<TokenId>, u64)> = Vec::new();
        let mut logits = Vec::new();
        for n_threads in [1, 2, 3] {
            let mut sum = 0u64;
            logits.clear();
            let tokens = make(kv, n_threads, N, |_, row| {
                assert!(row.iter().all(|logit| logit.is_finite()));
                let bits = row.iter().map(|l| u64::from(l.to_bits()));
                sum = bits.fold(sum, |sum, b| sum.rotate_left(5).wrapping_add(b));
                logits.push(row.to_vec());
            });
            wants.push((tokens, sum));
        }
        assert!(wants.windows(2).all(|w| w[0] == w[1]), "{}", kv.name());
        // No error grows with the number of shifts.
        let tokens = &wants[0].0;
        let mut window = Window::new(&paper);
        let mut want = Vec::new();
        for &token in &paper_tiny.tokens(20) {
            want = window.push(token);
        }
        let mut quarters = [0.0f64; 4];
        for (i, row) in logits.iter().enumerate() {
            let off = distance(&[want], std::slice::from_ref(row));
            let quarter = &mut quarters[4 * i / N];
            *quarter = quarter.max(off.difference);
            if window.len() == N_CTX {
                window.forget(KEEP..KEEP + N_CTX / 4);
            }
            want = window.push(tokens[i]);
        }
        println!("{}: |Δ| {quarters:.3?} by quarter", kv.name());
        let most = match kv {
            KvType::Q4_0 => INT8_Q4_0.difference,
            _ => 2.0 * INT8.difference,
        };
        assert!(quarters.iter().all(|&q| q <= most), "{quarters:?}");
    }
}

#[test]
fn a_full_context_ends_the_text_unless_tokens_may_be_dropped() {
    let tiny = tiny();
    let (model, go) = (tiny.model(), Cancel::new());
    let end = |on_full| {
        let mut session = session(&model, KvType::F16, 32, 1);
        session.prefill(&tiny.tokens(20), &go).unwrap();
        let mut generator = Generator::new(&session, &options(on_full, 100), true).unwrap();
        while generator.step(&mut session, &go).unwrap().is_some() {}
        (generator.stop_reason().unwrap(), generator.tokens().len())
    };
    let shift = |keep, free| OnFull::Shift { keep, free };
    assert_eq!(end(OnFull::Error), (StopReason::ContextFull, 13));
    assert_eq!(end(shift(0, None)), (StopReason::Length, 100));
    assert_eq!(end(shift(30, Some(16))), (StopReason::Length, 100));
    assert_eq!(end(shift(0, Some(usize::MAX))), (StopReason::Length, 100));
    // Nothing is left to be dropped.
    assert_eq!(end(shift(31, None)), (StopReason::ContextFull, 13));
    assert_eq!(end(shift(99, None)), (StopReason::ContextFull, 13));
}
