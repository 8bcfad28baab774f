//! The library's log of a chat is the same whatever is said, and however much of it.

use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};
use puna_core::{
    cancel::Cancel, chat::ChatTemplate, conversation::Conversation, generate::GenerateOptions,
    model::Model, session::SessionOptions,
};
use puna_tests::soak::tiny_model;

/// Everything that is logged.
struct Kept(Mutex<Vec<String>>);

static KEPT: Kept = Kept(Mutex::new(Vec::new()));

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

/// What is logged while a model answers `text` with `n` tokens.
fn told(model: &Model, text: &str, n: usize) -> Vec<String> {
    let template = ChatTemplate::from_gguf(model.gguf(), model.tokenizer()).unwrap();
    let options = SessionOptions {
        n_ctx: Some(1024),
        n_threads: Some(1),
        ..SessionOptions::default()
    };
    KEPT.0.lock().unwrap().clear();
    let mut chat = Conversation::new(model, template, Some(""), &options).unwrap();
    let options = GenerateOptions {
        max_tokens: Some(n),
        ignore_eos: true,
        ..GenerateOptions::default()
    };
    let cancel = Cancel::new();
    let mut reply = chat.send(text, &options, &cancel).unwrap();
    while reply.next_piece().unwrap().is_some() {}
    std::mem::take(&mut KEPT.0.lock().unwrap())
}

#[test]
fn the_log_of_a_chat_does_not_depend_on_what_is_said() {
    log::set_logger(&KEPT).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let dir = tempfile::tempdir().unwrap();
    let model = Model::open(&tiny_model(dir.path())).unwrap();
    // It does log, as far as there is something to say of the model.
    assert!(!KEPT.0.lock().unwrap().is_empty());
    let few = told(&model, "a", 2);
    let many = told(&model, &"quizzaciously ".repeat(20), 40);
    // Neither words nor pieces of words nor numbers of tokens: of either there are more.
    assert_eq!(few, many);
}
