//! The store, and licences, from the command line.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::common::{assert_usage, error, json, model, puna, stdout, with_model};

fn with_cache(cache: &Path, args: &[&str]) -> Command {
    let mut command = puna();
    command.env("PUNA_CACHE", cache).args(args);
    command
}

/// A file of a vocabulary, under a licence.
fn licensed(licence: &str) -> Vec<u8> {
    use puna_core::gguf::Writer;
    let mut file = Writer::new();
    file.kv("general.architecture", "llama")
        .kv("general.license", licence);
    file.to_bytes()
}

/// Serves `file` to one who asks, once; returns its address.
fn serve(file: Vec<u8>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        lines
            .take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
            .for_each(drop);
        let len = file.len();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n").unwrap();
        let (first, rest) = file.split_at(len / 2);
        stream.write_all(first).unwrap();
        thread::sleep(Duration::from_millis(200));
        stream.write_all(rest).unwrap();
    });
    format!("http://127.0.0.1:{port}/dir/My%20Model.gguf")
}

#[test]
fn a_model_is_fetched_listed_used_verified_and_removed() {
    let cache = TempDir::new().unwrap();
    let cache = cache.path();
    let file = licensed("llama2");
    let hash: String = Sha256::digest(&file)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let url = serve(file.clone());
    let path = stdout(&mut with_cache(cache, &["fetch", &url, "--sha256", &hash]));
    let path = Path::new(path.trim_end());
    assert_eq!(fs::read(path).unwrap(), file);
    assert!(
        path.ends_with(format!("models/{hash}/My_20Model.gguf")),
        "{path:?}"
    );

    let listed = json(&mut with_cache(cache, &["models", "list"]));
    assert_eq!(listed[0]["name"], "My_20Model");
    assert_eq!(listed[0]["sha256"], hash.as_str());
    assert_eq!(listed[0]["licence"], "llama2");
    assert_eq!(listed[0]["bytes"], file.len());
    let line = stdout(&mut with_cache(cache, &["models", "list"]));
    assert!(line.contains(&hash) && line.contains("llama2"), "{line}");

    // By name, by the first digits, and from the folder of the cache no worse.
    for name in ["My_20Model", "My_20Model.gguf", &hash[..8]] {
        let inspected = json(&mut with_cache(cache, &["inspect", name]));
        assert_eq!(inspected["file_bytes"], file.len(), "{name}");
    }
    let said = error(&mut with_cache(cache, &["inspect", "Other"]));
    assert!(said.contains("Other"), "{said}");

    let ok = json(&mut with_cache(cache, &["models", "verify"]));
    assert_eq!(ok[0]["ok"], true);
    let mut broken = file;
    *broken.last_mut().unwrap() ^= 1;
    fs::write(path, broken).unwrap();
    let output = with_cache(cache, &["models", "verify"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("BROKEN"));
    stdout(&mut with_cache(cache, &["models", "remove", "My_20Model"]));
    assert!(!path.exists());
    assert_eq!(stdout(&mut with_cache(cache, &["models", "list"])), "");
    error(&mut with_cache(cache, &["models", "remove", "My_20Model"]));
}

#[test]
fn two_processes_share_one_download() {
    let cache = TempDir::new().unwrap();
    let file = licensed("mit");
    // A second request would never be answered.
    let url = serve(file.clone());
    let fetch = || {
        let mut command = with_cache(cache.path(), &["fetch", &url]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let processes = [fetch(), fetch()];
    let said = processes.map(|process| process.wait_with_output().unwrap());
    assert!(said.iter().all(|output| output.status.success()));
    assert_eq!(said[0].stdout, said[1].stdout);
    let path = String::from_utf8(said[0].stdout.clone()).unwrap();
    assert_eq!(fs::read(path.trim_end()).unwrap(), file);
}

#[test]
fn a_wrong_hash_leaves_nothing() {
    let cache = TempDir::new().unwrap();
    let url = serve(licensed("mit"));
    let said = error(&mut with_cache(
        cache.path(),
        &["fetch", &url, "--sha256", &"0".repeat(64)],
    ));
    assert!(said.contains("SHA-256"), "{said}");
    assert_eq!(
        stdout(&mut with_cache(cache.path(), &["models", "list"])),
        ""
    );
    let said = error(&mut with_cache(
        cache.path(),
        &["fetch", "http://192.0.2.1/m.gguf"],
    ));
    assert!(said.contains("not encrypted"), "{said}");
    assert_usage(["fetch", "--sha256", "00"]);
}

/// The default model, but for its licence, which is spelled with as many bytes.
fn under(licence: &[u8; 10], folder: &Path) -> std::path::PathBuf {
    let mut file = fs::read(model()).unwrap();
    let had = b"apache-2.0";
    let at = file.windows(had.len()).position(|w| w == had);
    let at = at.expect("the default model says that it is under apache-2.0");
    file[at..at + had.len()].copy_from_slice(licence);
    let path = folder.join("m.gguf");
    fs::write(&path, file).unwrap();
    path
}

#[test]
fn a_licence_that_asks_is_accepted_once() {
    let folder = TempDir::new().unwrap();
    let path = under(b"llama-2   ", folder.path());
    let run = |more: &[&str]| {
        let mut run = with_cache(folder.path(), &["run", "-n", "1", "-p", "Hello", "-m"]);
        run.arg(&path).args(more);
        run
    };
    let said = error(&mut run(&[]));
    assert!(said.contains("--accept-licence llama2"), "{said}");
    assert!(said.contains("https://"), "{said}");
    let said = error(&mut run(&["--accept-licence", "gemma"]));
    assert!(said.contains("the model is under llama2"), "{said}");
    assert!(error(&mut run(&[])).contains("not accepted"));
    stdout(&mut run(&["--accept-licence", "llama2"]));
    let record = fs::read_to_string(folder.path().join("m.gguf.licence-accepted.json")).unwrap();
    assert!(
        record.contains("2023-07-18") && record.contains("\"who\""),
        "{record}"
    );
    stdout(&mut run(&[]));
}

#[test]
fn an_open_licence_is_not_asked_for() {
    stdout(with_model("run").args(["-n", "1", "-p", "Hello"]));
}
