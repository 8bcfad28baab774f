//! The connections of a program that brings its own: ureq, rustls, and graviola's arithmetic.

use std::{
    io::{ErrorKind, Read},
    sync::{Arc, Mutex, PoisonError},
};

use ureq::{
    Agent, BodyReader,
    tls::{RootCerts, TlsConfig},
};

use super::connection::{Connection, ConnectionError, Head, Request};

/// HTTP, encrypted by TLS where the address says so. It is given up as soon as somebody calls
/// [`close`](Connection::close).
pub struct Https {
    agent: Agent,
    body: Mutex<Option<BodyReader<'static>>>,
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Https").finish_non_exhaustive()
    }
}

impl Https {
    /// `roots`: certificates (DER) that are trusted in place of the usual ones, for a server of one's own.
    #[must_use]
    pub fn new(roots: Option<&[Vec<u8>]>) -> Self {
        let provider = Arc::new(rustls_graviola::default_provider());
        let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
        if let Some(roots) = roots {
            let roots = roots
                .iter()
                .map(|der| ureq::tls::Certificate::from_der(der).to_owned());
            tls = tls.root_certs(RootCerts::Specific(Arc::new(roots.collect())));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // The store looks at each address before it is asked.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A connection that failed is not to be met again.
            .max_idle_connections(0)
            .user_agent(concat!("puna/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build());
        Self {
            agent: Agent::new_with_config(config.build()),
            body: Mutex::default(),
        }
    }
}

impl Connection for Https {
    fn get(&self, request: &Request<'_>) -> Result<Head, ConnectionError> {
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        *body = None;
        let https = request.url.starts_with("https:");
        if https && !graviola::util::is_cpu_supported() {
            let why =
                "this CPU lacks the instructions that https needs here (AES, and AVX2 or NEON)";
            return Err(ConnectionError::Untrusted(why.to_owned()));
        }
        let stall = Some(request.stall);
        let mut config = self
            .agent
            .get(request.url)
            .config()
            .timeout_resolve(stall)
            .timeout_connect(stall)
            .timeout_recv_response(stall)
            .timeout_per_read(stall)
            .timeout_per_write(stall);
        if !https {
            // A proxy would take this machine for its own.
            config = config.proxy(None);
        }
        let mut call = config.build();
        for (name, value) in request.headers {
            call = call.header(*name, value);
        }
        let (parts, sent) = call.call().map_err(failure)?.into_parts();
        *body = Some(sent.into_reader());
        let text = |value: &http::HeaderValue| value.to_str().ok().map(str::to_owned);
        let lines = parts.headers.iter();
        Ok(Head {
            status: parts.status.as_u16(),
            headers: lines
                .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
                .collect(),
        })
    }

    fn read(&self, into: &mut [u8]) -> Result<usize, ConnectionError> {
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(body) = body.as_mut() else {
            return Ok(0);
        };
        loop {
            match body.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read.map_err(|error| failure(error.into())),
            }
        }
    }

    fn close(&self) {
        self.agent.clone().shutdown();
    }
}

fn failure(error: ureq::Error) -> ConnectionError {
    match error {
        ureq::Error::Rustls(why) => ConnectionError::Untrusted(why.to_string()),
        ureq::Error::Tls(why) => ConnectionError::Untrusted(why.to_owned()),
        // So rustls's errors come out of a handshake.
        ureq::Error::Io(why) if why.kind() == ErrorKind::InvalidData => {
            ConnectionError::Untrusted(why.to_string())
        }
        ureq::Error::Io(why) => {
            ConnectionError::Broken(format!("the connection broke off ({})", why.kind()))
        }
        ureq::Error::Timeout(_) => ConnectionError::Broken("nothing came for too long".to_owned()),
        ureq::Error::HostNotFound => ConnectionError::Broken("the host is not known".to_owned()),
        ureq::Error::ConnectionFailed => ConnectionError::Broken("no connection".to_owned()),
        _ => ConnectionError::Unusable,
    }
}
