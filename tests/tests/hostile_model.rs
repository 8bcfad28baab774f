//! No model, however broken, costs more than an error of one line.

use std::{
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
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
use puna_tests::{
    hostile::{
        Outcome, least_time,
        model::{cases, valid},
        most_time, mutant,
    },
    tiny::Rng,
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Most bytes that may be allocated beyond the file's: its vocabulary, a session and its batches.
const MOST_BYTES: usize = 4 << 20;

/// One test at a time, so that the memory measured is its own.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

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
    let _turn = alone();
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
        let time = least_time(time, || drop(run(case.bytes.clone())));

        let said = result.as_ref().map_or_else(|e| e.as_str(), |()| "runs");
        let (kib, micros) = (memory.div_ceil(1 << 10), time.as_micros());
        let name = case.name.escape_debug().to_string();
        let _ = writeln!(table, "{name:52.52} {micros:6} µs {kib:5} KiB  {said:.120}");

        let mut wrong = Vec::from_iter(case.complaint(result.as_ref().copied().map_err(|e| &**e)));
        if time > most_time() {
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
                .map(|wrong| format!("{name}: {wrong}: {said:.200}")),
        );
    }
    println!("{table}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn mutants_of_a_model_run_or_are_refused() {
    let _turn = alone();
    let file = valid().bytes();
    // Where the tensors' data begins, more or less: what is before it says how the rest is read.
    let head = file.len() - valid().tensors.iter().map(|t| t.bytes.len()).sum::<usize>();
    let (mut rng, mut n_run) = (Rng::new(7), 0);
    for i in 0..2_000 {
        let mutant = mutant(&file, head, &mut rng);
        let again = mutant.clone();
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let start = Instant::now();
        let result = run(mutant);
        let time = start.elapsed();
        let memory = MEMORY.peak_usage().saturating_sub(before);
        let time = least_time(time, || drop(run(again.clone())));
        assert!(time < most_time(), "mutant {i} took {time:?}: {result:?}");
        assert!(
            memory < MOST_BYTES,
            "mutant {i} allocated {memory} bytes: {result:?}"
        );
        match result {
            Ok(()) => n_run += 1,
            Err(error) => assert!(
                error.len() < 1_000 && !error.contains(char::is_control),
                "mutant {i}: {error:?}"
            ),
        }
    }
    println!("{n_run} of 2000 mutants run, the others are refused");
    assert!((100..1_900).contains(&n_run), "{n_run}");
}
