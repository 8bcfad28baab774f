//! The SDK's store over connections of an app's, good and bad: those here hold a file in memory.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::{self, Sender},
    },
    thread,
    time::Duration,
};

use puna_ffi::{
    CancelFlag, FetchListener, FetchOptions, FetchPhase, FetchProgress, HttpConnection, HttpError,
    HttpHead, HttpHeader, ModelStore, PunaError, StoredModel,
};
use puna_tests::hostile::gguf::valid;
use tempfile::TempDir;

const URL: &str = "https://models.example/M.gguf?key=secret";

/// What a connection does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Breaks off once, in the middle.
    Cut,
    /// Gives more bytes than were asked for.
    TooMuch,
    /// Answers with this number.
    Status(u16),
    Untrusted,
    /// Speaks something else than HTTP.
    Noise,
    /// Gives nothing until it is closed.
    Silent,
    /// Leads to an address that is not encrypted.
    Plain,
}

/// A server in memory, and the way to it.
struct Memory {
    file: Vec<u8>,
    fault: Fault,
    state: Mutex<State>,
    woken: Condvar,
    asked: Sender<Vec<HttpHeader>>,
    /// Whether somebody waits for bytes that do not come.
    waits: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    at: usize,
    was_cut: bool,
    closed: bool,
}

impl HttpConnection for Memory {
    fn get(
        &self,
        url: String,
        headers: Vec<HttpHeader>,
        stall_seconds: f64,
    ) -> Result<HttpHead, HttpError> {
        assert_eq!((url.as_str(), stall_seconds), (URL, 30.0));
        let range = headers.iter().find(|line| line.name == "range");
        let from = range.and_then(|line| line.value.strip_prefix("bytes=")?.strip_suffix('-'));
        let from: usize = from.map_or(0, |from| from.parse().unwrap());
        self.asked.send(headers).unwrap();
        self.state.lock().unwrap().at = from;
        let line = |name: &str, value: String| HttpHeader {
            name: name.to_owned(),
            value,
        };
        let last = self.file.len() - 1;
        let (status, lines) = match self.fault {
            Fault::Status(status) => (status, vec![]),
            // Without a length, only the size of the piece is wrong.
            Fault::TooMuch => (200, vec![]),
            Fault::Plain => (
                302,
                vec![line("Location", "http://127.0.0.1/M.gguf".to_owned())],
            ),
            Fault::Untrusted => {
                let reason = "an unknown root".to_owned();
                return Err(HttpError::Untrusted { reason });
            }
            Fault::Noise => return Err(HttpError::Unusable),
            _ if from == 0 => (
                200,
                vec![line("CONTENT-LENGTH", self.file.len().to_string())],
            ),
            _ => {
                let range = format!("bytes {from}-{last}/{}", self.file.len());
                (206, vec![line("Content-Range", range)])
            }
        };
        let etag = line("ETag", "\"v\"".to_owned());
        let headers = lines.into_iter().chain([etag]).collect();
        Ok(HttpHead { status, headers })
    }

    fn read(&self, length: u32) -> Result<Vec<u8>, HttpError> {
        let mut state = self.state.lock().unwrap();
        let broken = |reason: &str| HttpError::Broken {
            reason: reason.to_owned(),
        };
        if self.fault == Fault::Silent {
            self.waits.store(true, SeqCst);
            while !state.closed {
                state = self.woken.wait(state).unwrap();
            }
            return Err(broken("closed"));
        }
        if self.fault == Fault::Cut && !state.was_cut && state.at > self.file.len() / 2 {
            state.was_cut = true;
            return Err(broken("no network"));
        }
        if self.fault == Fault::TooMuch && state.at == 0 {
            state.at = self.file.len();
            return Ok(vec![0; length as usize + 1]);
        }
        let rest = &self.file[state.at..];
        let some = &rest[..rest.len().min(self.file.len().div_ceil(8))];
        state.at += some.len();
        Ok(some.to_vec())
    }

    fn abort(&self) {
        self.state.lock().unwrap().closed = true;
        self.woken.notify_all();
    }
}

/// Keeps all that it hears.
#[derive(Default)]
struct Ears(Mutex<Vec<FetchProgress>>);

impl FetchListener for Ears {
    fn progress(&self, progress: FetchProgress) {
        self.0.lock().unwrap().push(progress);
    }
}

struct Try {
    folder: TempDir,
    store: Arc<ModelStore>,
    ears: Arc<Ears>,
    cancel: Arc<CancelFlag>,
    waits: Arc<AtomicBool>,
}

impl Try {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = ModelStore::at(folder.path().to_str().unwrap().to_owned());
        let (ears, cancel, waits) = (Arc::default(), CancelFlag::new(), Arc::default());
        Self {
            folder,
            store,
            ears,
            cancel,
            waits,
        }
    }

    /// Fetches; returns what came of it and what the server was asked.
    fn fetch(
        &self,
        file: Vec<u8>,
        fault: Fault,
    ) -> (Result<StoredModel, PunaError>, Vec<Vec<HttpHeader>>) {
        let (asked, requests) = mpsc::channel();
        let memory = Memory {
            file,
            fault,
            state: Mutex::default(),
            woken: Condvar::new(),
            asked,
            waits: Arc::clone(&self.waits),
        };
        let options = FetchOptions {
            url: URL.to_owned(),
            sha256: None,
            stall_seconds: 30.0,
            tries: 2,
        };
        let (ears, cancel) = (Arc::clone(&self.ears), Arc::clone(&self.cancel));
        let result = self
            .store
            .fetch(options, Arc::new(memory), Some(ears), Some(cancel));
        (result, requests.try_iter().collect())
    }
}

#[test]
fn a_model_arrives_and_is_told_of() {
    let new = Try::new();
    let (model, asked) = new.fetch(valid(), Fault::None);
    let model = model.unwrap();
    assert_eq!(std::fs::read(&model.path).unwrap(), valid());
    assert_eq!(
        (model.name.as_str(), model.bytes),
        ("M", valid().len() as u64)
    );
    assert_eq!(asked.len(), 1);
    let heard = new.ears.0.lock().unwrap().clone();
    assert_eq!(heard[0].phase, FetchPhase::Asking);
    let last = heard.last().unwrap();
    assert_eq!(last.phase, FetchPhase::Checking);
    assert_eq!(
        (last.received, last.total),
        (model.bytes, Some(model.bytes))
    );
    assert_eq!(new.store.list().unwrap(), std::slice::from_ref(&model));
    assert_eq!(new.store.verify("M".to_owned()).unwrap(), model);
    // It is there: nobody is asked again.
    let (again, asked) = new.fetch(valid(), Fault::Noise);
    assert_eq!((again.unwrap(), asked.len()), (model, 0));
    new.store.remove("M".to_owned()).unwrap();
    assert_eq!(new.store.list().unwrap(), []);
}

#[test]
fn after_a_cut_the_rest_is_asked_for() {
    let new = Try::new();
    let (model, asked) = new.fetch(valid(), Fault::Cut);
    assert_eq!(std::fs::read(model.unwrap().path).unwrap(), valid());
    let value = |name: &str| {
        let line = asked[1].iter().find(|line| line.name == name);
        line.map(|line| line.value.clone())
    };
    assert_eq!(asked.len(), 2);
    assert!(value("range").is_some(), "{asked:?}");
    assert_eq!(value("if-range").as_deref(), Some("\"v\""));
}

#[test]
fn every_fault_is_an_error_of_its_kind() {
    for fault in [
        Fault::TooMuch,
        Fault::Status(404),
        Fault::Untrusted,
        Fault::Noise,
        Fault::Plain,
    ] {
        let new = Try::new();
        let error = new.fetch(valid(), fault).0.unwrap_err();
        let wanted = (fault == Fault::Status(404)).then_some(404);
        match &error {
            PunaError::DownloadFailed { status, .. } if fault != Fault::Plain => {
                assert_eq!(*status, wanted);
            }
            PunaError::InvalidOption { .. } if fault == Fault::Plain => {}
            other => panic!("{other}"),
        }
        assert!(!error.to_string().contains("secret"), "{error}");
        assert_eq!(new.store.list().unwrap(), []);
    }
    let new = Try::new();
    let mut bad = valid();
    bad[0] ^= 1;
    let (error, _) = new.fetch(bad, Fault::None);
    let Err(PunaError::InvalidModel { offset, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(offset, Some(0));
    let partial = new.folder.path().join("models/.partial");
    assert_eq!(std::fs::read_dir(partial).unwrap().count(), 0);
}

#[test]
fn a_cancel_closes_a_connection_that_says_nothing() {
    let new = Try::new();
    let (done, ended) = mpsc::channel();
    let (cancel, waits) = (Arc::clone(&new.cancel), Arc::clone(&new.waits));
    let thread = thread::spawn(move || {
        let (result, _) = new.fetch(valid(), Fault::Silent);
        done.send(result).unwrap();
    });
    while !waits.load(SeqCst) {
        thread::sleep(Duration::from_millis(1));
    }
    cancel.cancel();
    // Without the close it would wait for ever.
    let result = ended.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(matches!(result, Err(PunaError::Cancelled)), "{result:?}");
    thread.join().unwrap();
}
