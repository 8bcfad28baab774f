//! What opens connections: the store asks, others speak HTTP.

use std::{fmt, time::Duration};

/// One fetch's way to servers: [`Store::fetch`](super::Store::fetch) asks it for one thing after the other, on the thread
/// that fetches. With the feature `https` there is [`Https`](super::Https); an app brings its system's.
pub trait Connection: Send + Sync {
    /// Asks for `request`, and ends what was asked before. Whatever the server says is an answer; where it
    /// leads elsewhere (status 3xx), nobody goes there, and a body is not unpacked.
    ///
    /// # Errors
    /// [`ConnectionError`].
    fn get(&self, request: &Request<'_>) -> Result<Head, ConnectionError>;

    /// The next bytes of the last answer's body, at least one unless `into` is empty; 0: the body has ended.
    ///
    /// # Errors
    /// [`ConnectionError`], also where the server closed before the end that it had told.
    fn read(&self, into: &mut [u8]) -> Result<usize, ConnectionError>;

    /// Breaks off what [`get`](Self::get) or [`read`](Self::read) waits for, from any thread. Both fail from now on.
    fn close(&self);
}

/// What is asked for, by GET.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The address.
    pub url: &'a str,
    /// Lines to be sent, besides those that HTTP needs: names in lower case, and values.
    pub headers: &'a [(&'static str, String)],
    /// How long nothing may come before the connection is given up.
    pub stall: Duration,
}

/// How an answer begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// HTTP's number.
    pub status: u16,
    /// Its lines: names in any case, and values.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The value of the first line of this name.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let mut lines = self.headers.iter();
        let (_, value) = lines.find(|(had, _)| had.eq_ignore_ascii_case(name))?;
        Some(value.trim().to_owned())
    }
}

/// Why there is no answer, or no more of it. The reasons name no address: it may hold a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionError {
    /// It may be there in a while: no network, a server that is silent or breaks off.
    Broken(String),
    /// Whoever answered is not to be trusted.
    Untrusted(String),
    /// What came is not HTTP, or the request cannot be made.
    Unusable,
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(why) | Self::Untrusted(why) => f.write_str(why),
            Self::Unusable => f.write_str("the server does not speak HTTP"),
        }
    }
}

impl std::error::Error for ConnectionError {}
