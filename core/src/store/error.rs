//! Why a model is not in the store.

use std::{io, path::PathBuf};

use crate::gguf::GgufError;

/// Why a model could not be fetched, or what is in the store could not be used.
///
/// Addresses are told without their query: it may hold a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No address of a file.
    #[error("store: `{url}` is no address of a file: wanted https://HOST/…/NAME")]
    Url {
        /// What was given.
        url: String,
    },
    /// An address, or one that it leads to, that anybody on the way could answer for.
    #[error("store: {url} is not encrypted: wanted https (http only for this machine itself)")]
    Insecure {
        /// The address.
        url: String,
    },
    /// A SHA-256 is 64 digits, 0 to 9 and a to f.
    #[error("store: `{had}` is no SHA-256: wanted 64 hexadecimal digits")]
    NoHash {
        /// What was given.
        had: String,
    },
    /// The server answered, but not with the file.
    #[error("store: {url}: the server says {status}")]
    Status {
        /// The address.
        url: String,
        /// HTTP's number.
        status: u16,
    },
    /// The server does what HTTP does not allow, or what cannot be checked.
    #[error("store: {url}: {what}")]
    Server {
        /// The address.
        url: String,
        /// What it did.
        what: &'static str,
    },
    /// The connection failed too often in a row without a byte in between. What has arrived is kept.
    #[error("store: {url}: {tries} tries in a row failed, the last: {last}")]
    Connection {
        /// The address.
        url: String,
        /// How often it was tried.
        tries: u32,
        /// Why the last one failed.
        last: String,
    },
    /// No connection to this server is to be trusted.
    #[error("store: {url}: no safe connection: {why}")]
    Tls {
        /// The address.
        url: String,
        /// What the certificate or the handshake lacks.
        why: String,
    },
    /// The file on the server was another one each time the download went on.
    #[error("store: {url}: the file changes faster than it is fetched")]
    Changing {
        /// The address.
        url: String,
    },
    /// What arrived is not what was wanted. It is removed.
    #[error("store: {what} has the SHA-256 {had}, wanted {wanted}")]
    WrongHash {
        /// The address or the file.
        what: String,
        /// Of what arrived.
        had: String,
        /// What was asked for.
        wanted: String,
    },
    /// What arrived is no model. It is removed.
    #[error("store: {url} is no model: {source}")]
    NotAModel {
        /// The address.
        url: String,
        /// What is wrong with the file.
        source: GgufError,
    },
    /// The disk is too full.
    #[error("store: {} has {free} bytes free, wanted {wanted}", folder.display())]
    NoSpace {
        /// The store.
        folder: PathBuf,
        /// Bytes that are still to come.
        wanted: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// [`Cancel`](crate::cancel::Cancel) was set. What has arrived is kept.
    #[error("store: stopped")]
    Cancelled,
    /// Nothing, or more than one file, goes by that name.
    #[error("store: {found} models go by the name `{name}`{}", if *found > 1 { ": use the first digits of a SHA-256" } else { "" })]
    Name {
        /// The name.
        name: String,
        /// How many files it fits.
        found: usize,
    },
    /// The disk.
    #[error("store: {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// Whether it is about bytes that arrived and are not to be kept.
    pub(super) const fn proves_bad(&self) -> bool {
        matches!(self, Self::WrongHash { .. } | Self::NotAModel { .. })
    }

    /// For `map_err`: an error of the disk at `path`.
    pub(super) fn at(path: &std::path::Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io {
            path: path.clone(),
            source,
        }
    }
}
