//! States and journals that lie: an error of one line, or what was saved; never a panic, never garbage.

use std::path::Path;

use puna_core::{
    chat::Message, conversation::Conversation, model::Model, saved::StateError, tokenizer::TokenId,
};
use puna_tests::{hostile, script, tiny::Rng};

/// Messages, tokens, rows and logits.
type State = (Vec<Message>, Vec<TokenId>, Vec<u8>, Vec<u32>);

fn state(chat: &Conversation) -> State {
    let session = chat.session();
    (
        chat.messages().to_vec(),
        session.tokens().to_vec(),
        script::rows(session),
        session.logits().iter().map(|l| l.to_bits()).collect(),
    )
}

fn restore(model: &Model, path: &Path) -> Result<State, StateError> {
    let template = script::template(model);
    let chat = Conversation::restore(model, template, path, &script::options())?;
    Ok(state(&chat))
}

fn reopen(model: &Model, dir: &Path) -> Result<State, StateError> {
    let mut chat = script::start(model);
    chat.journal(dir)?;
    Ok(state(&chat))
}

/// Headers are hit as often as all the rest.
fn mutant(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    hostile::mutant(bytes, 200, rng)
}

fn one_line(error: &StateError) {
    let text = error.to_string();
    assert!(text.len() < 300 && !text.contains('\n'), "{text:?}");
}

#[test]
fn a_state_that_was_cut_or_changed_is_an_error() {
    let (model, dir) = (script::model(), tempfile::tempdir().unwrap());
    let path = dir.path().join("state");
    let mut chat = script::start(&model);
    script::step(&mut chat, 0);
    chat.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let want = state(&chat);
    assert_eq!(restore(&model, &path).unwrap(), want);

    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    for len in (0..bytes.len()).rev() {
        file.set_len(len as u64).unwrap();
        let error = restore(&model, &path).unwrap_err();
        one_line(&error);
        let says = matches!(error, StateError::Truncated { .. }) == (len >= 8);
        assert!(says, "{len} bytes: {error}");
    }
    drop(file);

    let (mut rng, mut same) = (Rng::new(5), 0);
    for i in 0..2_000 {
        let mutant = mutant(&bytes, &mut rng);
        std::fs::write(&path, &mutant).unwrap();
        match restore(&model, &path) {
            Ok(state) => {
                assert!(mutant == bytes && state == want, "mutant {i} was believed");
                same += 1;
            }
            Err(error) => one_line(&error),
        }
    }
    assert!(same < 1_000, "{same} mutants were no mutants");
}

/// A journal of some turns, and the conversation after each record, by the length of the file.
fn journal(model: &Model, dir: &Path, n_steps: usize) -> Vec<(u64, State)> {
    let path = dir.join("journal.puna");
    let mut chat = script::start(model);
    chat.journal(dir).unwrap();
    let mut states = Vec::new();
    for i in 0..=n_steps {
        let len = path.metadata().unwrap().len();
        let mut kept = state(&chat);
        // A journal has no logits: the next turn computes them.
        kept.3.fill(0);
        states.push((len, kept));
        if i < n_steps {
            script::step(&mut chat, i);
        }
    }
    states
}

#[test]
fn a_journal_that_was_cut_has_the_turns_before_the_cut() {
    let (model, dir) = (script::model(), tempfile::tempdir().unwrap());
    let mut states = journal(&model, dir.path(), 2);
    let path = dir.path().join("journal.puna");
    let len = path.metadata().unwrap().len();
    let empty = script::start(&model);
    let empty = (52 + 4, state(&empty));
    states.insert(0, empty);
    assert!(states.windows(2).all(|w| w[0].0 < w[1].0), "it only grew");

    let copy = tempfile::tempdir().unwrap();
    let cut = copy.path().join("journal.puna");
    std::fs::copy(&path, &cut).unwrap();
    for len in (0..=len).rev() {
        let file = std::fs::OpenOptions::new().write(true).open(&cut).unwrap();
        file.set_len(len).unwrap();
        drop(file);
        // A journal whose last record is gone is given its beginning again, which would be written to it.
        let want = states.iter().rfind(|(at, _)| *at <= len);
        if want.is_none_or(|(at, _)| *at == states[0].0) {
            continue;
        }
        let found = reopen(&model, copy.path()).unwrap();
        assert!(found == want.unwrap().1, "{len} bytes");
    }

    // Less than a header is no journal; a bare header is an empty one.
    for len in [0, 1, 8, 55] {
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&cut, &bytes[..len]).unwrap();
        let error = reopen(&model, copy.path()).unwrap_err();
        assert!(matches!(error, StateError::Truncated { .. }), "{error}");
    }
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&cut, &bytes[..56]).unwrap();
    assert_eq!(reopen(&model, copy.path()).unwrap(), states[0].1);
}

#[test]
fn a_journal_goes_on_after_a_torn_turn() {
    let (model, dir) = (script::model(), tempfile::tempdir().unwrap());
    let states = journal(&model, dir.path(), 3);
    let path = dir.path().join("journal.puna");
    let bytes = std::fs::read(&path).unwrap();
    for torn in [states[2].0 + 1, states[3].0 - 1] {
        // What a file system may leave of the last write: nothing, a part, zeros, anything.
        for tail in [&[][..], &[0; 500], &[0xa5; 3000]] {
            let mut left = bytes[..torn as usize].to_vec();
            left.extend_from_slice(tail);
            std::fs::write(&path, &left).unwrap();
            let mut chat = script::start(&model);
            let opened = chat.journal(dir.path());
            if torn == states[3].0 - 1 && !tail.is_empty() {
                // All of the record is there and is wrong, and something follows: no torn turn.
                assert!(matches!(opened, Err(StateError::Checksum { part: "turn" })));
                continue;
            }
            opened.unwrap();
            assert_eq!(chat.messages(), states[2].1.0);
            script::step(&mut chat, 2);
            let after = state(&chat);
            drop(chat);
            let again = reopen(&model, dir.path()).unwrap();
            assert_eq!((&again.0, &again.1), (&after.0, &after.1));
            assert_eq!(again.0, states[3].1.0, "the same turn again");
        }
    }
}

#[test]
fn a_journal_that_was_changed_is_an_error_or_a_shorter_one() {
    let (model, dir) = (script::model(), tempfile::tempdir().unwrap());
    let mut states = journal(&model, dir.path(), 5);
    let path = dir.path().join("journal.puna");
    let bytes = std::fs::read(&path).unwrap();
    states.push((0, state(&script::start(&model))));
    let (mut rng, mut errors) = (Rng::new(6), 0);
    for i in 0..2_000 {
        std::fs::write(&path, mutant(&bytes, &mut rng)).unwrap();
        match reopen(&model, dir.path()) {
            Ok(found) => {
                let known = states.iter().any(|(_, state)| *state == found);
                assert!(known, "mutant {i} was believed");
            }
            Err(error) => {
                one_line(&error);
                errors += 1;
            }
        }
    }
    assert!((500..2_000).contains(&errors), "{errors} errors");
}

/// Checksums protect from accidents; whoever writes a file on purpose writes them too.
#[test]
fn right_checksums_make_no_lie_true() {
    let (model, dir) = (script::model(), tempfile::tempdir().unwrap());
    let states = journal(&model, dir.path(), 1);
    let path = dir.path().join("journal.puna");
    let bytes = std::fs::read(&path).unwrap();
    let at = states[0].0 as usize;
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (n_tokens, n_meta) = (word(at + 8) as usize, word(at + 12) as usize);
    let meta = at + 24;
    let chat = meta + 4 * n_tokens;
    // Another u32 at a place of the last record.
    let lies = [
        (at + 4, u32::MAX),
        (at + 4, 1 << 20),
        (at + 8, u32::MAX),
        (at + 8, 0),
        (at + 12, u32::MAX),
        (at + 12, 0),
        (at + 12, n_meta as u32 - 1),
        (meta, 300),
        (meta, u32::MAX),
        (chat, u32::MAX),
        (chat, 1 << 28),
        (chat, 0),
        (chat + 4, 0xff),
        (chat + 5, u32::MAX),
        (chat + 9, 0xffff_ffff),
        (meta + n_meta - 4, u32::MAX),
    ];
    for (place, value) in lies {
        let mut lie = bytes.clone();
        lie[place..place + 4].copy_from_slice(&value.to_le_bytes());
        let crc = crc32fast::hash(&lie[meta..]);
        lie[at + 16..at + 20].copy_from_slice(&crc.to_le_bytes());
        let crc = crc32fast::hash(&lie[at..at + 20]);
        lie[at + 20..at + 24].copy_from_slice(&crc.to_le_bytes());
        std::fs::write(&path, &lie).unwrap();
        match reopen(&model, dir.path()) {
            // A record that is longer than the file is a torn one.
            Ok(found) => assert_eq!(found, states[0].1, "{value} at {}", place - at),
            Err(error) => one_line(&error),
        }
    }
}
