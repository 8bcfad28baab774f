//! A journal has every whole turn, needs no computation, and stays small.

use puna_core::{
    cancel::Cancel, conversation::Conversation, kv_cache::KvType, saved::StateError,
    session::SessionOptions,
};
use puna_tests::script::{self, answers, finish};

#[test]
fn after_every_step_the_journal_has_the_conversation() {
    let (model, dir) = (script::model(), tempfile::tempdir().unwrap());
    let file = dir.path().join("journal.puna");
    let mut plain = script::start(&model);
    let (mut written, mut anew) = (0, 0);
    for i in 0..40 {
        let mut chat = script::start(&model);
        chat.journal(dir.path()).unwrap();
        assert_eq!(chat.messages(), plain.messages(), "step {i}");
        if i % 10 > 0 {
            assert_eq!(
                chat.session().tokens(),
                plain.session().tokens(),
                "step {i}"
            );
            assert!(
                script::rows(chat.session()) == script::rows(plain.session()),
                "step {i}"
            );
        }
        script::step(&mut plain, i);
        let before = file.metadata().unwrap().len();
        script::step(&mut chat, i);
        assert_eq!(chat.messages(), plain.messages(), "step {i}");
        let after = file.metadata().unwrap().len();
        written += 1;
        anew += u32::from(after < before);
        // A token takes 64 bytes of rows, 4 of ids and some of text.
        let need = 200 * chat.session().tokens().len() as u64 + 4_000;
        assert!(after < 2 * need + (64 << 10), "{after} bytes at step {i}");
    }
    assert!(anew >= 4 && written > anew, "{anew} of {written}");
}

#[test]
fn a_long_history_of_edits_stays_small() {
    let (model, dir) = (script::model(), tempfile::tempdir().unwrap());
    let mut chat = script::start(&model);
    chat.journal(dir.path()).unwrap();
    script::step(&mut chat, 0);
    let mut most = 0;
    for i in 0..100 {
        let text = format!("train {i} ").repeat(20);
        let go = Cancel::new();
        finish(chat.edit_last(&text, &answers(i), &go).unwrap());
        let len = dir.path().join("journal.puna").metadata().unwrap().len();
        most = most.max(len);
    }
    let need = 100 * chat.session().tokens().len() as u64;
    assert!(most < 2 * need + (66 << 10), "{most} bytes, {need} needed");
    let tokens = chat.session().tokens().to_vec();
    let rows = script::rows(chat.session());
    drop(chat);
    let mut back = script::start(&model);
    back.journal(dir.path()).unwrap();
    assert_eq!(back.session().tokens(), tokens);
    assert!(script::rows(back.session()) == rows);
}

#[test]
fn a_reset_leaves_no_word_on_the_disk() {
    let (model, dir) = (script::model(), tempfile::tempdir().unwrap());
    let mut chat = script::start(&model);
    chat.journal(dir.path()).unwrap();
    let go = Cancel::new();
    finish(chat.send("a secret train", &answers(1), &go).unwrap());
    let has_word = || {
        let bytes = std::fs::read(dir.path().join("journal.puna")).unwrap();
        bytes.windows(6).any(|w| w == b"secret")
    };
    assert!(has_word());
    chat.reset().unwrap();
    assert!(!has_word());
    drop(chat);
    let mut back = script::start(&model);
    back.journal(dir.path()).unwrap();
    assert_eq!(back.messages().len(), 1, "the system message stays");
    assert_eq!(back.session().tokens(), []);
}

#[test]
fn a_journal_has_one_writer_one_model_and_one_cache() {
    let (model, dir) = (script::model(), tempfile::tempdir().unwrap());
    let mut chat = script::start(&model);
    chat.journal(dir.path()).unwrap();
    script::step(&mut chat, 0);
    let mut second = script::start(&model);
    assert!(matches!(
        second.journal(dir.path()),
        Err(StateError::InUse { .. })
    ));
    // What a killed process left: removed when the journal is opened, which this one was not.
    let left = dir.path().join(".puna-unfinished-x");
    std::fs::write(&left, "words").unwrap();
    // The one that was refused is as it was.
    assert_eq!(second.messages().len(), 1);
    script::step(&mut second, 0);
    assert_eq!(second.messages(), chat.messages());
    drop(chat);
    let mut fork = second.fork();
    assert!(left.exists());
    second.journal(dir.path()).unwrap();
    assert!(!left.exists());
    assert!(fork.journal_dir().is_none() && second.journal_dir() == Some(dir.path()));
    script::step(&mut fork, 1);
    drop(second);

    let options = |n_ctx, kv| SessionOptions {
        n_ctx: Some(n_ctx),
        kv,
        ..script::options()
    };
    let open = |options: SessionOptions| {
        let template = script::template(&model);
        let mut chat = Conversation::new(&model, template, None, &options).unwrap();
        chat.journal(dir.path())
    };
    assert!(matches!(
        open(options(1000, KvType::F32)),
        Err(StateError::KvType {
            had: "f16",
            wanted: "f32"
        })
    ));
    assert!(matches!(
        open(options(20, KvType::F16)),
        Err(StateError::TooLong { .. })
    ));
    open(options(1000, KvType::F16)).unwrap();
}
