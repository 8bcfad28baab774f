//! The store over an encrypted connection: whom it believes.
//!
//! The certificates in `data/tls` are for this test alone: the root's key is not kept, and the server's key
//! opens nothing.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration,
};

use puna_core::{
    cancel::Cancel,
    store::{Entry, Fetch, Https, Store, StoreError},
};
use puna_tests::hostile::gguf::valid;
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tempfile::TempDir;

fn data(file: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("data/tls")
        .join(file);
    std::fs::read(path).unwrap()
}

/// Serves a model to all who ask, or leads them elsewhere; returns its port.
fn serve(answer: Vec<u8>) -> u16 {
    let provider = Arc::new(rustls_graviola::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let certificate = CertificateDer::from(data("server.der"));
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(data("server-key.der")));
    let config = config
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    let config = Arc::new(config.unwrap());
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(tls, stream);
            // A client that does not trust us says so and leaves.
            drop(respond(&mut stream, &answer));
        }
    });
    port
}

fn respond(stream: &mut (impl Read + Write), answer: &[u8]) -> std::io::Result<()> {
    for line in BufReader::new(&mut *stream).lines() {
        if line?.is_empty() {
            break;
        }
    }
    stream.write_all(answer)?;
    stream.flush()
}

fn model() -> Vec<u8> {
    let file = valid();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", file.len());
    [head.into_bytes(), file].concat()
}

fn fetch(store: &TempDir, url: &str, roots: Option<Vec<Vec<u8>>>) -> Result<Entry, StoreError> {
    let fetch = Fetch {
        tries: 2,
        pause: Duration::from_millis(1),
        stall: Duration::from_secs(20),
        ..Fetch::new(url)
    };
    Store::at(store.path()).fetch(
        &fetch,
        Arc::new(Https::new(roots.as_deref())),
        &mut |_| {},
        &Cancel::new(),
    )
}

#[test]
fn a_server_with_a_certificate_of_a_trusted_root_is_believed() {
    let folder = TempDir::new().unwrap();
    let port = serve(model());
    let roots = Some(vec![data("root.der")]);
    let entry = fetch(&folder, &format!("https://127.0.0.1:{port}/m.gguf"), roots).unwrap();
    assert_eq!(std::fs::read(entry.path).unwrap(), valid());
}

#[test]
fn one_of_an_unknown_root_or_another_name_is_not() {
    let folder = TempDir::new().unwrap();
    let port = serve(model());
    let roots = Some(vec![data("root.der")]);
    for (host, roots) in [("127.0.0.1", None), ("localhost", roots)] {
        let error = fetch(&folder, &format!("https://{host}:{port}/m.gguf"), roots).unwrap_err();
        assert!(matches!(error, StoreError::Tls { .. }), "{host}: {error}");
        println!("{error}");
    }
    assert_eq!(Store::at(folder.path()).list().unwrap(), []);
}

#[test]
fn an_encrypted_address_leads_to_no_plain_one() {
    let folder = TempDir::new().unwrap();
    let to = "http://127.0.0.1:9/m.gguf";
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    let port = serve(answer.into_bytes());
    let roots = Some(vec![data("root.der")]);
    let error = fetch(&folder, &format!("https://127.0.0.1:{port}/m.gguf"), roots).unwrap_err();
    assert!(matches!(error, StoreError::Insecure { .. }), "{error}");
}
