//! A cache that was put on disk: the same bits, whoever shares its pages, and an error where the disk fails.

use puna_core::{
    cancel::Cancel,
    conversation::Conversation,
    kv_cache::{KvType, PAGE},
    saved::StateError,
    session::{Session, SessionError, SessionOptions, Trim},
    tokenizer::TokenId,
};
use puna_tests::{
    script::{self, rows},
    tiny::Tiny,
};
use std::path::Path;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn options(kv: KvType, dir: &Path) -> SessionOptions {
    SessionOptions {
        n_ctx: Some(700),
        kv,
        n_threads: Some(2),
        n_batch: 300,
        trim_dir: Some(dir.to_path_buf()),
        ..SessionOptions::default()
    }
}

/// Bytes of a page of [`tiny`]'s cache in f16: two layers, keys and values, two heads of 32.
#[cfg(target_os = "linux")]
const PAGE_BYTES: u64 = 2 * 2 * 2 * (PAGE as u64) * 64;

fn bits(session: &Session) -> Vec<u32> {
    session.logits().iter().map(|l| l.to_bits()).collect()
}

fn same(session: &Session, other: &Session, what: &str) {
    assert_eq!(session.tokens(), other.tokens(), "{what}");
    assert_eq!(bits(session), bits(other), "{what}: logits");
    assert!(rows(session) == rows(other), "{what}: rows");
}

#[test]
fn a_parked_session_goes_on_with_the_same_bits() {
    let tiny = Tiny::for_sessions();
    let (model, tokens) = (tiny.exact_model(), tiny.tokens(600));
    let (go, dir) = (Cancel::new(), folder());
    for kv in KvType::ALL {
        for cut in [1, 255, 256, 257, 512, 520] {
            let options = options(kv, dir.path());
            let [mut parked, mut plain] = [(); 2].map(|()| {
                let mut session = Session::new(&model, &options).unwrap();
                session.prefill(&tokens[..cut], &go).unwrap();
                session
            });
            let what = format!("{} at {cut}", kv.name());
            parked.trim(Trim::Kv).unwrap();
            assert_eq!(parked.cache().n_shared_pages(), cut.div_ceil(PAGE));
            same(&parked, &plain, &what);
            for (i, &token) in tokens[cut..cut + 5].iter().enumerate() {
                parked.decode(token, &go).unwrap();
                plain.decode(token, &go).unwrap();
                // Again after each step: what is on disk stays there.
                parked.trim(Trim::ALL[i % 3]).unwrap();
            }
            same(&parked, &plain, &what);
            // Back over pages in files, by every way there is.
            for session in [&mut parked, &mut plain] {
                session.truncate(cut / 2 + 1);
                session.prefill(&tokens[300..360], &go).unwrap();
            }
            same(&parked, &plain, &what);
            parked.trim(Trim::Kv).unwrap();
            for session in [&mut parked, &mut plain] {
                session.shift(3, 20).unwrap();
                session.prefill(&tokens[..9], &go).unwrap();
            }
            same(&parked, &plain, &what);
            parked.trim(Trim::Kv).unwrap();
            let (mut fork, file) = (parked.fork(), dir.path().join("state"));
            parked.save(&file).unwrap();
            let mut restored = Session::restore(&model, &file, &options).unwrap();
            restored.trim(Trim::Kv).unwrap();
            for session in [&mut parked, &mut plain, &mut fork, &mut restored] {
                session.prefill(&tokens[9..30], &go).unwrap();
            }
            for other in [&parked, &fork, &restored] {
                same(other, &plain, &what);
            }
        }
    }
}

/// What the files in `dir` take that have no name any more, and descriptors to them.
#[cfg(target_os = "linux")]
fn parked_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter_map(|entry| Some(entry.ok()?.path()));
    open.filter(|fd| std::fs::read_link(fd).is_ok_and(|to| to.starts_with(dir)))
        .collect()
}

#[test]
fn forks_that_park_share_one_copy_and_none_sees_another() {
    let tiny = Tiny::for_sessions();
    let (model, tokens) = (tiny.exact_model(), tiny.tokens(600));
    let (go, dir) = (Cancel::new(), folder());
    let options = options(KvType::F16, dir.path());
    let mut first = Session::new(&model, &options).unwrap();
    first.prefill(&tokens[..300], &go).unwrap();
    let mut forks = [(); 3].map(|()| first.fork());
    // Each goes its own way in the second page.
    for (i, fork) in forks.iter_mut().enumerate() {
        fork.prefill(&tokens[300 + i..340 + i], &go).unwrap();
    }
    let before: Vec<_> = forks.iter().map(rows).collect();
    first.trim(Trim::Kv).unwrap();
    for fork in &mut forks {
        fork.trim(Trim::Kv).unwrap();
    }
    #[cfg(target_os = "linux")]
    {
        let sizes = parked_files(dir.path())
            .into_iter()
            .map(|fd| std::fs::metadata(fd).unwrap().len() / PAGE_BYTES);
        let mut sizes: Vec<_> = sizes.collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 1, 1, 2], "pages of each file");
    }
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
    for (fork, before) in forks.iter().zip(&before) {
        assert!(rows(fork) == *before);
    }
    for (i, fork) in forks.iter_mut().enumerate() {
        fork.prefill(&tokens[400 + i..420], &go).unwrap();
        let mut fresh = Session::new(&model, &options).unwrap();
        let joined = [
            &tokens[..300],
            &tokens[300 + i..340 + i],
            &tokens[400 + i..420],
        ];
        fresh.prefill(&joined.concat(), &go).unwrap();
        same(fork, &fresh, "a fork");
    }
    // A page that was parked and is then written has no copy any more.
    let mut second = first.fork();
    second.truncate(10);
    second.prefill(&tokens[500..560], &go).unwrap();
    let mut third = second.fork();
    second.trim(Trim::Kv).unwrap();
    drop(second);
    third.prefill(&tokens[560..570], &go).unwrap();
    let wanted = rows(&third);
    third.trim(Trim::Kv).unwrap();
    assert!(rows(&third) == wanted);
    drop((first, forks, third));
    #[cfg(target_os = "linux")]
    assert_eq!(parked_files(dir.path()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn rows_that_were_written_after_a_copy_was_made_are_not_taken_from_it() {
    let tiny = Tiny::for_sessions();
    let (model, tokens) = (tiny.exact_model(), tiny.tokens(600));
    let (go, dir) = (Cancel::new(), folder());
    let mut first = Session::new(&model, &options(KvType::F16, dir.path())).unwrap();
    first.prefill(&tokens[..100], &go).unwrap();
    let mut second = first.fork();
    // The page in memory is the second's alone from now on, and its copy the first's.
    first.trim(Trim::Kv).unwrap();
    second.truncate(50);
    second.prefill(&tokens[200..250], &go).unwrap();
    let wanted = rows(&second);
    second.trim(Trim::Kv).unwrap();
    assert!(rows(&second) == wanted);
    assert!(rows(&first) != wanted);
}

#[test]
fn a_folder_that_goes_away_takes_nothing_with_it() {
    let tiny = Tiny::for_sessions();
    let (model, tokens) = (tiny.exact_model(), tiny.tokens(300));
    let (go, dir) = (Cancel::new(), folder());
    // The folder is made when it is needed.
    let inside = dir.path().join("a/b");
    let mut session = Session::new(&model, &options(KvType::Q8_0, &inside)).unwrap();
    session.prefill(&tokens, &go).unwrap();
    let wanted = rows(&session);
    session.trim(Trim::Kv).unwrap();
    assert!(inside.is_dir());
    drop(dir);
    assert!(rows(&session) == wanted);
    session.decode(tokens[0], &go).unwrap();
}

#[test]
fn a_cache_that_cannot_be_written_stays_in_memory() {
    let tiny = Tiny::for_sessions();
    let (model, tokens) = (tiny.exact_model(), tiny.tokens(300));
    let (go, dir) = (Cancel::new(), folder());
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut session = Session::new(&model, &options(KvType::F16, &file)).unwrap();
    session.prefill(&tokens[..290], &go).unwrap();
    let mut plain = session.fork();
    let wanted = rows(&session);
    let refused = session.trim(Trim::Weights);
    let Err(StateError::Io { path, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(path, file);
    assert!(rows(&session) == wanted);
    session.decode(tokens[290], &go).unwrap();
    plain.decode(tokens[290], &go).unwrap();
    same(&session, &plain, "after a trim that failed");
}

/// A limit on the size of files stands in for a disk that is full. The test runs itself under it.
#[test]
#[cfg(unix)]
fn a_disk_that_is_full_is_an_error_and_nothing_is_lost() {
    const INSIDE: &str = "PUNA_TEST_SMALL_FILES";
    if std::env::var_os(INSIDE).is_none() {
        let name = "a_disk_that_is_full_is_an_error_and_nothing_is_lost";
        let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact \"$1\"";
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", script]).env(INSIDE, "1");
        shell.arg(std::env::current_exe().unwrap()).arg(name);
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        assert!(said.contains("1 passed"), "{said}");
        return;
    }
    let tiny = Tiny::for_sessions();
    let (model, tokens) = (tiny.exact_model(), tiny.tokens(300));
    let (go, dir) = (Cancel::new(), folder());
    let mut session = Session::new(&model, &options(KvType::F16, dir.path())).unwrap();
    session.prefill(&tokens[..290], &go).unwrap();
    let mut plain = session.fork();
    plain.decode(tokens[290], &go).unwrap();
    for _ in 0..2 {
        let full = session.trim(Trim::Kv);
        assert!(matches!(full, Err(StateError::Io { .. })), "{full:?}");
    }
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
    session.decode(tokens[290], &go).unwrap();
    same(&session, &plain, "after a full disk");
}

/// Changes the files that were parked in `dir`.
#[cfg(target_os = "linux")]
fn damage(dir: &Path, how: impl Fn(&mut std::fs::File)) {
    let files = parked_files(dir);
    assert!(!files.is_empty());
    for fd in files {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(fd);
        how(&mut file.unwrap());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn damage_on_disk_is_an_error_until_the_tokens_are_computed_again() {
    use std::io::{Seek, SeekFrom, Write};
    let tiny = Tiny::for_sessions();
    let (model, tokens) = (tiny.exact_model(), tiny.tokens(600));
    let go = Cancel::new();
    let flip = |at: i64| {
        move |file: &mut std::fs::File| {
            file.seek(SeekFrom::End(at)).unwrap();
            file.write_all(&[0x55; 3]).unwrap();
        }
    };
    let cut = |file: &mut std::fs::File| file.set_len(5000).unwrap();
    type Damage = Box<dyn Fn(&mut std::fs::File)>;
    let ways: [(usize, Damage); 3] = [
        // The last page has rows of 88 positions, and holes.
        (512, Box::new(flip(-(PAGE_BYTES as i64)))),
        (256, Box::new(flip(-2 * (PAGE_BYTES as i64) + 77))),
        (0, Box::new(cut)),
    ];
    for (lost, way) in ways {
        let dir = folder();
        let mut session = Session::new(&model, &options(KvType::F16, dir.path())).unwrap();
        session.prefill(&tokens, &go).unwrap();
        let wanted = (session.tokens().to_vec(), bits(&session));
        session.trim(Trim::Kv).unwrap();
        assert_eq!(
            std::fs::metadata(&parked_files(dir.path())[0])
                .unwrap()
                .len(),
            3 * PAGE_BYTES
        );
        damage(dir.path(), way);
        let is_lost = |error: &SessionError| matches!(error, SessionError::Damaged { from, to } if (*from, *to) == (lost, (lost + PAGE).min(600)));
        for _ in 0..2 {
            let error = session.decode(tokens[0], &go).unwrap_err();
            assert!(is_lost(&error), "{error}");
            let error = session.shift(0, 5).unwrap_err();
            assert!(is_lost(&error), "{error}");
            let saved = session.save(&dir.path().join("state"));
            let Err(StateError::Session(error)) = saved else {
                panic!("{saved:?}")
            };
            assert!(is_lost(&error), "{error}");
            assert_eq!((session.tokens().to_vec(), bits(&session)), wanted);
        }
        let mut fork = session.fork();
        assert!(is_lost(&fork.decode(tokens[0], &go).unwrap_err()));
        // What was not damaged is of use.
        session.truncate(lost);
        session.prefill(&tokens[lost..], &go).unwrap();
        let mut fresh = Session::new(&model, &options(KvType::F16, dir.path())).unwrap();
        fresh.prefill(&tokens, &go).unwrap();
        same(&session, &fresh, "computed again");
    }
}

#[test]
fn a_cancel_stops_the_look_at_the_file_too() {
    let tiny = Tiny::for_sessions();
    let (model, tokens) = (tiny.exact_model(), tiny.tokens(300));
    let (go, dir) = (Cancel::new(), folder());
    let mut session = Session::new(&model, &options(KvType::F16, dir.path())).unwrap();
    session.prefill(&tokens, &go).unwrap();
    let wanted = rows(&session);
    session.trim(Trim::Kv).unwrap();
    let stop = Cancel::new();
    stop.cancel();
    let stopped = session.decode(tokens[0], &stop);
    assert!(matches!(stopped, Err(SessionError::Cancelled)));
    assert!(rows(&session) == wanted);
    session.decode(tokens[0], &go).unwrap();
}

fn chats(dir: &Path) -> [Conversation; 2] {
    let model = script::model();
    let options = SessionOptions {
        trim_dir: Some(dir.to_path_buf()),
        ..script::options()
    };
    [(); 2].map(|()| {
        let template = script::template(&model);
        Conversation::new(&model, template, Some(script::SYSTEM), &options).unwrap()
    })
}

/// The two are in the same state.
fn alike(chat: &Conversation, other: &Conversation, what: &str) {
    assert_eq!(chat.messages(), other.messages(), "{what}");
    same(chat.session(), other.session(), what);
}

#[test]
fn a_conversation_that_is_trimmed_all_the_time_is_the_same() {
    let dir = folder();
    let [mut trimmed, mut plain] = chats(dir.path());
    let journal = dir.path().join("journal");
    trimmed.journal(&journal).unwrap();
    for i in 0..30 {
        trimmed.trim(Trim::ALL[i % 3]).unwrap();
        script::step(&mut trimmed, i);
        script::step(&mut plain, i);
        alike(&trimmed, &plain, &format!("step {i}"));
    }
    let (model, messages) = (script::model(), trimmed.messages().to_vec());
    drop(trimmed);
    let mut reopened = script::start(&model);
    reopened.journal(&journal).unwrap();
    assert_eq!(reopened.messages(), messages);
}

#[test]
#[cfg(target_os = "linux")]
fn a_conversation_computes_again_what_is_damaged() {
    let dir = folder();
    let [mut damaged, mut plain] = chats(dir.path());
    for i in 10..14 {
        script::step(&mut damaged, i);
        script::step(&mut plain, i);
    }
    let journal = dir.path().join("journal");
    // All but a reset, which reads nothing.
    for i in (14..30).filter(|i| i % 10 != 9) {
        damaged.trim(Trim::Kv).unwrap();
        damage(dir.path(), |file| file.set_len(9).unwrap());
        if i == 17 {
            let begun = damaged.journal(&journal);
            assert!(
                matches!(
                    begun,
                    Err(StateError::Session(SessionError::Damaged { .. }))
                ),
                "{begun:?}"
            );
        }
        script::step(&mut damaged, i);
        script::step(&mut plain, i);
        assert_eq!(damaged.messages(), plain.messages(), "step {i}");
        let computed: Vec<TokenId> = damaged.session().tokens().to_vec();
        let mut fresh = Session::new(damaged.session().model(), &script::options()).unwrap();
        fresh.prefill(&computed, &Cancel::new()).unwrap();
        same(damaged.session(), &fresh, &format!("step {i}"));
    }
}
