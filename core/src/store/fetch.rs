//! A file from its address into the store.

use std::{
    fs::{self, File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use super::{
    Entry, SOURCE, Source, Store, StoreError,
    address::Address,
    connection::Connection,
    disk::{self, free_bytes},
    entry, is_hash,
    partial::{Partial, Version, write_whole},
    remote::{Answer, Failure, Remote, TICK},
};
use crate::{
    cancel::Cancel,
    gguf::{Gguf, GgufError, Map},
};

/// How often a file may turn out to be another one before that is an error.
const MAX_RESTARTS: u32 = 5;
/// The longest pause between tries.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Bytes that a download leaves free.
const SPARE: u64 = 16 << 20;

/// What to fetch, and how patiently.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The address: `https://…`, or `http://` of this machine itself.
    pub url: String,
    /// The SHA-256 that the file must have, in hex. Without one, what the encrypted connection brings is
    /// believed, as far as it is a whole model.
    pub sha256: Option<String>,
    /// A connection on which nothing comes for so long is given up.
    pub stall: Duration,
    /// The pause before the second try; each further one is twice as long, up to 30 s.
    pub pause: Duration,
    /// Tries in a row that may fail without a byte in between.
    pub tries: u32,
}

impl Fetch {
    /// A fetch of `url` that takes 30 seconds of silence and 8 failures in a row.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            sha256: None,
            stall: Duration::from_secs(30),
            pause: Duration::from_millis(500),
            tries: 8,
        }
    }
}

/// How far a fetch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it does.
    pub phase: Phase,
    /// Bytes that have arrived, those of earlier tries included.
    pub received: u64,
    /// Bytes of the file, when the server has said it.
    pub total: Option<u64>,
}

/// What a fetch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Another process fetches the same file; this one takes what that one gets.
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

impl Store {
    /// Fetches a file by `connection`, unless it is there. What an earlier try has left is gone on with; what is proved
    /// bad is removed.
    ///
    /// # Errors
    /// [`StoreError`]. Whatever it is, no file is in the store that was not whole and right.
    pub fn fetch(
        &self,
        fetch: &Fetch,
        connection: Arc<dyn Connection>,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Entry, StoreError> {
        let address = Address::new(&fetch.url)?;
        let sha256 = fetch.sha256.as_ref().map(|hash| hash.to_ascii_lowercase());
        if let Some(had) = sha256.clone().filter(|hash| !is_hash(hash)) {
            return Err(StoreError::NoHash { had });
        }
        if let Some(entry) = self.fetched(&fetch.url, sha256.as_deref())? {
            return Ok(entry);
        }
        let key = disk::hex(Sha256::new_with_prefix(&fetch.url));
        let (locks, partials) = (self.folder().join(".locks"), self.folder().join(".partial"));
        for folder in [&locks, &partials] {
            fs::create_dir_all(folder).map_err(StoreError::at(folder))?;
        }
        let _lock = lock(&locks.join(&key), progress, cancel)?;
        if let Some(entry) = self.fetched(&fetch.url, sha256.as_deref())? {
            return Ok(entry);
        }
        let mut download = Download {
            fetch,
            address: &address,
            remote: Remote::new(&address, fetch.stall, connection, cancel),
            partial: Partial::open(partials.join(&key))?,
            folder: self.folder(),
            restarts: 0,
            mended: false,
            progress,
            cancel,
        };
        let judged = download.run(sha256.as_deref());
        let partial = download.partial;
        match judged {
            Ok(hash) => self.put(&address, partial, &hash),
            Err(error) => {
                if error.proves_bad() {
                    partial.remove()?;
                }
                Err(error)
            }
        }
    }

    /// The model of this hash, else of this address, if it is there.
    fn fetched(&self, url: &str, sha256: Option<&str>) -> Result<Option<Entry>, StoreError> {
        if let Some(sha256) = sha256 {
            return Ok(entry(&self.folder().join(sha256), sha256));
        }
        let mut entries = self.list()?.into_iter();
        Ok(entries.find(|entry| entry.url.as_deref() == Some(url)))
    }

    /// Moves a whole file to its place.
    fn put(&self, address: &Address, partial: Partial, hash: &str) -> Result<Entry, StoreError> {
        let folder = self.folder().join(hash);
        fs::create_dir_all(&folder).map_err(StoreError::at(&folder))?;
        let url = address.url.clone();
        write_whole(&folder.join(SOURCE), &Source { url })?;
        if entry(&folder, hash).is_some() {
            // The same file, by another address or name.
            partial.remove()?;
        } else {
            let path = folder.join(&address.file);
            fs::rename(partial.path(), &path).map_err(StoreError::at(&path))?;
            partial.forget()?;
        }
        #[cfg(unix)]
        File::open(&folder)
            .and_then(|folder| folder.sync_all())
            .map_err(StoreError::at(&folder))?;
        entry(&folder, hash).ok_or_else(|| StoreError::Io {
            path: folder.clone(),
            source: ErrorKind::NotFound.into(),
        })
    }
}

/// Waits until no other process fetches the same. The lock is given back when the file is dropped, or its
/// process ends.
fn lock(
    path: &Path,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<File, StoreError> {
    let file = File::create(path).map_err(StoreError::at(path))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                let phase = Phase::Waiting;
                progress(Progress {
                    phase,
                    received: 0,
                    total: None,
                });
                pause(TICK, cancel)?;
            }
            Err(TryLockError::Error(source)) => return Err(StoreError::at(path)(source)),
        }
    }
}

/// Sleeps, unless the download is to stop.
fn pause(how_long: Duration, cancel: &Cancel) -> Result<(), StoreError> {
    let started = Instant::now();
    loop {
        if cancel.is_cancelled() {
            return Err(StoreError::Cancelled);
        }
        match how_long.checked_sub(started.elapsed()) {
            None | Some(Duration::ZERO) => return Ok(()),
            Some(left) => thread::sleep(left.min(TICK)),
        }
    }
}

struct Download<'a> {
    fetch: &'a Fetch,
    address: &'a Address,
    remote: Remote<'a>,
    partial: Partial,
    folder: &'a Path,
    restarts: u32,
    /// Whether the file was fetched anew because its pieces did not fit.
    mended: bool,
    progress: &'a mut dyn FnMut(Progress),
    cancel: &'a Cancel,
}

impl Download<'_> {
    /// Tries until the file is whole and right; returns its hash.
    fn run(&mut self, wanted: Option<&str>) -> Result<String, StoreError> {
        loop {
            // A file in one piece is what the server gave; one in several may be a mixture of versions, if
            // the server said nothing by which to tell them apart. The file is then fetched anew, once.
            let kept = self.partial.len() > 0;
            let pieced = self.receive_all()? > 1 || kept;
            match self.judge(wanted) {
                Ok(hash) => return Ok(hash),
                Err(error) if error.proves_bad() => {
                    if !pieced || self.mended {
                        return Err(error);
                    }
                    self.mended = true;
                    self.restart(Version::default())?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Tries until the file is whole; returns in how many pieces it came.
    fn receive_all(&mut self) -> Result<u32, StoreError> {
        let (mut failures, mut pieces) = (0, 0);
        loop {
            let before = self.partial.len();
            pieces += 1;
            let failure = match self.receive() {
                Ok(()) => return Ok(pieces),
                Err(failure) => failure,
            };
            if self.cancel.is_cancelled() {
                return Err(StoreError::Cancelled);
            }
            let (last, wait) = match failure {
                Failure::Final(error) => return Err(error),
                Failure::Passing(last, wait) => (last, wait),
            };
            if self.partial.len() > before {
                failures = 0;
            }
            failures += 1;
            if failures >= self.fetch.tries {
                return Err(StoreError::Connection {
                    url: self.address.shown.clone(),
                    tries: failures,
                    last,
                });
            }
            self.tell(Phase::Pausing);
            let longer = self.fetch.pause.saturating_mul(1 << (failures - 1).min(16));
            pause(
                longer.max(wait.unwrap_or_default()).min(MAX_PAUSE),
                self.cancel,
            )?;
        }
    }

    /// One request, and all that comes of it. Done means that the file is whole by what the server said.
    fn receive(&mut self) -> Result<(), Failure> {
        self.tell(Phase::Asking);
        if self.partial.len() > 0 && self.partial.version().total == Some(self.partial.len()) {
            return Ok(());
        }
        let known = self.partial.version().clone();
        // Without anything to tell versions apart, only a hash can show that the pieces fit.
        if known.validator().is_none() && self.fetch.sha256.is_none() && self.partial.len() > 0 {
            self.restart(Version::default())?;
        }
        let from = self.partial.len();
        let total = match self.remote.ask(from, &known)? {
            Answer::Rest(version) if known.differs(&version) => return self.changed(),
            Answer::Shorter => return self.changed(),
            Answer::Rest(version) => version.total,
            Answer::Whole(version) => {
                let total = version.total;
                if from > 0 {
                    self.restart(version)?;
                } else {
                    self.partial.restart(version)?;
                }
                total
            }
        };
        self.check_room(total)?;
        self.read(total)
    }

    /// Copies the body to the disk, up to `total` bytes of the file.
    fn read(&mut self, total: Option<u64>) -> Result<(), Failure> {
        let mut chunk = vec![0; disk::CHUNK];
        loop {
            if self.cancel.is_cancelled() {
                return Err(StoreError::Cancelled.into());
            }
            let n = self.remote.read(&mut chunk)?;
            let len = self.partial.len() + n as u64;
            match total {
                Some(total) if n == 0 && len < total => {
                    return Err(Failure::Passing(
                        "the connection broke off".to_owned(),
                        None,
                    ));
                }
                Some(total) if len > total => {
                    self.partial.restart(Version::default())?;
                    return Err(StoreError::Server {
                        url: self.address.shown.clone(),
                        what: "the server sends more than it said",
                    }
                    .into());
                }
                _ if n == 0 => return Ok(()),
                _ => self.partial.append(&chunk[..n])?,
            }
            self.tell(Phase::Receiving);
        }
    }

    /// The file is another one than that of which a part is here.
    fn changed(&mut self) -> Result<(), Failure> {
        self.restart(Version::default())?;
        let changed = "the file has changed on the server";
        Err(Failure::Passing(changed.to_owned(), None))
    }

    fn restart(&mut self, version: Version) -> Result<(), StoreError> {
        log::info!("store: {}: begins anew", self.address.shown);
        self.partial.restart(version)?;
        self.restarts += 1;
        if self.restarts > MAX_RESTARTS {
            let url = self.address.shown.clone();
            return Err(StoreError::Changing { url });
        }
        Ok(())
    }

    /// That the disk has room for what is still to come.
    fn check_room(&self, total: Option<u64>) -> Result<(), StoreError> {
        let wanted = total.unwrap_or_default();
        let wanted = wanted
            .saturating_sub(self.partial.len())
            .saturating_add(SPARE);
        match free_bytes(self.folder) {
            Some(free) if free < wanted => Err(StoreError::NoSpace {
                folder: PathBuf::from(self.folder),
                wanted,
                free,
            }),
            _ => Ok(()),
        }
    }

    /// The hash of the whole file, if that is as it must be and the file is a model.
    fn judge(&mut self, wanted: Option<&str>) -> Result<String, StoreError> {
        self.tell(Phase::Checking);
        let had = self.partial.finish()?;
        let url = self.address.shown.clone();
        if let Some(wanted) = wanted.filter(|wanted| *wanted != had) {
            return Err(StoreError::WrongHash {
                what: url,
                had,
                wanted: wanted.to_owned(),
            });
        }
        let map = Map::open(self.partial.path());
        match map.and_then(Gguf::from_map) {
            // A part of a split model is fine as far as it goes.
            Ok(_) | Err(GgufError::ShardCount { .. } | GgufError::NotFirstShard { .. }) => Ok(had),
            Err(GgufError::Shard { source, .. })
                if matches!(*source, GgufError::ShardCount { .. }) =>
            {
                Ok(had)
            }
            Err(source) => Err(StoreError::NotAModel { url, source }),
        }
    }

    fn tell(&mut self, phase: Phase) {
        (self.progress)(Progress {
            phase,
            received: self.partial.len(),
            total: self.partial.version().total,
        });
    }
}
