//! Models that the app downloads. The app's system opens the connections; what is asked, kept and believed is decided here.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    time::Duration,
};

use puna_core::store::{self, Connection, ConnectionError, Entry, Fetch, Head, Phase, Request};

use crate::{
    cancel::{self, CancelFlag},
    error::{PunaError, guarded},
};

/// A folder of downloaded models. Every file in it was whole and right when it was put there, by one rename.
#[derive(Debug, uniffi::Object)]
pub struct ModelStore(store::Store);

/// A model in the store.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct StoredModel {
    /// What it goes by: the file's name without `.gguf`.
    pub name: String,
    /// The file, for [`Model::open`](crate::Model::open).
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256 when it was put there, in hex.
    pub sha256: String,
    /// Where it came from.
    pub url: Option<String>,
}

impl From<Entry> for StoredModel {
    fn from(entry: Entry) -> Self {
        Self {
            name: entry.name,
            path: entry.path.to_string_lossy().into_owned(),
            bytes: entry.bytes,
            sha256: entry.sha256,
            url: entry.url,
        }
    }
}

/// What to download, and how patiently.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct FetchOptions {
    /// The address: `https://…`, or `http://` of the device itself.
    pub url: String,
    /// The SHA-256 that the file must have, in hex. Without one, what the encrypted connection brings is believed, as far as it is
    /// a whole model.
    #[uniffi(default = None)]
    pub sha256: Option<String>,
    /// Seconds after which a connection on which nothing comes is given up.
    #[uniffi(default = 30.0)]
    pub stall_seconds: f64,
    /// Tries in a row that may fail without a byte in between. The pause between them grows from half a second to 30.
    #[uniffi(default = 8)]
    pub tries: u32,
}

/// What a download does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum FetchPhase {
    /// Another process downloads the same file; this one takes what that one gets.
    Waiting,
    /// Asks the server.
    Asking,
    /// Bytes come.
    Receiving,
    /// A try failed; the next one comes after a pause.
    Pausing,
    /// All is here and is looked at.
    Checking,
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Record)]
pub struct FetchProgress {
    /// What it does.
    pub phase: FetchPhase,
    /// Bytes that have arrived, those of earlier tries included.
    pub received: u64,
    /// Bytes of the file, when the server has said it.
    pub total: Option<u64>,
}

/// Hears how far a download is, on the thread that downloads. What it throws is dropped.
#[uniffi::export(foreign)]
pub trait FetchListener: Send + Sync {
    /// Something has changed.
    fn progress(&self, progress: FetchProgress);
}

/// A line above a message of HTTP.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct HttpHeader {
    /// Its name, in any case.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// How an answer begins.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct HttpHead {
    /// HTTP's number.
    pub status: u16,
    /// The lines above the body.
    pub headers: Vec<HttpHeader>,
}

/// One download's way to servers, by the app's system. It is asked for one thing after the other, on the thread that
/// downloads.
#[uniffi::export(foreign)]
pub trait HttpConnection: Send + Sync {
    /// Asks for `url` by GET with these lines, and ends what was asked before. Whatever the server says is an answer; where
    /// it leads elsewhere (status 3xx), nobody goes there, and a body is not unpacked. After `stall_seconds`
    /// without a byte, here or in [`read`](Self::read), it fails.
    ///
    /// # Errors
    /// [`HttpError`].
    fn get(
        &self,
        url: String,
        headers: Vec<HttpHeader>,
        stall_seconds: f64,
    ) -> Result<HttpHead, HttpError>;

    /// At most `length` bytes of the last answer's body, and at least one; none: it has ended.
    ///
    /// # Errors
    /// [`HttpError`], also where the server closed before the end that it had told.
    fn read(&self, length: u32) -> Result<Vec<u8>, HttpError>;

    /// Breaks off what [`get`](Self::get) or [`read`](Self::read) waits for, from any thread. Both fail from now on.
    fn abort(&self);
}

/// Why a connection has no answer, or no more of it. The reasons should name no address: it may hold a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum HttpError {
    /// It may be there in a while: no network, a server that is silent or breaks off.
    #[error("{reason}")]
    Broken {
        /// Why.
        reason: String,
    },
    /// Whoever answered is not to be trusted: its certificate, for example.
    #[error("{reason}")]
    Untrusted {
        /// Why.
        reason: String,
    },
    /// What came is not HTTP, or the request cannot be made.
    #[error("the server does not speak HTTP")]
    Unusable,
}

impl From<uniffi::UnexpectedUniFFICallbackError> for HttpError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Broken {
            reason: error.reason,
        }
    }
}

impl From<HttpError> for ConnectionError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Broken { reason } => Self::Broken(reason),
            HttpError::Untrusted { reason } => Self::Untrusted(reason),
            HttpError::Unusable => Self::Unusable,
        }
    }
}

/// The app's connection, as the store knows connections.
struct Foreign(Arc<dyn HttpConnection>);

impl Connection for Foreign {
    fn get(&self, request: &Request<'_>) -> Result<Head, ConnectionError> {
        let lines = request.headers.iter().map(|(name, value)| HttpHeader {
            name: (*name).to_owned(),
            value: value.clone(),
        });
        let (url, stall) = (request.url.to_owned(), request.stall.as_secs_f64());
        let head = self.0.get(url, lines.collect(), stall)?;
        let lines = head.headers.into_iter();
        Ok(Head {
            status: head.status,
            headers: lines.map(|line| (line.name, line.value)).collect(),
        })
    }

    fn read(&self, into: &mut [u8]) -> Result<usize, ConnectionError> {
        let bytes = self.0.read(into.len().try_into().unwrap_or(u32::MAX))?;
        let place = into.get_mut(..bytes.len());
        place
            .ok_or(ConnectionError::Unusable)?
            .copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn close(&self) {
        // A connection that throws here has nothing to break off.
        let _ = catch_unwind(AssertUnwindSafe(|| self.0.abort()));
    }
}

#[uniffi::export]
impl ModelStore {
    /// The store in `folder`, which need not exist.
    #[uniffi::constructor]
    #[must_use]
    pub fn at(folder: String) -> Arc<Self> {
        Arc::new(Self(store::Store::at(Path::new(&folder))))
    }

    /// What is there, by name.
    ///
    /// # Errors
    /// [`PunaError::Unreadable`].
    pub fn list(&self) -> Result<Vec<StoredModel>, PunaError> {
        guarded(|| Ok(self.0.list()?.into_iter().map(StoredModel::from).collect()))
    }

    /// Removes the model of a name, of a SHA-256, or of at least eight first digits of one.
    ///
    /// # Errors
    /// [`PunaError::InvalidOption`] if there is none or more than one, [`PunaError::Unreadable`].
    pub fn remove(&self, name: String) -> Result<StoredModel, PunaError> {
        guarded(|| Ok(self.0.remove(&name)?.into()))
    }

    /// Reads the model of a name, as for [`remove`](Self::remove), and compares its hash with what it was.
    ///
    /// # Errors
    /// As [`remove`](Self::remove); [`PunaError::InvalidModel`]: remove it, and download it again.
    pub fn verify(&self, name: String) -> Result<StoredModel, PunaError> {
        guarded(|| Ok(self.0.verify(&name)?.into()))
    }

    /// Downloads a model, unless it is there. What an earlier try has left is gone on with; what is proved bad is
    /// removed. The call returns when it is done, failed or cancelled: make it from a background thread.
    ///
    /// # Errors
    /// [`PunaError::DownloadFailed`], [`PunaError::NoSpace`], [`PunaError::InvalidModel`] for a file that is no model or has another
    /// hash, [`PunaError::InvalidOption`] for an address or a hash that is none, [`PunaError::Unreadable`],
    /// [`PunaError::Cancelled`].
    #[uniffi::method(default(listener = None, cancel = None))]
    pub fn fetch(
        &self,
        options: FetchOptions,
        connection: Arc<dyn HttpConnection>,
        listener: Option<Arc<dyn FetchListener>>,
        cancel: Option<Arc<CancelFlag>>,
    ) -> Result<StoredModel, PunaError> {
        guarded(|| {
            let stall = Duration::try_from_secs_f64(options.stall_seconds).ok();
            let Some(stall) = stall.filter(|stall| !stall.is_zero()) else {
                let what = format!("stall_seconds {}, wanted above 0", options.stall_seconds);
                return Err(PunaError::InvalidOption { what });
            };
            let fetch = Fetch {
                sha256: options.sha256,
                stall,
                tries: options.tries.max(1),
                ..Fetch::new(&options.url)
            };
            let mut tell = |now: store::Progress| tell(listener.as_deref(), now);
            let connection = Arc::new(Foreign(connection));
            let entry = self
                .0
                .fetch(&fetch, connection, &mut tell, &cancel::of(cancel))?;
            Ok(entry.into())
        })
    }
}

fn tell(listener: Option<&dyn FetchListener>, now: store::Progress) {
    let Some(listener) = listener else { return };
    let progress = FetchProgress {
        phase: match now.phase {
            Phase::Waiting => FetchPhase::Waiting,
            Phase::Asking => FetchPhase::Asking,
            Phase::Receiving => FetchPhase::Receiving,
            Phase::Pausing => FetchPhase::Pausing,
            Phase::Checking => FetchPhase::Checking,
        },
        received: now.received,
        total: now.total,
    };
    let _ = catch_unwind(AssertUnwindSafe(|| listener.progress(progress)));
}
