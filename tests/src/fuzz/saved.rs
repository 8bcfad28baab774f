//! Saved states and journals, read by a model that they may be of.
//!
//! Checksums would stop nearly every mutant. So the first byte says whether they are made right first.

use std::{cell::RefCell, fs, sync::OnceLock};

use puna_core::{conversation::Conversation, model::Model};
use tempfile::TempDir;

use super::one_line;
use crate::script;

/// Places in a state: what comes before the table, and an entry of it.
const STATE_FIXED: usize = 16;
const STATE_ENTRY: usize = 24;
/// Places in a journal: its first record, and what comes before a record's body.
const JOURNAL_HEADER: usize = 56;
const RECORD_HEAD: usize = 24;
/// Bytes of a token's rows in the cache of [`script::model`].
const TOKEN_BYTES: usize = 64;

fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(script::model)
}

/// Calls `work` with a folder that this thread keeps.
fn in_folder(work: impl FnOnce(&std::path::Path)) {
    thread_local! {
        static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
    }
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| TempDir::new().expect("a folder"));
        work(folder.path());
    });
}

/// What a conversation from a file must be, however the file came about.
fn check(chat: &Conversation) {
    let session = chat.session();
    let n_vocab = session.model().config().n_vocab;
    assert!(session.tokens().iter().all(|id| (id.0 as usize) < n_vocab));
    assert!(session.tokens().len() <= session.n_ctx());
    assert_eq!(session.logits().len(), n_vocab);
    std::hint::black_box(script::rows(session));
    std::hint::black_box(chat.messages().len());
}

/// The first byte says whether checksums are made right, the rest is a saved conversation.
///
/// # Panics
/// When what comes of it cannot be.
pub fn state(bytes: &[u8]) {
    let Some((&seal, rest)) = bytes.split_first() else {
        return;
    };
    let mut file = rest.to_vec();
    if seal & 1 == 1 {
        seal_state(&mut file);
    }
    in_folder(|folder| {
        let path = folder.join("state");
        fs::write(&path, &file).expect("a file");
        let template = script::template(model());
        match Conversation::restore(model(), template, &path, &script::options()) {
            Ok(chat) => check(&chat),
            Err(error) => one_line(&error.to_string()),
        }
    });
}

/// The first byte says whether checksums are made right, the rest is a journal.
///
/// # Panics
/// When what comes of it cannot be.
pub fn journal(bytes: &[u8]) {
    let Some((&seal, rest)) = bytes.split_first() else {
        return;
    };
    let mut file = rest.to_vec();
    if seal & 1 == 1 {
        seal_journal(&mut file);
    }
    in_folder(|folder| {
        fs::write(folder.join("journal.puna"), &file).expect("a file");
        let mut chat = script::start(model());
        match chat.journal(folder) {
            Ok(_) => check(&chat),
            Err(error) => one_line(&error.to_string()),
        }
    });
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?) as usize)
}

fn put(bytes: &mut [u8], at: usize, crc: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
}

/// Makes the checksums of a state right, as far as its table can be followed.
fn seal_state(file: &mut [u8]) {
    let Some(n) = word(file, STATE_FIXED - 4) else {
        return;
    };
    for i in 0..n.min(16) {
        let at = STATE_FIXED + i * STATE_ENTRY;
        let place = word(file, at + 8).zip(word(file, at + 16));
        let section = place.and_then(|(start, len)| file.get(start..start.checked_add(len)?));
        if let Some(crc) = section.map(crc32fast::hash) {
            put(file, at + 4, crc);
        }
    }
    let end = STATE_FIXED + n.min(16) * STATE_ENTRY;
    if let Some(crc) = file.get(..end).map(crc32fast::hash) {
        put(file, end, crc);
    }
}

/// Makes the checksums of a journal right, as far as its records can be followed.
fn seal_journal(file: &mut [u8]) {
    if let Some(crc) = file.get(..JOURNAL_HEADER - 4).map(crc32fast::hash) {
        put(file, JOURNAL_HEADER - 4, crc);
    }
    let mut at = JOURNAL_HEADER;
    while let (Some(from), Some(n_tokens), Some(n_meta)) =
        (word(file, at + 4), word(file, at + 8), word(file, at + 12))
    {
        let body = at + RECORD_HEAD;
        let len = n_tokens.saturating_sub(from).saturating_mul(TOKEN_BYTES);
        let end = body.saturating_add(n_meta).saturating_add(len);
        let Some(crc) = file.get(body..end).map(crc32fast::hash) else {
            return;
        };
        put(file, at + 16, crc);
        let crc = crc32fast::hash(&file[at..at + 20]);
        put(file, at + 20, crc);
        at = end;
    }
}

/// A conversation of some steps, once with its own checksums and once with such as are made anew.
pub(super) fn state_seeds() -> Vec<(String, Vec<u8>)> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("state");
    let mut chat = script::start(model());
    chat.save(&path).expect("a state");
    let empty = fs::read(&path).expect("a file");
    script::step(&mut chat, 0);
    chat.save(&path).expect("a state");
    let turn = fs::read(&path).expect("a file");
    both(&[("empty", &empty), ("turn", &turn)])
}

pub(super) fn journal_seeds() -> Vec<(String, Vec<u8>)> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("journal.puna");
    let mut chat = script::start(model());
    chat.journal(folder.path()).expect("a journal");
    let empty = fs::read(&path).expect("a file");
    script::step(&mut chat, 0);
    let turn = fs::read(&path).expect("a file");
    script::step(&mut chat, 3);
    let edited = fs::read(&path).expect("a file");
    both(&[("empty", &empty), ("turn", &turn), ("edited", &edited)])
}

fn both(files: &[(&str, &Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let seed = |(name, file): &(&str, &Vec<u8>)| {
        ["", "-sealed"].map(|how| {
            let first = u8::from(!how.is_empty());
            (format!("{name}{how}"), [&[first], file.as_slice()].concat())
        })
    };
    files.iter().flat_map(seed).collect()
}
