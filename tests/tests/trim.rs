//! Memory that is given back, and returns. One test, since what a whole process holds is measured.

#![cfg(target_os = "linux")]

use puna_core::{
    cancel::Cancel,
    model::Model,
    session::{Session, SessionOptions, Trim},
    tokenizer::TokenId,
};
use puna_tests::{model::default_model, process::Held};

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|l| l.to_bits()).collect()
}

#[test]
fn every_level_lowers_the_memory_and_the_next_call_has_the_same_bits() {
    let model = Model::open(&default_model()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let options = SessionOptions {
        trim_dir: Some(dir.path().to_path_buf()),
        n_ctx: Some(256),
        n_threads: Some(2),
        n_batch: 128,
        ..SessionOptions::default()
    };
    let session = || Session::new(&model, &options).unwrap();
    let (cancel, token) = (Cancel::new(), |i: usize| TokenId((i * 37 % 40_000) as u32));
    let prompt: Vec<_> = (0..128).map(token).collect();
    let wanted: Vec<_> = {
        let mut session = session();
        session.prefill(&prompt, &cancel).unwrap();
        let after = |i| bits(session.decode(token(i), &cancel).unwrap());
        (0..6).map(after).collect()
    };
    let mut session = session();
    session.prefill(&prompt, &cancel).unwrap();
    let memory = session.memory();
    let mut steps = wanted.iter().enumerate();
    for round in 0..2 {
        for level in Trim::ALL {
            let before = Held::now();
            let logits = bits(session.logits());
            session.trim(level).unwrap();
            let after = Held::now();
            assert_eq!(bits(session.logits()), logits);
            let anon = before.anon_bytes.saturating_sub(after.anon_bytes);
            let file = before.file_bytes.saturating_sub(after.file_bytes);
            let what = format!("{} in round {round}: {before:?} {after:?}", level.name());
            match level {
                // Only decode steps have run since the second trim: of the batch's buffers one row each is touched.
                Trim::Scratch if round == 0 => assert!(anon > memory.scratch_bytes / 3, "{what}"),
                Trim::Scratch => {}
                // Of each room in the page, the rows of 128 tokens and more were touched.
                Trim::Kv => assert!(anon > memory.kv_bytes / 10 * 4, "{what}"),
                _ => assert!(file > memory.weights_bytes / 10 * 8, "{what}"),
            }
            let (i, wanted) = steps.next().unwrap();
            assert_eq!(
                bits(session.decode(token(i), &cancel).unwrap()),
                *wanted,
                "{what}"
            );
            assert_eq!(session.memory(), memory);
        }
    }
    for (i, wanted) in steps {
        assert_eq!(bits(session.decode(token(i), &cancel).unwrap()), *wanted);
    }
    // Twice in a row, and before anything was computed.
    session.trim(Trim::Weights).unwrap();
    session.trim(Trim::Weights).unwrap();
    let mut fresh = Session::new(&model, &options).unwrap();
    fresh.trim(Trim::Weights).unwrap();
    fresh.prefill(&prompt, &cancel).unwrap();
    assert_eq!(bits(fresh.decode(token(0), &cancel).unwrap()), wanted[0]);
}
