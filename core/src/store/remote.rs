//! One request for a file, or for the rest of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use super::{
    StoreError,
    address::{self, Address},
    connection::{Connection, ConnectionError, Head, Request},
    partial::Version,
};
use crate::cancel::Cancel;

/// Addresses that one may lead to, in a row.
const MAX_REDIRECTS: u32 = 5;
/// How often the flag that stops is looked at.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// Why a request came to nothing.
pub(super) enum Failure {
    /// Another try may do better; not before that time, if the server says one.
    Passing(String, Option<Duration>),
    /// Nothing would.
    Final(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

/// What the server gives.
pub(super) enum Answer {
    /// The whole file; its body is to be read.
    Whole(Version),
    /// The file from where it was asked; likewise.
    Rest(Version),
    /// The file does not reach to where it was asked.
    Shorter,
}

/// A server, and the thread that breaks its connections off when the download is to stop.
pub(super) struct Remote<'a> {
    address: &'a Address,
    connection: Arc<dyn Connection>,
    stall: Duration,
    done: Arc<AtomicBool>,
}

impl Drop for Remote<'_> {
    fn drop(&mut self) {
        self.done.store(true, Relaxed);
    }
}

impl<'a> Remote<'a> {
    /// Connections on which nothing comes for `stall` are given up.
    pub(super) fn new(
        address: &'a Address,
        stall: Duration,
        connection: Arc<dyn Connection>,
        cancel: &Cancel,
    ) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let (watched, cancel, flag) = (Arc::clone(&connection), cancel.clone(), Arc::clone(&done));
        thread::spawn(move || {
            while !flag.load(Relaxed) {
                if cancel.is_cancelled() {
                    return watched.close();
                }
                thread::sleep(TICK);
            }
        });
        Self {
            address,
            connection,
            stall,
            done,
        }
    }

    /// Asks for the file from byte `from` on, if it still is `version`.
    pub(super) fn ask(&self, from: u64, version: &Version) -> Result<Answer, Failure> {
        let mut url = self.address.url.clone();
        let mut head = self.request(&url, from, version)?;
        for _ in 0..MAX_REDIRECTS {
            if !matches!(head.status, 301 | 302 | 303 | 307 | 308) {
                break;
            }
            let to = head.text("location");
            let next = to.and_then(|to| address::next(&url, &to));
            let next = next.ok_or_else(|| self.wrong("the server sends us nowhere"))?;
            address::check(&next)?;
            // What began encrypted stays so, even if it leads to this machine.
            if url.starts_with("https:") && next.scheme_str() != Some("https") {
                let url = self.address.shown.clone();
                return Err(StoreError::Insecure { url }.into());
            }
            url = next.to_string();
            head = self.request(&url, from, version)?;
        }
        match head.status {
            301..=399 => return Err(self.wrong("the server sends us on and on")),
            200 | 206 => {}
            416 if from > 0 => return Ok(Answer::Shorter),
            status @ (408 | 425 | 429 | 500..=599) => {
                let seconds = head.text("retry-after").and_then(|s| s.parse().ok());
                let wait = seconds.map(Duration::from_secs);
                return Err(Failure::Passing(format!("the server says {status}"), wait));
            }
            status => {
                let url = self.address.shown.clone();
                return Err(StoreError::Status { url, status }.into());
            }
        }
        let packed = head
            .text("content-encoding")
            .filter(|how| how != "identity");
        if packed.is_some() {
            return Err(self.wrong("the server packed the file, which was not asked for"));
        }
        let mut version = Version {
            etag: head.text("etag"),
            modified: head.text("last-modified"),
            total: None,
        };
        if head.status == 200 {
            version.total = head.text("content-length").and_then(|n| n.parse().ok());
            return Ok(Answer::Whole(version));
        }
        let range = head.text("content-range");
        let Some((start, end, total)) = range.as_deref().and_then(content_range) else {
            return Err(self.wrong("the server sends a part of the file, and not which"));
        };
        if from == 0 || start != from || end < start || total.is_some_and(|total| total != end + 1)
        {
            return Err(self.wrong("the server sends another part of the file than was asked for"));
        }
        version.total = Some(end + 1);
        Ok(Answer::Rest(version))
    }

    fn request(&self, url: &str, from: u64, version: &Version) -> Result<Head, Failure> {
        // What is hashed and cut is the file itself, not a packed form of it.
        let mut headers = vec![("accept-encoding", "identity".to_owned())];
        if from > 0 {
            headers.push(("range", format!("bytes={from}-")));
            if let Some(validator) = version.validator() {
                headers.push(("if-range", validator.to_owned()));
            }
        }
        let request = Request {
            url,
            headers: &headers,
            stall: self.stall,
        };
        self.connection
            .get(&request)
            .map_err(|error| self.failure(error))
    }

    /// Reads some of the body; 0 bytes: it ends.
    pub(super) fn read(&self, into: &mut [u8]) -> Result<usize, Failure> {
        let n = self.connection.read(into);
        let n = n.map_err(|error| self.failure(error))?;
        if n > into.len() {
            return Err(self.failure(ConnectionError::Unusable));
        }
        Ok(n)
    }

    fn wrong(&self, what: &'static str) -> Failure {
        let url = self.address.shown.clone();
        StoreError::Server { url, what }.into()
    }

    fn failure(&self, error: ConnectionError) -> Failure {
        match error {
            ConnectionError::Broken(why) => Failure::Passing(why, None),
            ConnectionError::Untrusted(why) => {
                let url = self.address.shown.clone();
                StoreError::Tls { url, why }.into()
            }
            ConnectionError::Unusable => self.wrong("the server does not speak HTTP"),
        }
    }
}

/// `bytes 3-9/10`: the first, the last, and how many there are, if that is known.
fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let end: u64 = end.parse().ok()?;
    // One more must be a number too.
    end.checked_add(1)?;
    Some((start.parse().ok()?, end, total))
}
