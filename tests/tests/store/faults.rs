//! A server that cuts, lies, stalls, changes the file and leads elsewhere: a table of faults and ends.

use std::{fmt::Write as _, fs, path::Path, time::Instant};

use puna_core::store::Store;
use puna_tests::server::{Act, Server};
use tempfile::TempDir;

use crate::{fetch, files, hash, hasty};

/// What must become of a fetch.
enum End {
    /// The first file is in the store.
    First,
    /// The second one is.
    Second,
    /// An error that says this; of what has arrived, something is kept for the next try, or nothing.
    Error(&'static str, Kept),
}

/// What, ETag, whether a hash is asked for, plan, end.
type Case = (&'static str, Option<&'static str>, bool, Vec<Act>, End);

#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Something,
    Nothing,
}

#[test]
fn every_fault_ends_as_it_must() {
    use End::{Error, First, Second};
    use Kept::{Nothing, Something};
    let [first, second] = files();
    let half = first.len() / 2;
    let plain = "\"1\"";
    let insecure = "http://192.0.2.1/M.gguf".to_owned();
    let loops = || vec![Act::Redirect("/again".to_owned()); 9];
    let cases: Vec<Case> = vec![
        ("nothing wrong", Some(plain), true, vec![], First),
        (
            "nothing wrong, no hash asked for",
            Some(plain),
            false,
            vec![],
            First,
        ),
        (
            "cut in the middle",
            Some(plain),
            true,
            vec![Act::Cut(half)],
            First,
        ),
        (
            "cut in the middle, no hash",
            Some(plain),
            false,
            vec![Act::Cut(half)],
            First,
        ),
        (
            "cut, no ETag, a hash",
            None,
            true,
            vec![Act::Cut(half)],
            First,
        ),
        (
            "cut, no ETag, no hash: anew",
            None,
            false,
            vec![Act::Cut(half)],
            First,
        ),
        (
            "cut, weak ETag",
            Some("W/\"1\""),
            false,
            vec![Act::Cut(half)],
            First,
        ),
        (
            "cut three times",
            Some(plain),
            true,
            vec![Act::Cut(9), Act::Cut(half), Act::Cut(99)],
            First,
        ),
        (
            "cut before a byte, always",
            Some(plain),
            true,
            vec![Act::Cut(0); 3],
            Error("3 tries", Nothing),
        ),
        (
            "closes before a word, once",
            Some(plain),
            true,
            vec![Act::Silent],
            First,
        ),
        (
            "closes before a word, always",
            Some(plain),
            true,
            vec![Act::Silent; 3],
            Error("3 tries", Nothing),
        ),
        (
            "stalls, then goes on",
            Some(plain),
            true,
            vec![Act::Stall(half)],
            First,
        ),
        (
            "stalls, always",
            Some(plain),
            true,
            vec![
                Act::Stall(half),
                Act::Stall(0),
                Act::Stall(0),
                Act::Stall(0),
            ],
            Error("nothing came for too long", Something),
        ),
        (
            "wrong bytes",
            Some(plain),
            true,
            vec![Act::Corrupt],
            Error("has the SHA-256", Nothing),
        ),
        (
            "wrong bytes, no hash",
            Some(plain),
            false,
            vec![Act::Corrupt],
            Error("is no model", Nothing),
        ),
        (
            "wrong bytes after a cut: anew",
            Some(plain),
            true,
            vec![Act::Cut(half), Act::Corrupt],
            First,
        ),
        (
            "wrong bytes, always",
            Some(plain),
            true,
            vec![Act::Cut(half), Act::Corrupt, Act::Corrupt],
            Error("has the SHA-256", Nothing),
        ),
        (
            "another file",
            Some(plain),
            true,
            vec![Act::Change(second.clone(), "\"2\"")],
            Error("has the SHA-256", Nothing),
        ),
        (
            "claims less than there is",
            Some(plain),
            true,
            vec![Act::Claim(half as u64)],
            Error("has the SHA-256", Nothing),
        ),
        (
            "claims less than there is, no hash",
            Some(plain),
            false,
            vec![Act::Claim(half as u64)],
            Error("is no model", Nothing),
        ),
        (
            "claims more than there is",
            Some(plain),
            true,
            vec![Act::Claim(first.len() as u64 + 9)],
            First,
        ),
        (
            "claims 2^60 bytes",
            Some(plain),
            true,
            vec![Act::Claim(1 << 60)],
            Error("bytes free, wanted", Nothing),
        ),
        (
            "claims no length",
            Some(plain),
            true,
            vec![Act::NoLength(first.len())],
            First,
        ),
        (
            "claims no length, cut, no hash",
            Some(plain),
            false,
            vec![Act::NoLength(half)],
            Error("is no model", Nothing),
        ),
        (
            "changes half-way",
            Some(plain),
            false,
            vec![Act::Cut(half), Act::Change(second.clone(), "\"2\"")],
            Second,
        ),
        (
            "changes half-way and sends the rest",
            Some(plain),
            false,
            vec![Act::Cut(half), Act::ChangeUnsaid(second.clone(), "\"2\"")],
            Second,
        ),
        (
            "changes each time",
            Some(plain),
            false,
            vec![
                Act::Cut(9),
                Act::Change(second.clone(), "\"2\""),
                Act::Cut(9),
            ],
            Second,
        ),
        (
            "no ranges",
            Some(plain),
            true,
            vec![Act::Cut(half), Act::Whole],
            First,
        ),
        (
            "a part beside the one asked for",
            Some(plain),
            true,
            vec![Act::Cut(half), Act::Beside],
            Error("another part", Something),
        ),
        (
            "packed",
            Some(plain),
            true,
            vec![Act::Packed],
            Error("packed", Nothing),
        ),
        (
            "leads elsewhere",
            Some(plain),
            true,
            vec![Act::Redirect("/there".to_owned())],
            First,
        ),
        (
            "leads round and round",
            Some(plain),
            true,
            loops(),
            Error("on and on", Nothing),
        ),
        (
            "leads out of this machine",
            Some(plain),
            true,
            vec![Act::Redirect(insecure)],
            Error("is not encrypted", Nothing),
        ),
        (
            "is busy, once",
            Some(plain),
            true,
            vec![Act::Status(503)],
            First,
        ),
        (
            "is busy, always",
            Some(plain),
            true,
            vec![Act::Status(503); 3],
            Error("3 tries", Nothing),
        ),
        (
            "has no such file",
            Some(plain),
            true,
            vec![Act::Status(404)],
            Error("says 404", Nothing),
        ),
        (
            "wants a password",
            Some(plain),
            true,
            vec![Act::Status(401)],
            Error("says 401", Nothing),
        ),
        (
            "is no web server",
            Some(plain),
            true,
            vec![Act::Noise],
            Error("does not speak HTTP", Nothing),
        ),
    ];
    let mut table = String::new();
    let mut complaints = Vec::new();
    for (name, etag, hashed, plan, end) in cases {
        let dir = TempDir::new().unwrap();
        let store = Store::at(dir.path());
        let server = Server::new(first.clone(), etag, plan);
        let wanted = hash(&first);
        let wanted = hashed.then_some(wanted.as_str());
        let started = Instant::now();
        let result = fetch(&store, &hasty(&server.url("M.gguf?key=secret"), wanted));
        let time = started.elapsed();
        let said = match &result {
            Ok(entry) => format!("{} bytes", entry.bytes),
            Err(error) => error.to_string(),
        };
        let (requests, millis) = (server.requests().len(), time.as_millis());
        let told = said.replace(dir.path().to_str().unwrap(), "…");
        let _ = writeln!(
            table,
            "{name:36} {requests:2} requests {millis:5} ms  {told:.110}"
        );
        let mut complain = |what: String| complaints.push(format!("{name}: {what}: {said}"));
        let part: u64 = fs::read_dir(store.folder().join(".partial"))
            .into_iter()
            .flatten()
            .flatten()
            .filter(|file| file.path().extension().is_none())
            .map(|file| file.metadata().unwrap().len())
            .sum();
        let bytes = |path: &Path| fs::read(path).unwrap();
        match (&result, end) {
            (Ok(entry), First) if bytes(&entry.path) == first && part == 0 => {}
            (Ok(entry), Second) if bytes(&entry.path) == second && part == 0 => {}
            (Err(_), Error(says, kept)) if said.contains(says) => {
                if (part > 0) != (kept == Something) {
                    complain(format!("{part} bytes are kept"));
                }
                if !store.list().unwrap().is_empty() {
                    complain("there is a model in the store".to_owned());
                }
            }
            _ => complain("another end".to_owned()),
        }
        if said.contains("secret") || said.contains('\n') {
            complain("tells too much".to_owned());
        }
    }
    println!("{table}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
