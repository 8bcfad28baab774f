//! No template, whatever it does, costs more than an error of one line.

use std::{fmt::Write as _, time::Instant};

use peak_alloc::PeakAlloc;
use puna_core::{
    chat::{ChatTemplate, Message},
    gguf::Gguf,
    tokenizer::Tokenizer,
};
use puna_tests::hostile::{self, Outcome, least_time, most_time, template::cases};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Most bytes that it may allocate beyond the file's.
const MOST_BYTES: usize = 6 << 20;

/// Reads the template of a model's file and renders a conversation.
fn run(file: Vec<u8>) -> Result<String, String> {
    let gguf = Gguf::from_bytes(file).map_err(|e| e.to_string())?;
    let tokenizer = Tokenizer::from_gguf(&gguf).map_err(|e| e.to_string())?;
    let template = ChatTemplate::from_gguf(&gguf, &tokenizer).map_err(|e| e.to_string())?;
    let messages = [
        Message::user("What is 2 + 2?"),
        Message::assistant("4"),
        Message::user("And 3 + 3?"),
    ];
    let rendered = template.render(&messages, true);
    let rendered = rendered.map_err(|e| e.to_string())?;
    std::hint::black_box(rendered.encode(&tokenizer));
    Ok(rendered.text().to_owned())
}

#[test]
fn every_case_of_the_corpus_ends_as_it_must() {
    let mut table = String::new();
    let mut complaints = Vec::new();
    for case in cases() {
        let source = std::str::from_utf8(&case.bytes).unwrap();
        let mut tiny = hostile::model::valid();
        tiny.set("tokenizer.chat_template", source);
        let file = tiny.bytes();
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let start = Instant::now();
        let result = run(file.clone());
        let time = start.elapsed();
        let memory = MEMORY.peak_usage().saturating_sub(before);
        let time = least_time(time, || drop(run(file.clone())));

        let said = match &result {
            Ok(text) => format!("writes {} bytes", text.len()),
            Err(error) => error.clone(),
        };
        let (name, kib, micros) = (
            case.name.replace('\n', "\\n"),
            memory.div_ceil(1 << 10),
            time.as_micros(),
        );
        let _ = writeln!(table, "{name:60.60} {micros:6} µs {kib:5} KiB  {said:.120}");

        let ended = result.as_ref().map(drop).map_err(|e| &**e);
        let mut wrong = Vec::from_iter(case.complaint(ended));
        if time > most_time() {
            wrong.push(format!("took {time:?}"));
        }
        if memory > MOST_BYTES {
            wrong.push(format!("allocated {memory} bytes"));
        }
        if said.len() > 400 {
            wrong.push(format!("a message of {} bytes", said.len()));
        }
        if matches!(case.outcome, Outcome::Survives) && result.is_ok_and(|text| !text.is_empty()) {
            wrong.push("it reached something".to_owned());
        }
        complaints.extend(
            wrong
                .into_iter()
                .map(|wrong| format!("{name:.60}: {wrong}: {said:.200}")),
        );
    }
    println!("{table}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
