//! What has arrived of a file, and of which version of it.

use std::{
    fs::{self, File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    StoreError,
    disk::{feed, hex},
};

/// What tells versions of a file on a server apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Version {
    /// The server's name for it.
    pub(super) etag: Option<String>,
    /// When it was changed, as the server writes it.
    pub(super) modified: Option<String>,
    /// Its length, if the server said it.
    pub(super) total: Option<u64>,
}

impl Version {
    /// What `If-Range` takes: a strong ETag, else a date. Weak ETags do not promise the same bytes.
    pub(super) fn validator(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        strong.or(self.modified.as_deref())
    }

    /// Whether `other` surely is another version.
    pub(super) fn differs(&self, other: &Self) -> bool {
        fn apart<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
            matches!((a, b), (Some(a), Some(b)) if a != b)
        }
        apart(self.etag.as_ref(), other.etag.as_ref())
            || apart(self.total.as_ref(), other.total.as_ref())
            || self.etag.is_none() && apart(self.modified.as_ref(), other.modified.as_ref())
    }
}

/// An unfinished file, open for more. Its hash grows with it.
#[derive(Debug)]
pub(super) struct Partial {
    path: PathBuf,
    record: PathBuf,
    file: File,
    hash: Sha256,
    len: u64,
    version: Version,
}

impl Partial {
    /// Opens what has arrived, or begins. The caller holds the lock.
    pub(super) fn open(path: PathBuf) -> Result<Self, StoreError> {
        let record = path.with_extension("json");
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(StoreError::at(&path))?;
        let mut hash = Sha256::new();
        let len = feed(&mut hash, &mut file).map_err(StoreError::at(&path))?;
        let version = fs::read(&record).ok();
        let version = version.and_then(|json| serde_json::from_slice(&json).ok());
        let mut partial = Self {
            path,
            record,
            file,
            hash,
            len,
            version: Version::default(),
        };
        match version {
            Some(version) => partial.version = version,
            None => partial.restart(Version::default())?,
        }
        Ok(partial)
    }

    /// Bytes that have arrived.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// What they are a part of.
    pub(super) const fn version(&self) -> &Version {
        &self.version
    }

    /// Forgets what has arrived: from now on it is of `version`.
    pub(super) fn restart(&mut self, version: Version) -> Result<(), StoreError> {
        // In this order a record is never older than the bytes: a kill in between costs only bytes.
        self.file.set_len(0).map_err(StoreError::at(&self.path))?;
        self.file
            .seek(SeekFrom::Start(0))
            .map_err(StoreError::at(&self.path))?;
        self.hash = Sha256::new();
        self.len = 0;
        write_whole(&self.record, &version)?;
        self.version = version;
        Ok(())
    }

    /// Adds bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .map_err(StoreError::at(&self.path))?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Makes all that has arrived safe on the disk; returns its hash.
    pub(super) fn finish(&mut self) -> Result<String, StoreError> {
        self.file.sync_all().map_err(StoreError::at(&self.path))?;
        Ok(hex(self.hash.clone()))
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what was proved bad.
    pub(super) fn remove(self) -> Result<(), StoreError> {
        fs::remove_file(&self.path).map_err(StoreError::at(&self.path))?;
        self.forget()
    }

    /// Removes what is left when the file was moved to its place.
    pub(super) fn forget(self) -> Result<(), StoreError> {
        fs::remove_file(&self.record).map_err(StoreError::at(&self.record))
    }
}

/// Writes `value` as JSON to `path`: whole, or not at all.
pub(super) fn write_whole(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    let new = path.with_extension("new");
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(StoreError::at(path))
}
