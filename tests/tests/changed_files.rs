//! Files that somebody cuts, replaces or rewrites while they are mapped.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use puna_core::{
    cancel::Cancel,
    gguf::{GgufError, Value},
    model::Model,
    session::{Session, SessionError, SessionOptions},
    tokenizer::TokenId,
};
use puna_tests::{hostile::model::valid, script};
use tempfile::TempDir;

fn options() -> SessionOptions {
    SessionOptions {
        n_threads: Some(1),
        n_ctx: Some(600),
        n_batch: 32,
        ..SessionOptions::default()
    }
}

/// A model's file in the folder, its length, and the model, which maps it.
fn mapped(dir: &TempDir) -> (PathBuf, u64, Model) {
    let path = dir.path().join("model.gguf");
    let bytes = valid().bytes();
    fs::write(&path, &bytes).unwrap();
    let model = Model::open(&path).unwrap();
    (path, bytes.len() as u64, model)
}

fn cut(path: &Path, len: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(len).unwrap();
}

/// That a call failed as a file was cut to `len` bytes, in a line.
fn assert_shrunk(error: &SessionError, len: u64) {
    let SessionError::File(GgufError::Shrunk { had, .. }) = error else {
        panic!("{error}");
    };
    assert_eq!(*had, len);
    let text = error.to_string();
    println!("{text}");
    assert!(
        !text.contains(char::is_control) && text.len() < 200,
        "{text}"
    );
}

/// Windows refuses to cut a mapped file.
#[cfg(unix)]
#[test]
fn a_model_cut_while_it_is_mapped_is_an_error_of_the_next_call() {
    let dir = tempfile::tempdir().unwrap();
    let (path, len, model) = mapped(&dir);
    let mut session = Session::new(&model, &options()).unwrap();
    let go = Cancel::new();
    session.prefill(&[TokenId(1), TokenId(9)], &go).unwrap();
    let tokens = session.tokens().to_vec();
    let logits = session.logits().to_vec();
    for left in [len - 1, len / 2, 100, 0] {
        cut(&path, left);
        assert_shrunk(&session.decode(TokenId(7), &go).unwrap_err(), left);
        let long = vec![TokenId(5); 100];
        assert_shrunk(&session.prefill(&long, &go).unwrap_err(), left);
        assert_eq!(session.tokens(), tokens);
        assert_eq!(session.logits(), logits);
    }
    // The bytes are back, in the same file: so is the session.
    fs::write(&path, valid().bytes()).unwrap();
    let after = session.decode(TokenId(7), &go).unwrap().to_vec();
    let other = Model::open(&path).unwrap();
    let mut fresh = Session::new(&other, &options()).unwrap();
    fresh
        .prefill(&[TokenId(1), TokenId(9), TokenId(7)], &go)
        .unwrap();
    assert_eq!(fresh.logits(), after);
}

#[cfg(unix)]
#[test]
fn a_model_replaced_while_it_is_mapped_runs_on() {
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("model.gguf"), dir.path().join("other"));
    fs::write(&path, valid().bytes()).unwrap();
    fs::write(&other, b"no model").unwrap();
    let model = Model::open(&path).unwrap();
    let mut session = Session::new(&model, &options()).unwrap();
    let go = Cancel::new();
    session.prefill(&[TokenId(1)], &go).unwrap();
    let first = session.decode(TokenId(7), &go).unwrap().to_vec();
    fs::rename(&other, &path).unwrap();
    session.truncate(1);
    assert_eq!(session.decode(TokenId(7), &go).unwrap(), first);
    assert!(Model::open(&path).is_err());
}

/// Weights that are overwritten give other numbers, an error, or none: nothing worse.
#[test]
fn a_model_rewritten_while_it_is_mapped_computes_or_fails() {
    let dir = tempfile::tempdir().unwrap();
    let (path, len, model) = mapped(&dir);
    let mut session = Session::new(&model, &options()).unwrap();
    let go = Cancel::new();
    for fill in [0u8, 0x7b, 0xff] {
        // In place and of the same length: the mapping sees it.
        fs::write(&path, vec![fill; len as usize]).unwrap();
        match session.prefill(&[TokenId(1), TokenId(9)], &go) {
            Ok(()) => assert!(session.logits().iter().all(|l| l.is_finite())),
            Err(error) => assert!(matches!(error, SessionError::NotFinite { .. }), "{error}"),
        }
        // Texts are checked again when they are read: what is left is none, or is UTF-8.
        assert_ne!(
            model.gguf().get("general.architecture"),
            Some(Value::Str("llama"))
        );
        std::hint::black_box(model.tokenizer().detokenize(&[TokenId(9)], true));
        session.truncate(0);
    }
}

/// A restored session reads its whole pages where they lie in the file.
#[cfg(unix)]
#[test]
fn a_state_cut_while_it_is_mapped_is_an_error_of_the_next_call() {
    let (model, dir) = (script::model(), tempfile::tempdir().unwrap());
    let path = dir.path().join("state");
    let go = Cancel::new();
    let mut session = Session::new(&model, &script::options()).unwrap();
    session.prefill(&vec![TokenId(9); 300], &go).unwrap();
    session.save(&path).unwrap();
    let mut back = Session::restore(&model, &path, &script::options()).unwrap();
    assert!(back.cache().n_shared_pages() > 0);
    let bytes = fs::read(&path).unwrap();
    for left in [bytes.len() as u64 - 1, 64, 0] {
        cut(&path, left);
        assert_shrunk(&back.decode(TokenId(7), &go).unwrap_err(), left);
    }
    fs::write(&path, &bytes).unwrap();
    let want = session.decode(TokenId(7), &go).unwrap();
    assert_eq!(back.decode(TokenId(7), &go).unwrap(), want);
}
