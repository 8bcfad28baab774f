//! The model store against a server that breaks the rules: what arrives is the file, or nothing does.

mod faults;

use std::{
    fs,
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use puna_core::{
    cancel::Cancel,
    gguf::{GgmlType, Writer},
    store::{Entry, Fetch, Https, Phase, Store, StoreError, sha256},
};
use puna_kernels::WeightType;
use puna_tests::{
    server::{Act, Server},
    tiny::{Shape, Tiny},
};
use tempfile::TempDir;

/// A model, and another of the same length.
fn files() -> [Vec<u8>; 2] {
    [1, 2].map(|seed| {
        let mut shape = Shape::of(WeightType::Q4_0);
        shape.seed = seed;
        Tiny::new(shape).bytes()
    })
}

fn hash(file: &[u8]) -> String {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, file).unwrap();
    sha256(&path).unwrap()
}

/// A fetch without patience.
fn hasty(url: &str, sha256: Option<&str>) -> Fetch {
    Fetch {
        sha256: sha256.map(str::to_owned),
        stall: Duration::from_millis(300),
        pause: Duration::from_millis(1),
        tries: 3,
        ..Fetch::new(url)
    }
}

fn fetch(store: &Store, fetch: &Fetch) -> Result<Entry, StoreError> {
    store.fetch(
        fetch,
        Arc::new(Https::new(None)),
        &mut |_| {},
        &Cancel::new(),
    )
}

/// Files below a folder, locks left out.
fn left(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && name != ".locks" {
            files.extend(
                left(&entry.path())
                    .into_iter()
                    .map(|f| format!("{name}/{f}")),
            );
        } else if entry.path().is_file() {
            files.push(name);
        }
    }
    files.sort();
    files
}

#[test]
fn a_fetch_goes_on_after_a_cut_at_any_byte() {
    // Small: each of its bytes costs two requests and some syncs.
    let mut small = Writer::new();
    small.kv("general.architecture", "llama");
    small.tensor("t", GgmlType::F32, &[2], vec![7; 8]);
    let file = small.to_bytes();
    let (dir, wanted) = (TempDir::new().unwrap(), hash(&file));
    for at in 0..file.len() {
        let store = Store::at(&dir.path().join(at.to_string()));
        let server = Server::new(file.clone(), Some("\"v\""), vec![Act::Cut(at)]);
        let entry = fetch(&store, &hasty(&server.url("m"), None)).unwrap();
        assert_eq!(entry.sha256, wanted);
        assert_eq!(fs::read(&entry.path).unwrap(), file, "cut at {at}");
        let asked = server.requests();
        assert_eq!(asked.len(), 2, "cut at {at}");
        let range = (at > 0).then(|| format!("bytes={at}-"));
        assert_eq!(asked[1].range, range);
        assert_eq!(asked[1].if_range.is_some(), at > 0);
    }
}

#[test]
fn a_stopped_fetch_keeps_what_has_arrived_and_another_goes_on() {
    let [file, _] = files();
    let half = file.len() / 2;
    let dir = TempDir::new().unwrap();
    let store = Store::at(dir.path());
    let server = Server::new(file.clone(), Some("\"v\""), vec![Act::Stall(half)]);
    let patient = Fetch {
        stall: Duration::from_secs(60),
        ..hasty(&server.url("M.gguf"), None)
    };
    let cancel = Cancel::new();
    let (arrived, seen) = mpsc::channel();
    let (inner, flag, request) = (store.clone(), cancel.clone(), patient.clone());
    let thread = thread::spawn(move || {
        let mut tell = |p: puna_core::store::Progress| {
            if p.phase == Phase::Receiving && p.received == half as u64 {
                let _ = arrived.send(p.total);
            }
        };
        inner.fetch(&request, Arc::new(Https::new(None)), &mut tell, &flag)
    });
    assert_eq!(
        seen.recv_timeout(Duration::from_secs(30)),
        Ok(Some(file.len() as u64))
    );
    let started = Instant::now();
    cancel.cancel();
    let error = thread.join().unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Cancelled), "{error}");
    // It does not sit out the minute of silence.
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );

    let entry = fetch(&store, &patient).unwrap();
    assert_eq!(fs::read(&entry.path).unwrap(), file);
    assert_eq!(server.requests()[1].range, Some(format!("bytes={half}-")));
    assert_eq!(
        left(store.folder()),
        [
            format!("{}/M.gguf", entry.sha256),
            format!("{}/source.json", entry.sha256)
        ]
    );
    // From now on the server is not asked.
    assert_eq!(fetch(&store, &patient).unwrap(), entry);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn two_fetches_share_one_download() {
    let [file, _] = files();
    let dir = TempDir::new().unwrap();
    let store = Store::at(dir.path());
    let server = Server::new(file.clone(), Some("\"v\""), vec![Act::Stall(9)]);
    let request = hasty(&server.url("M.gguf"), None);
    let entries: Vec<Entry> = thread::scope(|scope| {
        let start = |_| scope.spawn(|| fetch(&store, &request).unwrap());
        let threads: Vec<_> = (0..2).map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(entries[0], entries[1]);
    // The one that stalled, and the rest of it.
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn the_store_lists_finds_verifies_and_removes() {
    let [first, second] = files();
    let dir = TempDir::new().unwrap();
    let store = Store::at(dir.path());
    assert_eq!(store.list().unwrap(), []);
    let servers = [&first, &second].map(|file| Server::new(file.clone(), None, vec![]));
    let a = fetch(&store, &hasty(&servers[0].url("same.gguf"), None)).unwrap();
    let b = fetch(&store, &hasty(&servers[1].url("same.gguf"), None)).unwrap();
    assert_eq!(store.list().unwrap().len(), 2);
    assert_eq!(
        (a.name.as_str(), a.sha256.as_str()),
        ("same", hash(&first).as_str())
    );

    let error = store.find("same").unwrap_err().to_string();
    assert!(error.contains("2 models go by the name `same`"), "{error}");
    assert_eq!(store.find(&b.sha256[..8]).unwrap(), b);
    assert!(matches!(
        store.find(&b.sha256[..7]),
        Err(StoreError::Name { found: 0, .. })
    ));
    assert!(matches!(
        store.find(""),
        Err(StoreError::Name { found: 0, .. })
    ));
    assert_eq!(store.verify(&b.sha256).unwrap(), b);

    let mut broken = second.clone();
    broken[second.len() / 2] ^= 1;
    fs::write(&b.path, broken).unwrap();
    let error = store.verify(&b.sha256).unwrap_err();
    assert!(matches!(error, StoreError::WrongHash { .. }), "{error}");
    assert_eq!(store.remove(&b.sha256).unwrap().path, b.path);
    assert_eq!(store.list().unwrap(), std::slice::from_ref(&a));
    assert_eq!(store.find("same.gguf").unwrap(), a);
}

#[test]
fn a_hash_that_is_none_is_refused_before_anything_is_asked() {
    let dir = TempDir::new().unwrap();
    let server = Server::new(Vec::new(), None, vec![]);
    for hash in ["", "abc", &"g".repeat(64), &"a".repeat(65)] {
        let error = fetch(&Store::at(dir.path()), &hasty(&server.url("m"), Some(hash)));
        assert!(matches!(error, Err(StoreError::NoHash { .. })), "{hash}");
    }
    assert_eq!(server.requests(), []);
}
