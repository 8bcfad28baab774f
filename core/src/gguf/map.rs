//! A model's bytes: a mapped file, a mapped window of a descriptor, or memory.
//!
//! # What a mapping cannot promise
//! The bytes of a mapped file belong to the file. If someone *replaces* it (writes another and
//! renames it over this one) nothing happens: the mapping keeps the old file alive. If someone
//! *writes into* it, weights change silently; text is checked again whenever it is read, so no
//! string is ever invalid. If someone *truncates* it, touching a page past the new end raises
//! SIGBUS on Unix and ends the process: no library can turn that into an error without a signal
//! handler of its own. [`Map::check`] finds a truncated file before it is touched, but not between
//! the check and the touch; sessions call it before each batch. An app that does not own the file
//! should copy it first. Windows refuses to truncate a mapped file.

use std::fmt;
use std::fs::File;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapOptions};

use super::error::GgufError;

/// A model's bytes, readable as `&[u8]`. They have no particular alignment in memory.
pub struct Map(Bytes);

enum Bytes {
    Owned(Vec<u8>),
    Mapped {
        bytes: Mmap,
        /// Kept to ask for its length again.
        file: File,
        /// End of the window in the file.
        end: u64,
    },
}

impl Map {
    /// Maps the whole file at `path`.
    ///
    /// # Errors
    /// [`GgufError::Io`] if it cannot be opened or mapped, or is no regular file.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let failed = |doing| {
            move |source| GgufError::Io {
                doing,
                path: path.to_path_buf(),
                source,
            }
        };
        // Asked before opening: to open a FIFO would wait for a writer.
        if !std::fs::metadata(path).map_err(failed("open"))?.is_file() {
            let source = std::io::Error::other("not a regular file");
            return Err(failed("open")(source));
        }
        let file = File::open(path).map_err(failed("open"))?;
        let len = file.metadata().map_err(failed("open"))?.len();
        Self::window(file, 0, len, path)
    }

    /// Maps `len` bytes from byte `offset` of an open file: a whole file, or one that is stored
    /// uncompressed inside another. `offset` may be any number.
    ///
    /// # Errors
    /// [`GgufError::Window`] if the file is shorter, [`GgufError::Io`] if it cannot be mapped.
    pub fn from_fd(file: File, offset: u64, len: u64) -> Result<Self, GgufError> {
        Self::window(file, offset, len, Path::new(""))
    }

    /// As [`from_fd`](Self::from_fd), of a descriptor by its number, which stays its owner's: it is duplicated,
    /// not opened anew, as the system may have lent a file that this process must not open. `len`: `None` is
    /// up to the end of the file.
    ///
    /// # Errors
    /// As [`from_fd`](Self::from_fd); [`GgufError::Io`] for a number that is no open descriptor.
    #[cfg(unix)]
    pub fn from_descriptor(number: i32, offset: u64, len: Option<u64>) -> Result<Self, GgufError> {
        let failed = |source| GgufError::Io {
            doing: "use descriptor",
            path: PathBuf::from(number.to_string()),
            source,
        };
        let file = File::from(duplicate(number).map_err(failed)?);
        let metadata = file.metadata().map_err(failed)?;
        // A provider may hand out a pipe, which cannot be mapped.
        if !metadata.is_file() {
            return Err(failed(std::io::Error::other("not a regular file")));
        }
        let len = len.unwrap_or_else(|| metadata.len().saturating_sub(offset));
        Self::from_fd(file, offset, len)
    }

    /// Takes bytes in memory.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Bytes::Owned(bytes))
    }

    #[allow(
        unsafe_code,
        reason = "mapping a file is unsafe; this is the one place"
    )]
    fn window(file: File, offset: u64, len: u64, path: &Path) -> Result<Self, GgufError> {
        let failed = |source| GgufError::Io {
            doing: "map",
            path: PathBuf::from(path),
            source,
        };
        let had = file.metadata().map_err(failed)?.len();
        let end = offset.checked_add(len).filter(|&end| end <= had);
        let (Some(end), Ok(wanted)) = (end, usize::try_from(len)) else {
            return Err(GgufError::Window {
                offset,
                wanted: len,
                had,
            });
        };
        if wanted == 0 {
            return Ok(Self::from_bytes(Vec::new()));
        }
        let mut options = MmapOptions::new();
        options.offset(offset).len(wanted);
        // SAFETY: the mapping is read-only and lies inside the file as it is now. That nobody
        // truncates or rewrites the file meanwhile is the caller's part, as the module says; what
        // is read is treated as bytes that may hold anything at any time.
        let bytes = unsafe { options.map(&file) }.map_err(failed)?;
        Ok(Self(Bytes::Mapped { bytes, file, end }))
    }

    /// Tells the system that these bytes are wanted soon, so that it reads ahead. Bytes outside the
    /// map are ignored, and so is a system that does not listen.
    pub fn advise_willneed(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Bytes::Mapped { bytes, .. } = &self.0 {
            let end = range.end.min(bytes.len());
            if range.start < end {
                let length = end - range.start;
                if let Err(e) = bytes.advise_range(memmap2::Advice::WillNeed, range.start, length) {
                    log::debug!("no read-ahead of {length} bytes: {e}");
                }
            }
        }
        #[cfg(not(unix))]
        let _ = range;
    }

    /// Gives the memory of all mapped pages back to the system; they are read again when they are next touched.
    /// Nothing happens to bytes that are not mapped from a file, or where the system does not listen.
    #[allow(unsafe_code, reason = "the system's call is unsafe for other mappings")]
    pub fn release_pages(&self) {
        #[cfg(unix)]
        if let Bytes::Mapped { bytes, .. } = &self.0 {
            let dont_need = memmap2::UncheckedAdvice::DontNeed;
            // SAFETY: the mapping is shared and read-only, so no page holds anything that the file does not: one
            // that was dropped reads as before.
            if let Err(e) = unsafe { bytes.unchecked_advise(dont_need) } {
                log::debug!("pages of the map were not given back: {e}");
            }
        }
    }

    /// Asks whether the file is still as long as it was when it was mapped.
    ///
    /// # Errors
    /// [`GgufError::Shrunk`] if it is shorter, [`GgufError::Io`] if the system does not answer.
    pub fn check(&self) -> Result<(), GgufError> {
        let Bytes::Mapped { file, end, .. } = &self.0 else {
            return Ok(());
        };
        let now = file.metadata().map_err(|source| GgufError::Io {
            doing: "look at",
            path: PathBuf::new(),
            source,
        })?;
        if now.len() < *end {
            return Err(GgufError::Shrunk {
                wanted: *end,
                had: now.len(),
            });
        }
        Ok(())
    }
}

/// A descriptor of our own for the file that `number` is open on.
#[cfg(unix)]
#[allow(
    unsafe_code,
    reason = "a number from another language is not known to be open"
)]
fn duplicate(number: i32) -> std::io::Result<std::os::fd::OwnedFd> {
    if number < 0 {
        return Err(std::io::Error::other("not a descriptor"));
    }
    // SAFETY: the number is not −1, and lives only for the one call that duplicates it; for a number that
    // is not open that call changes nothing and fails.
    let lent = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    lent.try_clone_to_owned()
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped { bytes, .. } => bytes,
        }
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map({} bytes)", self.len())
    }
}
