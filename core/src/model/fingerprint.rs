//! What tells one model from another.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::gguf::Gguf;

/// Bytes that are taken from the middle of each tensor.
const SAMPLE: usize = 64;

/// SHA-256 over all metadata, the descriptions of all tensors, and 64 bytes from the middle of each tensor.
///
/// It reads the header and one page a tensor, not the weights: some milliseconds. Training on changes weights
/// everywhere, so another model of the same shape has other samples. A file in which somebody
/// changes single weights by hand may keep its fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a model's files.
    pub(super) fn of(gguf: &Gguf) -> Self {
        let mut hash = Sha256::new();
        for header in gguf.headers() {
            hash.update((header.len() as u64).to_le_bytes());
            hash.update(header);
        }
        for tensor in gguf.tensors() {
            let bytes = gguf.bytes(tensor);
            let n = bytes.len().min(SAMPLE);
            hash.update(&bytes[(bytes.len() - n) / 2..][..n]);
        }
        Self(hash.finalize().into())
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}
