//! One request for a file, or for the rest of it.

use std::{
    io::{ErrorKind, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use ureq::{
    Agent, Body, BodyReader,
    http::{HeaderMap, Response, header},
    tls::{RootCerts, TlsConfig},
};

use super::{
    StoreError,
    address::{self, Address},
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
    /// The whole file.
    Whole(Version, BodyReader<'static>),
    /// The file from where it was asked.
    Rest(Version, BodyReader<'static>),
    /// The file does not reach to where it was asked.
    Shorter,
}

/// A server, and the thread that breaks its connections off when the download is to stop.
pub(super) struct Remote<'a> {
    address: &'a Address,
    agent: Agent,
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
        roots: Option<&[Vec<u8>]>,
        cancel: &Cancel,
    ) -> Result<Self, StoreError> {
        let https = address.url.starts_with("https:");
        if https && !graviola::util::is_cpu_supported() {
            return Err(StoreError::Cpu);
        }
        let mut config = Agent::config_builder()
            .https_only(https)
            .http_status_as_error(false)
            // They are followed here, so that each address is looked at before it is asked.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(stall))
            .timeout_connect(Some(stall))
            .timeout_recv_response(Some(stall))
            .timeout_per_read(Some(stall))
            .timeout_per_write(Some(stall))
            // A connection that failed is not to be met again.
            .max_idle_connections(0)
            .user_agent(concat!("puna/", env!("CARGO_PKG_VERSION")));
        if !https {
            // A proxy would take this machine for its own.
            config = config.proxy(None);
        } else {
            let provider = Arc::new(rustls_graviola::default_provider());
            let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
            if let Some(roots) = roots {
                let roots = roots
                    .iter()
                    .map(|der| ureq::tls::Certificate::from_der(der).to_owned());
                tls = tls.root_certs(RootCerts::Specific(Arc::new(roots.collect())));
            }
            config = config.tls_config(tls.build());
        }
        let agent = Agent::new_with_config(config.build());
        let done = Arc::new(AtomicBool::new(false));
        let (watched, cancel, flag) = (agent.clone(), cancel.clone(), Arc::clone(&done));
        thread::spawn(move || {
            while !flag.load(Relaxed) {
                if cancel.is_cancelled() {
                    return watched.shutdown();
                }
                thread::sleep(TICK);
            }
        });
        Ok(Self {
            address,
            agent,
            done,
        })
    }

    /// Asks for the file from byte `from` on, if it still is `version`.
    pub(super) fn ask(&self, from: u64, version: &Version) -> Result<Answer, Failure> {
        let mut url = self.address.url.clone();
        let mut response = self.request(&url, from, version)?;
        for _ in 0..MAX_REDIRECTS {
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                break;
            }
            let to = text(response.headers(), header::LOCATION);
            let next = to.and_then(|to| address::next(&url, &to));
            let next = next.ok_or_else(|| self.wrong("the server sends us nowhere"))?;
            address::check(&next)?;
            url = next.to_string();
            response = self.request(&url, from, version)?;
        }
        let status = response.status().as_u16();
        let (parts, body) = response.into_parts();
        let headers = &parts.headers;
        match status {
            301..=399 => return Err(self.wrong("the server sends us on and on")),
            200 | 206 => {}
            416 if from > 0 => return Ok(Answer::Shorter),
            408 | 425 | 429 | 500..=599 => {
                let seconds = text(headers, header::RETRY_AFTER).and_then(|s| s.parse().ok());
                let wait = seconds.map(Duration::from_secs);
                return Err(Failure::Passing(format!("the server says {status}"), wait));
            }
            status => {
                let url = self.address.shown.clone();
                return Err(StoreError::Status { url, status }.into());
            }
        }
        let packed = text(headers, header::CONTENT_ENCODING).filter(|how| how != "identity");
        if packed.is_some() {
            return Err(self.wrong("the server packed the file, which was not asked for"));
        }
        let mut version = Version {
            etag: text(headers, header::ETAG),
            modified: text(headers, header::LAST_MODIFIED),
            total: None,
        };
        if status == 200 {
            version.total = text(headers, header::CONTENT_LENGTH).and_then(|n| n.parse().ok());
            return Ok(Answer::Whole(version, body.into_reader()));
        }
        let range = text(headers, header::CONTENT_RANGE);
        let Some((start, end, total)) = range.as_deref().and_then(content_range) else {
            return Err(self.wrong("the server sends a part of the file, and not which"));
        };
        if from == 0 || start != from || end < start || total.is_some_and(|total| total != end + 1)
        {
            return Err(self.wrong("the server sends another part of the file than was asked for"));
        }
        version.total = Some(end + 1);
        Ok(Answer::Rest(version, body.into_reader()))
    }

    fn request(&self, url: &str, from: u64, version: &Version) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(url);
        // What is hashed and cut is the file itself, not a packed form of it.
        request = request.header(header::ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
            if let Some(validator) = version.validator() {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        request.call().map_err(|error| self.failure(error))
    }

    fn wrong(&self, what: &'static str) -> Failure {
        let url = self.address.shown.clone();
        StoreError::Server { url, what }.into()
    }

    fn failure(&self, error: ureq::Error) -> Failure {
        let url = self.address.shown.clone();
        let tls = |why: String| {
            StoreError::Tls {
                url: url.clone(),
                why,
            }
            .into()
        };
        match error {
            ureq::Error::Rustls(why) => tls(why.to_string()),
            ureq::Error::Tls(why) => tls(why.to_owned()),
            // So rustls's errors come out of a handshake.
            ureq::Error::Io(why) if why.kind() == ErrorKind::InvalidData => tls(why.to_string()),
            ureq::Error::RequireHttpsOnly(_) => StoreError::Insecure { url }.into(),
            ureq::Error::Protocol(_) => self.wrong("the server does not speak HTTP"),
            error @ (ureq::Error::Io(_)
            | ureq::Error::Timeout(_)
            | ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed) => Failure::Passing(told(&error), None),
            _ => self.wrong("the request cannot be made"),
        }
    }
}

/// What of an error may be told: the system's words, never an address.
fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => format!("the connection broke off ({})", error.kind()),
        ureq::Error::Timeout(_) => "nothing came for too long".to_owned(),
        ureq::Error::HostNotFound => "the host is not known".to_owned(),
        _ => "no connection".to_owned(),
    }
}

/// Reads some of a body; 0 bytes: it ends.
pub(super) fn read(body: &mut BodyReader<'_>, into: &mut [u8]) -> Result<usize, Failure> {
    loop {
        match body.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::Passing(told(&error.into()), None)),
            Ok(n) => return Ok(n),
        }
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.trim().to_owned())
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
