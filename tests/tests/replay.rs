//! The replay twin: it answers as its script says, and can be stopped as a model can.

use std::time::{Duration, Instant};

use puna_core::{
    cancel::Cancel,
    chat::Message,
    conversation::{Ask, ConversationError},
    generate::{GenerateOptions, StopReason},
    replay::{Replay, ReplayChat, Script, ScriptError},
    session::SessionError,
};

const SCRIPT: &str = r#"{ "name": "Twin", "turns": [
    { "ask": "one", "pieces": [{ "text": "1", "after_ms": 30 }, { "text": "!", "after_ms": 40 }], "prompt_tokens": 9 },
    { "ask": "one", "answer": "once more", "end": "length" },
    { "answer": "first of any" },
    { "answer": "second of any" },
    { "ask": "full", "fault": "context_full" },
    { "ask": "late", "answer": "half an", "fault": "deadline_exceeded" } ] }"#;

fn chat(speed: f64) -> ReplayChat {
    let script = Script::from_json(SCRIPT).expect("it is a script");
    let replay = Replay::new(script, speed).expect("a speed");
    replay.chat(Some("system"))
}

/// The answer, and why it ended.
fn ask(
    chat: &mut ReplayChat,
    ask: Ask<'_>,
    options: &GenerateOptions,
) -> Result<(String, StopReason), ConversationError> {
    let mut reply = ReplayChat::answer(chat, ask, options, &Cancel::new())?;
    let mut text = String::new();
    while let Some(piece) = reply.next_piece()? {
        text.push_str(&piece);
    }
    Ok((text, reply.stop_reason().expect("it has ended")))
}

fn send(chat: &mut ReplayChat, text: &str) -> Result<(String, StopReason), ConversationError> {
    ask(chat, Ask::Send(text), &GenerateOptions::default())
}

#[test]
fn questions_find_their_answers() {
    let mut chat = chat(f64::INFINITY);
    let mut said = |text| send(&mut chat, text).expect("the script has it");
    assert_eq!(said("one"), ("1!".to_owned(), StopReason::Eos));
    assert_eq!(said("one"), ("once more".to_owned(), StopReason::Length));
    assert_eq!(said("one").0, "once more");
    assert_eq!(said("what?").0, "second of any");
    assert_eq!(said("what?").0, "first of any");
    assert_eq!(chat.messages().len(), 11);
    assert_eq!(chat.messages()[0], Message::system("system"));
}

#[test]
fn a_turn_is_edited_and_answered_again() {
    let mut chat = chat(f64::INFINITY);
    let options = GenerateOptions::default();
    let none = ask(&mut chat, Ask::Regenerate, &options);
    assert!(matches!(none, Err(ConversationError::NoTurn)), "{none:?}");
    send(&mut chat, "what?").expect("it is any question");
    let edited = ask(&mut chat, Ask::EditLast("one"), &options).expect("the script has it");
    assert_eq!(edited.0, "1!");
    let again = ask(&mut chat, Ask::Regenerate, &options).expect("the script has it");
    assert_eq!(again.0, "1!");
    assert_eq!(chat.messages().len(), 3);
}

#[test]
fn what_fails_leaves_the_chat_as_it_was() {
    let mut chat = chat(f64::INFINITY);
    send(&mut chat, "one").expect("the script has it");
    let before = chat.messages().to_vec();
    let full = send(&mut chat, "full");
    let Err(ConversationError::Session(SessionError::ContextFull { n_ctx: 4096, .. })) = full
    else {
        panic!("{full:?}");
    };
    let late = send(&mut chat, "late");
    let Err(ConversationError::Session(SessionError::DeadlineExceeded)) = late else {
        panic!("{late:?}");
    };
    drop(
        ReplayChat::answer(
            &mut chat,
            Ask::EditLast("what?"),
            &GenerateOptions::default(),
            &Cancel::new(),
        )
        .expect("the script has it"),
    );
    assert_eq!(chat.messages(), before);
}

#[test]
fn limits_and_stop_strings_end_an_answer() {
    let mut chat = chat(f64::INFINITY);
    let most = GenerateOptions {
        max_tokens: Some(2),
        ..GenerateOptions::default()
    };
    let cut = ask(&mut chat, Ask::Send("what?"), &most).expect("it is any question");
    assert_eq!(cut, ("first of ".to_owned(), StopReason::Length));
    let stop = GenerateOptions {
        stops: vec!["of".to_owned()],
        ..GenerateOptions::default()
    };
    let cut = ask(&mut chat, Ask::Send("what?"), &stop).expect("it is any question");
    assert_eq!(cut, ("second ".to_owned(), StopReason::StopString));
}

#[test]
fn it_takes_its_time_and_can_be_stopped_in_it() {
    let start = Instant::now();
    send(&mut chat(1.0), "one").expect("the script has it");
    assert!(
        start.elapsed() >= Duration::from_millis(70),
        "{:?}",
        start.elapsed()
    );
    let mut slow = chat(0.001);
    for after in [0, 20] {
        let cancel = Cancel::new().with_timeout(Duration::from_millis(after));
        let start = Instant::now();
        let options = GenerateOptions::default();
        let stopped = ReplayChat::answer(&mut slow, Ask::Send("one"), &options, &cancel);
        let error = stopped.expect_err("its first piece comes after 30 seconds");
        assert!(
            matches!(
                error,
                ConversationError::Session(SessionError::DeadlineExceeded)
            ),
            "{error}"
        );
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(slow.messages().len(), 1);
    }
}

#[test]
fn scripts_are_checked() {
    let json = |text: &str| Script::from_json(text);
    assert!(matches!(json("{}"), Err(ScriptError::Json(_))));
    let nothing = json(r#"{ "name": "", "turns": [{ "ask": "" }] }"#);
    assert!(
        matches!(nothing, Err(ScriptError::Answer { turn: 0 })),
        "{nothing:?}"
    );
    let typo = json(r#"{ "name": "", "turns": [{ "answr": "" }] }"#);
    assert!(matches!(typo, Err(ScriptError::Json(_))), "{typo:?}");
    let script = json(SCRIPT).expect("it is a script");
    assert_eq!(
        json(&script.to_json()).expect("what was written is read"),
        script
    );
    for speed in [0.0, -1.0, f64::NAN] {
        let replay = Replay::new(script.clone(), speed);
        assert!(matches!(replay, Err(ScriptError::Speed { .. })), "{speed}");
    }
}

#[test]
fn saved_chats_and_journals_come_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let (file, journal) = (dir.path().join("saved"), dir.path().join("journal"));
    let mut first = chat(f64::INFINITY);
    first.journal(&journal).expect("a new journal");
    send(&mut first, "one").expect("the script has it");
    first.save(&file).expect("there is room");
    send(&mut first, "what?").expect("it is any question");
    let mut second = chat(f64::INFINITY);
    second.journal(&journal).expect("the journal is there");
    assert_eq!(second.messages(), first.messages());
    second.restore(&file).expect("the file is there");
    assert_eq!(second.messages(), &first.messages()[..3]);
    second.reset().expect("the journal can be written");
    let mut third = chat(f64::INFINITY);
    third.journal(&journal).expect("the journal is there");
    assert_eq!(third.messages().len(), 1);
    std::fs::write(&file, "{}").expect("a file");
    third.restore(&file).expect_err("it is no chat");
}
