//! Work that is stopped, wherever it is then: it ends soon, and leaves nothing behind.

use std::{
    thread,
    time::{Duration, Instant},
};

use puna_core::{
    cancel::Cancel,
    chat::ChatTemplate,
    conversation::{Conversation, ConversationError},
    embed::{EmbedError, EmbedOptions, Embedder},
    generate::{GenerateError, GenerateOptions, Generator},
    model::Model,
    sampler::SamplerParams,
    score::score,
    session::{Session, SessionError, SessionOptions},
    tokenizer::{EncodeOptions, TokenId},
};
use puna_kernels::WeightType;
use puna_tests::{
    model::default_model,
    tiny::{Shape, Tiny},
};

fn session(model: &Model, n_batch: usize, n_threads: usize) -> Session {
    let options = SessionOptions {
        n_ctx: Some(512),
        n_batch,
        n_threads: Some(n_threads),
        ..SessionOptions::default()
    };
    Session::new(model, &options).unwrap()
}

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|l| l.to_bits()).collect()
}

#[test]
fn a_stop_at_any_look_leaves_the_session_as_it_was() {
    let tiny = Tiny::new(Shape::of(WeightType::Q4_0));
    let model = tiny.model();
    let tokens = tiny.tokens(45);
    for (n_batch, n_threads, n) in [(512, 1, 40), (16, 2, 40), (512, 2, 1)] {
        let (first, then) = tokens[..n + 5].split_at(5);
        let mut plain = session(&model, n_batch, n_threads);
        plain.prefill(first, &Cancel::new()).unwrap();
        let before = bits(plain.logits());
        let counting = Cancel::after_looks(usize::MAX);
        plain.prefill(then, &counting).unwrap();
        let (wanted, looks) = (bits(plain.logits()), counting.looks());
        // At each layer once, and in the products, the attention and the rows in between.
        let least = model.config().n_layer * if n == 1 { 6 } else { 4 * n / 2 };
        assert!(looks > least, "{looks} looks at {n} tokens");

        let mut stopped = session(&model, n_batch, n_threads);
        stopped.prefill(first, &Cancel::new()).unwrap();
        for look in 1..=looks {
            let result = stopped.prefill(then, &Cancel::after_looks(look));
            if n_threads > 1 && result.is_ok() {
                // Which thread looks how often is not the same every time.
                assert!(look > looks / 2, "{look} of {looks}");
                stopped.truncate(first.len());
                continue;
            }
            assert!(matches!(result, Err(SessionError::Cancelled)), "{look}");
            assert_eq!(stopped.tokens(), first);
        }
        stopped.truncate(0);
        stopped.prefill(first, &Cancel::new()).unwrap();
        assert_eq!(bits(stopped.logits()), before);
        let _ = stopped.prefill(then, &Cancel::after_looks(looks / 2));
        assert_eq!(bits(stopped.logits()), before, "logits are those of before");
        stopped.prefill(then, &Cancel::new()).unwrap();
        assert_eq!(bits(stopped.logits()), wanted);
    }
}

#[test]
fn longer_prompts_are_looked_at_more_often() {
    let tiny = Tiny::new(Shape::of(WeightType::Q4_0));
    let model = tiny.model();
    let looks = |n: usize| {
        let cancel = Cancel::after_looks(usize::MAX);
        let tokens: Vec<TokenId> = tiny.tokens(1).repeat(n);
        session(&model, 512, 1).prefill(&tokens, &cancel).unwrap();
        cancel.looks()
    };
    let (short, long) = (looks(100), looks(400));
    assert!(long >= 3 * short, "{short} and {long}");
}

#[test]
fn a_deadline_is_an_error_of_its_own_and_leaves_nothing_behind() {
    let tiny = Tiny::new(Shape::of(WeightType::Q4_0));
    let model = tiny.model();
    let tokens = tiny.tokens(20);
    let mut session = session(&model, 512, 2);
    session.prefill(&tokens[..4], &Cancel::new()).unwrap();
    let late = Cancel::new().with_timeout(Duration::ZERO);
    for _ in 0..2 {
        let result = session.prefill(&tokens[4..], &late);
        assert!(matches!(result, Err(SessionError::DeadlineExceeded)));
        assert_eq!(session.tokens(), &tokens[..4]);
    }
    let in_time = late.with_timeout(Duration::from_secs(3600));
    session.prefill(&tokens[4..], &in_time).unwrap();
    in_time.cancel();
    // The flag is the same one, and what was asked comes first.
    let result = session.decode(tokens[0], &late);
    assert!(matches!(result, Err(SessionError::Cancelled)));
}

/// The most likely tokens.
fn greedy(max_tokens: usize) -> GenerateOptions {
    GenerateOptions {
        max_tokens: Some(max_tokens),
        sampler: SamplerParams {
            temperature: 0.0,
            ..SamplerParams::default()
        },
        ..GenerateOptions::default()
    }
}

#[test]
fn a_text_goes_on_after_a_deadline_as_if_there_had_been_none() {
    let model = Model::open(&default_model()).unwrap();
    let plain = EncodeOptions {
        add_special: true,
        parse_special: false,
    };
    let prompt = model.tokenizer().encode("Once upon a time", plain);
    let text = |stops: bool| {
        let mut session = session(&model, 512, 2);
        session.prefill(&prompt, &Cancel::new()).unwrap();
        let mut generator = Generator::new(&session, &greedy(6), true).unwrap();
        let mut text = String::new();
        for i in 0.. {
            if stops && generator.tokens().len() < 6 {
                let late = Cancel::new().with_timeout(Duration::ZERO);
                let stopped = generator.step(&mut session, &late);
                assert!(matches!(
                    stopped,
                    Err(GenerateError::Session(SessionError::DeadlineExceeded))
                ));
                let stopped = generator.step(&mut session, &Cancel::after_looks(2 + 20 * i));
                match stopped {
                    Ok(Some(piece)) => text.push_str(&piece),
                    Ok(None) => break,
                    Err(GenerateError::Session(error)) => assert!(error.is_stop()),
                    Err(error) => panic!("{error}"),
                }
            }
            match generator.step(&mut session, &Cancel::new()).unwrap() {
                Some(piece) => text.push_str(&piece),
                None => break,
            }
        }
        text
    };
    assert_eq!(text(true), text(false));
}

#[test]
fn what_there_is_of_an_answer_is_kept_or_taken_back_as_the_caller_likes() {
    let model = Model::open(&default_model()).unwrap();
    let template = ChatTemplate::from_gguf(model.gguf(), model.tokenizer()).unwrap();
    let options = SessionOptions {
        n_ctx: Some(256),
        ..SessionOptions::default()
    };
    let mut chat = Conversation::new(&model, template, None, &options).unwrap();
    for keep in [true, false] {
        let n_messages = chat.messages().len();
        let cancel = Cancel::new();
        let mut reply = chat.send("Count to fifty.", &greedy(50), &cancel).unwrap();
        while reply.text().len() < 5 {
            reply.next_piece().unwrap();
        }
        cancel.cancel();
        let stopped = reply.next_piece();
        assert!(matches!(
            stopped,
            Err(ConversationError::Session(SessionError::Cancelled))
        ));
        let text = reply.text().to_owned();
        if keep {
            reply.keep().unwrap();
            assert_eq!(chat.messages().len(), n_messages + 2);
            assert_eq!(chat.messages().last().unwrap().content, text);
        } else {
            drop(reply);
            assert_eq!(chat.messages().len(), n_messages);
        }
    }
    let late = Cancel::new().with_timeout(Duration::ZERO);
    let refused = chat.send("Go on.", &greedy(5), &late).map(drop);
    assert!(matches!(
        refused,
        Err(ConversationError::Session(SessionError::DeadlineExceeded))
    ));
    let mut reply = chat.send("Go on.", &greedy(5), &Cancel::new()).unwrap();
    while reply.next_piece().unwrap().is_some() {}
    assert!(!reply.text().is_empty());
}

/// How soon a cancel from another thread ends `work`, which is done again until it is stopped. The bound is for a busy
/// machine; `puna bench --cancel` measures.
fn soon(name: &str, cancel: &Cancel, mut work: impl FnMut() -> Result<(), SessionError>) {
    let (error, took) = thread::scope(|s| {
        let canceller = s.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            let at = Instant::now();
            cancel.cancel();
            at
        });
        let error = loop {
            if let Err(error) = work() {
                break error;
            }
        };
        let end = Instant::now();
        (error, end - canceller.join().unwrap())
    });
    println!("{name}: {took:?}");
    assert!(matches!(error, SessionError::Cancelled), "{name}: {error}");
    assert!(took < Duration::from_secs(2), "{name}: {took:?}");
    cancel.reset();
}

#[test]
fn a_cancel_from_another_thread_is_soon_seen() {
    let model = Model::open(&default_model()).unwrap();
    let mut session = session(&model, 512, 2);
    let tokens = [TokenId(1)].repeat(500);
    let cancel = Cancel::new();
    soon("prefill", &cancel, || {
        session.truncate(0);
        session.prefill(&tokens, &cancel)
    });
    session.prefill(&tokens[..5], &cancel).unwrap();
    let continuations = [tokens[..240].to_vec(), tokens[..250].to_vec()];
    soon("score", &cancel, || {
        score(&mut session, &tokens[..250], &continuations, &cancel).map(drop)
    });
    score(&mut session, &tokens[..5], &[tokens[..3].to_vec()], &cancel).unwrap();
    let options = EmbedOptions {
        session: SessionOptions {
            n_ctx: Some(512),
            n_threads: Some(2),
            ..SessionOptions::default()
        },
        ..EmbedOptions::default()
    };
    let mut embedder = Embedder::new(&model, &options).unwrap();
    soon("embed", &cancel, || {
        match embedder.embed_tokens(&tokens, &cancel) {
            Ok(_) => Ok(()),
            Err(EmbedError::Session(error)) => Err(error),
            Err(other) => panic!("{other}"),
        }
    });
    embedder.embed_tokens(&tokens[..5], &cancel).unwrap();
}
