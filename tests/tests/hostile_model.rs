//! No model, however broken, costs more than an error of one line.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use peak_alloc::PeakAlloc;
use puna_core::{
    cancel::Cancel,
    generate::{GenerateOptions, Generator},
    gguf::Gguf,
    model::Model,
    session::{Session, SessionOptions},
    tokenizer::{EncodeOptions, TokenId},
};
use puna_tests::hostile::{
    Outcome,
    model::{cases, valid},
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Longest that a file may keep its reader, and the session after it.
const MOST_TIME: Duration = Duration::from_secs(1);
/// Most bytes that may be allocated beyond the file's: its vocabulary, a session and its batches.
const MOST_BYTES: usize = 12 << 20;

/// Opens a model and lets it write four tokens, with the context that it gets without asking.
fn run(bytes: Vec<u8>) -> Result<(), String> {
    let gguf = Gguf::from_bytes(bytes).map_err(|e| e.to_string())?;
    let model = Model::from_gguf(gguf).map_err(|e| e.to_string())?;
    let text = "the hen in <s> ▁ \u{1f414}\n";
    let parse = EncodeOptions {
        add_special: true,
        parse_special: true,
    };
    let ids = model.tokenizer().encode(text, parse);
    std::hint::black_box(model.tokenizer().detokenize(&ids, true));
    let n_vocab = model.config().n_vocab as u32;
    let options = SessionOptions {
        n_threads: Some(1),
        n_batch: 64,
        ..SessionOptions::default()
    };
    let mut session = Session::new(&model, &options).map_err(|e| e.to_string())?;
    assert!(session.n_ctx() <= 4096);
    let prompt = [0, 150, 299].map(|id| TokenId(id % n_vocab));
    let cancel = Cancel::new();
    session
        .prefill(&prompt, &cancel)
        .map_err(|e| e.to_string())?;
    assert!(session.logits().iter().all(|l| l.is_finite()));
    let options = GenerateOptions {
        max_tokens: Some(4),
        ..GenerateOptions::default()
    };
    let mut generator = Generator::new(&session, &options, false).map_err(|e| e.to_string())?;
    while generator
        .step(&mut session, &cancel)
        .map_err(|e| e.to_string())?
        .is_some()
    {}
    Ok(())
}

#[test]
fn every_case_of_the_corpus_ends_as_it_must() {
    run(valid().bytes()).unwrap();
    let mut table = String::new();
    let mut complaints = Vec::new();
    for case in cases() {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let start = Instant::now();
        let result = run(case.bytes.clone());
        let time = start.elapsed();
        let memory = MEMORY
            .peak_usage()
            .saturating_sub(before + case.bytes.len());

        let said = result.as_ref().map_or_else(|e| e.as_str(), |()| "runs");
        let (kib, micros) = (memory.div_ceil(1 << 10), time.as_micros());
        let _ = writeln!(
            table,
            "{:52.52} {micros:6} µs {kib:5} KiB  {said:.120}",
            case.name
        );

        let mut wrong = Vec::from_iter(case.complaint(result.as_ref().copied().map_err(|e| &**e)));
        if time > MOST_TIME {
            wrong.push(format!("took {time:?}"));
        }
        if memory > MOST_BYTES {
            wrong.push(format!("allocated {memory} bytes"));
        }
        if said.len() > 1_000 {
            wrong.push(format!("a message of {} bytes", said.len()));
        }
        if matches!(case.outcome, Outcome::Survives) && result.is_err() && !said.contains("finite")
        {
            wrong.push("another error than that of its numbers".to_owned());
        }
        complaints.extend(
            wrong
                .into_iter()
                .map(|wrong| format!("{}: {wrong}: {said:.200}", case.name)),
        );
    }
    println!("{table}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
