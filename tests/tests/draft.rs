//! Guesses change how fast a text is made, and nothing else: not a token, not a bit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use puna_core::{
    cancel::Cancel,
    draft::{Draft, DraftError, DraftModel},
    generate::{GenerateError, GenerateOptions, Generator, OnFull, StopReason},
    gguf::OwnedValue,
    kv_cache::KvType,
    model::Model,
    sampler::SamplerParams,
    session::{MAX_GUESSES, Session, SessionError, SessionOptions},
    tokenizer::TokenId,
};
use puna_kernels::WeightType;
use puna_tests::{
    golden::golden,
    judge::options,
    model::default_model,
    tiny::{N_VOCAB, Rng, Shape, Tiny},
};

/// A text and all that is told of it.
#[derive(Debug, PartialEq)]
struct Made {
    tokens: Vec<TokenId>,
    /// As it was handed out, step by step.
    pieces: Vec<String>,
    stop: Option<StopReason>,
    held: Vec<TokenId>,
    logits: Vec<u32>,
}

/// What is made of `prompt`, and how many guesses were computed and right.
fn make(
    model: &Model,
    session: &SessionOptions,
    prompt: &[TokenId],
    options: &GenerateOptions,
) -> (Made, [usize; 2]) {
    let mut session = Session::new(model, session).unwrap();
    session.prefill(prompt, &Cancel::new()).unwrap();
    let mut generator = Generator::new(&session, options, true).unwrap();
    let mut pieces = Vec::new();
    while let Some(piece) = generator.step(&mut session, &Cancel::new()).unwrap() {
        pieces.push(piece);
    }
    let made = Made {
        tokens: generator.tokens().to_vec(),
        pieces,
        stop: generator.stop_reason(),
        held: session.tokens().to_vec(),
        logits: session.logits().iter().map(|l| l.to_bits()).collect(),
    };
    let timings = generator.timings();
    assert!(timings.accepted <= timings.drafted);
    (made, [timings.drafted, timings.accepted])
}

/// A repetitive prompt of a tiny model's tokens.
fn prompt(tiny: &Tiny) -> Vec<TokenId> {
    let part = tiny.tokens(12);
    [&part[..], &part[..9], &part[3..]].concat()
}

fn ways() -> Vec<(&'static str, SamplerParams)> {
    let greedy = SamplerParams::greedy();
    let drawn = SamplerParams {
        seed: 3,
        temperature: 0.4,
        ..SamplerParams::default()
    };
    let penalised = SamplerParams {
        repeat_penalty: 1.1,
        frequency_penalty: 0.2,
        presence_penalty: 0.1,
        dry_multiplier: 0.4,
        ..drawn.clone()
    };
    let mirostat = SamplerParams {
        mirostat: Some(puna_core::sampler::Mirostat2 { tau: 1.0, eta: 0.1 }),
        ..drawn.clone()
    };
    let xtc = SamplerParams {
        xtc_probability: 0.5,
        ..drawn.clone()
    };
    vec![
        ("greedy", greedy),
        ("drawn", drawn),
        ("penalised", penalised),
        ("mirostat", mirostat),
        ("xtc", xtc),
    ]
}

#[test]
fn guesses_leave_no_trace_in_a_session() {
    for (ty, kv, exact) in [
        (WeightType::Q4_0, KvType::F16, false),
        (WeightType::Q4_K, KvType::Q8_0, false),
        (WeightType::F32, KvType::F32, true),
    ] {
        let tiny = Tiny::new(Shape::of(ty));
        let model = tiny.model();
        let options = SessionOptions {
            n_ctx: Some(96),
            ..options(kv, exact)
        };
        let mut plain = Session::new(&model, &options).unwrap();
        let mut ahead = Session::new(&model, &options).unwrap();
        let (cancel, text) = (Cancel::new(), tiny.tokens(96));
        for session in [&mut plain, &mut ahead] {
            session.prefill(&text[..5], &cancel).unwrap();
        }
        let (mut rng, mut free) = (Rng::new(4), 0);
        for at in 5..96 {
            // The next tokens, of which one may be wrong.
            let mut guesses = text[at + 1..].to_vec();
            guesses.truncate(rng.below(20));
            let wrong = rng.below(20);
            if let Some(guess) = guesses.get_mut(wrong) {
                guess.0 = (guess.0 + 1) % N_VOCAB as u32;
            }
            let before = ahead.n_loops();
            ahead.decode_ahead(text[at], &guesses, &cancel).unwrap();
            free += usize::from(ahead.n_loops() == before);
            plain.decode(text[at], &cancel).unwrap();
            assert!(ahead.ahead().len() <= MAX_GUESSES);
            assert_eq!(ahead.tokens(), plain.tokens());
            assert!(ahead.logits() == plain.logits(), "{ty:?} at {at}");
        }
        assert!(free > 20, "{free} of 91 tokens took no computation");
        let full = ahead.decode_ahead(TokenId(9), &[TokenId(8)], &cancel);
        assert!(matches!(full, Err(SessionError::ContextFull { .. })));
        // Back, and on with something else.
        for session in [&mut plain, &mut ahead] {
            session.truncate(30);
        }
        ahead.decode_ahead(text[1], &text[2..6], &cancel).unwrap();
        plain.decode(text[1], &cancel).unwrap();
        for session in [&mut plain, &mut ahead] {
            session.prefill(&text[40..50], &cancel).unwrap();
        }
        assert!(ahead.ahead().is_empty());
        assert!(
            ahead.logits() == plain.logits(),
            "{ty:?} after the way back"
        );
    }
}

#[test]
fn a_lookup_changes_no_token_however_they_are_picked() {
    let (mut drafted, mut accepted) = (0, 0);
    for ty in [WeightType::Q4_0, WeightType::Q8_0, WeightType::Q4_K] {
        let tiny = Tiny::new(Shape::of(ty));
        let model = tiny.model();
        for (name, sampler) in ways() {
            let plain = GenerateOptions {
                max_tokens: Some(120),
                sampler,
                ignore_eos: true,
                ..GenerateOptions::default()
            };
            let guessing = GenerateOptions {
                draft: Some(Draft::Lookup),
                ..plain.clone()
            };
            let session = options(KvType::F16, false);
            let (want, none) = make(&model, &session, &prompt(&tiny), &plain);
            let (got, counts) = make(&model, &session, &prompt(&tiny), &guessing);
            assert!(got == want, "{ty:?}, {name}");
            assert_eq!(none, [0, 0]);
            drafted += counts[0];
            accepted += counts[1];
            // A small batch leaves room for fewer guesses.
            let small = SessionOptions {
                n_batch: 3,
                ..session
            };
            let (got, _) = make(&model, &small, &prompt(&tiny), &guessing);
            assert!(got == want, "{ty:?}, {name}, batches of 3");
        }
    }
    println!("{accepted} of {drafted} guesses right");
    assert!(accepted > 0);
}

#[test]
fn stops_lengths_ends_and_a_full_context_come_where_they_would_without() {
    let tiny = Tiny::new(Shape::of(WeightType::Q8_0));
    let model = tiny.model();
    let session = options(KvType::F16, false);
    let plain = GenerateOptions {
        max_tokens: Some(100),
        sampler: SamplerParams::greedy(),
        ignore_eos: true,
        ..GenerateOptions::default()
    };
    let (whole, _) = make(&model, &session, &prompt(&tiny), &plain);
    let text = whole.pieces.concat();
    let same = |model: &Model, session: &SessionOptions, plain, want| {
        let (expected, _) = make(model, session, &prompt(&tiny), &plain);
        assert_eq!(expected.stop, Some(want));
        let drafts = [
            Draft::Lookup,
            Draft::Model(DraftModel::new(model, model, session).unwrap()),
        ];
        for draft in drafts {
            let guessing = GenerateOptions {
                draft: Some(draft),
                ..plain.clone()
            };
            let (got, _) = make(model, session, &prompt(&tiny), &guessing);
            assert!(got == expected, "{want:?}");
        }
    };
    // Wherever the end falls, some fall inside a run of right guesses.
    for n in [1, 2, 31, 32, 62, 63] {
        let max_tokens = Some(n);
        let shorter = GenerateOptions {
            max_tokens,
            ..plain.clone()
        };
        same(&model, &session, shorter, StopReason::Length);
        let full = SessionOptions {
            n_ctx: Some(prompt(&tiny).len() + n),
            ..session.clone()
        };
        same(&model, &full, plain.clone(), StopReason::ContextFull);
    }
    // The same model with another token as its end: each that the text has, where it first comes.
    for (at, &token) in whole.tokens.iter().enumerate().step_by(3).take(8) {
        if whole.tokens[..at].contains(&token) {
            continue;
        }
        let mut other = tiny.clone();
        let eos = "tokenizer.ggml.eos_token_id";
        let (_, value) = other.keys.iter_mut().find(|(key, _)| key == eos).unwrap();
        *value = OwnedValue::U32(token.0);
        let ends = GenerateOptions {
            ignore_eos: false,
            ..plain.clone()
        };
        same(&other.model(), &session, ends, StopReason::Eos);
    }
    let from_end = |n: usize| text.char_indices().rev().nth(n).unwrap().0;
    for (start, end) in [(60, 55), (50, 40), (30, 29), (20, 3)] {
        let stop = text[from_end(start)..from_end(end)].to_owned();
        let stopped = GenerateOptions {
            stops: vec![stop],
            ..plain.clone()
        };
        same(&model, &session, stopped, StopReason::StopString);
    }
}

#[test]
fn a_draft_model_changes_no_token_and_keeps_step() {
    let shape = Shape::of(WeightType::Q4_1);
    let (tiny, small) = (
        Tiny::new(shape.clone()),
        Tiny::new(Shape {
            n_layer: 1,
            ..shape.clone()
        }),
    );
    let (model, small) = (tiny.model(), small.model());
    let session = options(KvType::F16, false);
    // The first is always right, the last hardly ever; the third's context ends early. How many are
    // guessed depends on what passes cost here.
    let other = Tiny::new(Shape { seed: 77, ..shape }).model();
    for (draft, n_ctx, least) in [
        (&model, 512, 1),
        (&small, 512, 0),
        (&model, 60, 0),
        (&other, 512, 0),
    ] {
        for (name, sampler) in ways() {
            let plain = GenerateOptions {
                max_tokens: Some(100),
                sampler,
                ignore_eos: true,
                ..GenerateOptions::default()
            };
            let n_ctx = Some(n_ctx);
            let guesses = DraftModel::new(
                &model,
                draft,
                &SessionOptions {
                    n_ctx,
                    ..session.clone()
                },
            );
            let guessing = GenerateOptions {
                draft: Some(Draft::Model(guesses.unwrap())),
                ..plain.clone()
            };
            let (want, _) = make(&model, &session, &prompt(&tiny), &plain);
            // The second text is made with what the first has left in the draft model's session.
            for _ in 0..2 {
                let (got, counts) = make(&model, &session, &prompt(&tiny), &guessing);
                assert!(got == want, "{name}, {n_ctx:?}");
                println!("{name}: {counts:?}");
                assert!(counts[1] >= least || name != "greedy", "{counts:?}");
            }
        }
    }
}

#[test]
fn guesses_go_on_when_a_full_context_shifts() {
    let tiny = Tiny::new(Shape::of(WeightType::Q4_1));
    let model = tiny.model();
    let mut session = options(KvType::F16, false);
    session.n_ctx = Some(64);
    for (name, sampler) in ways() {
        let mut options = GenerateOptions {
            max_tokens: Some(300),
            sampler,
            ignore_eos: true,
            ..GenerateOptions::default()
        };
        let (keep, free) = (4, None);
        options.on_full = OnFull::Shift { keep, free };
        let (want, _) = make(&model, &session, &prompt(&tiny), &options);
        assert_eq!(want.tokens.len(), 300);
        options.draft = Some(Draft::Lookup);
        let (got, _) = make(&model, &session, &prompt(&tiny), &options);
        assert!(got == want, "{name}, lookup");
        let same = DraftModel::new(&model, &model, &session).unwrap();
        options.draft = Some(Draft::Model(same));
        let (got, [drafted, accepted]) = make(&model, &session, &prompt(&tiny), &options);
        assert!(got == want, "{name}, model");
        // What is likeliest to a model is its own guess, as long as the two hold the same tokens.
        assert!(name != "greedy" || 2 * accepted >= drafted, "{accepted}");
    }
}

#[test]
fn a_draft_model_of_another_vocabulary_is_refused() {
    let tiny = Tiny::new(Shape::of(WeightType::Q4_0));
    let model = tiny.model();
    let with = |key: &str, change: &dyn Fn(&mut OwnedValue)| {
        let mut other = tiny.clone();
        let (_, value) = other.keys.iter_mut().find(|(k, _)| k == key).unwrap();
        change(value);
        let other = other.model();
        DraftModel::new(&model, &other, &options(KvType::F16, false)).unwrap_err()
    };
    let eos = with("tokenizer.ggml.eos_token_id", &|value| {
        *value = OwnedValue::U32(5);
    });
    assert!(
        matches!(
            eos,
            DraftError::SpecialToken {
                what: "EOS",
                wanted: Some(2),
                had: Some(5)
            }
        ),
        "{eos}"
    );
    let mut tokens: Vec<String> = (0..N_VOCAB as u32)
        .map(|id| {
            model
                .tokenizer()
                .token_text(TokenId(id))
                .unwrap()
                .to_owned()
        })
        .collect();
    tokens[290] = "another".to_owned();
    let token = with("tokenizer.ggml.tokens", &|value| {
        *value = tokens.clone().into();
    });
    assert!(matches!(token, DraftError::Token { token: 290 }), "{token}");
    let long = SessionOptions {
        n_ctx: Some(1_000_000),
        ..SessionOptions::default()
    };
    let context = DraftModel::new(&model, &model, &long).unwrap_err();
    assert!(matches!(context, DraftError::Session(_)), "{context}");
}

#[test]
fn a_cancelled_text_goes_on_as_if_it_had_not_been() {
    let tiny = Tiny::new(Shape {
        n_layer: 6,
        ..Shape::of(WeightType::Q8_0)
    });
    let model = tiny.model();
    let session = options(KvType::F16, false);
    let plain = GenerateOptions {
        max_tokens: Some(150),
        sampler: SamplerParams::greedy(),
        ignore_eos: true,
        ..GenerateOptions::default()
    };
    let (want, _) = make(&model, &session, &prompt(&tiny), &plain);
    for draft in [
        Draft::Lookup,
        Draft::Model(DraftModel::new(&model, &model, &session).unwrap()),
    ] {
        let guessing = GenerateOptions {
            draft: Some(draft),
            ..plain.clone()
        };
        let mut session = Session::new(&model, &session).unwrap();
        session.prefill(&prompt(&tiny), &Cancel::new()).unwrap();
        let mut generator = Generator::new(&session, &guessing, true).unwrap();
        let (cancel, done) = (Cancel::new(), Arc::new(AtomicBool::new(false)));
        let canceller = std::thread::spawn({
            let (cancel, done) = (cancel.clone(), done.clone());
            move || {
                // Later and later, or a slow machine would never make a step.
                let mut wait = Duration::from_micros(300);
                while !done.load(Relaxed) {
                    std::thread::sleep(wait);
                    cancel.cancel();
                    wait = wait * 9 / 8;
                }
            }
        });
        let (mut text, mut cancelled) = (String::new(), 0);
        loop {
            let held = session.tokens().len();
            match generator.step(&mut session, &cancel) {
                Ok(Some(piece)) => text.push_str(&piece),
                Ok(None) => break,
                Err(GenerateError::Session(SessionError::Cancelled)) => {
                    cancelled += 1;
                    assert!(session.tokens().len() == held);
                    cancel.reset();
                }
                Err(error) => panic!("{error}"),
            }
        }
        done.store(true, Relaxed);
        canceller.join().unwrap();
        println!("cancelled {cancelled} times");
        assert!(cancelled > 0);
        assert_eq!(generator.tokens(), want.tokens);
        assert_eq!(text, want.pieces.concat());
    }
}

/// The default model, which repeats a list that it was given.
#[test]
fn the_default_model_says_the_same_with_guesses() {
    let model = Model::open(&default_model()).unwrap();
    let list = "Red, green, blue, yellow, orange, purple, brown, pink, black, white, grey.\n";
    let edit = format!("{list}{list}{list}Red, green, blue, yell");
    let edit = model.tokenizer().encode(
        &edit,
        puna_core::tokenizer::EncodeOptions {
            add_special: true,
            parse_special: false,
        },
    );
    let session = SessionOptions {
        n_ctx: Some(256),
        ..SessionOptions::default()
    };
    for (prompt, n, least) in [(edit, 40, 1), (golden("p3").ids, 24, 0)] {
        for (name, sampler) in ways().drain(..3) {
            let plain = GenerateOptions {
                max_tokens: Some(n),
                sampler,
                ..GenerateOptions::default()
            };
            let guessing = GenerateOptions {
                draft: Some(Draft::Lookup),
                ..plain.clone()
            };
            let (want, _) = make(&model, &session, &prompt, &plain);
            // How many guesses are worth their time is judged by the clock, which a busy machine upsets.
            let right = (0..8).any(|_| {
                let (got, counts) = make(&model, &session, &prompt, &guessing);
                println!("{name}: {counts:?} of {n}");
                assert!(got == want, "{name}");
                counts[1] >= least || name != "greedy"
            });
            assert!(right, "no guess was right in any of the texts");
        }
    }
}
