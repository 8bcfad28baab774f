//! Hashes and room.

use std::{fs::File, io::Read, path::Path};

use sha2::{Digest, Sha256};

use super::StoreError;

/// Bytes that are read at a time.
pub(super) const CHUNK: usize = 1 << 20;

/// The SHA-256 of a file, in hex.
///
/// # Errors
/// [`StoreError::Io`].
pub fn sha256(path: &Path) -> Result<String, StoreError> {
    let mut hash = Sha256::new();
    let mut file = File::open(path).map_err(StoreError::at(path))?;
    feed(&mut hash, &mut file).map_err(StoreError::at(path))?;
    Ok(hex(hash))
}

/// Hashes what is left of `file`; returns its bytes.
pub(super) fn feed(hash: &mut Sha256, file: &mut File) -> std::io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut chunk)?;
        if n == 0 {
            return Ok(bytes);
        }
        hash.update(&chunk[..n]);
        bytes += n as u64;
    }
}

/// A finished hash, in hex.
pub(super) fn hex(hash: Sha256) -> String {
    let digits = hash.finalize();
    digits.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that may still be written to `folder`'s disk; `None` where the system does not say.
#[must_use]
#[cfg(unix)]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// Bytes that may still be written to `folder`'s disk; `None` where the system does not say.
#[must_use]
#[cfg(not(unix))]
pub fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}
