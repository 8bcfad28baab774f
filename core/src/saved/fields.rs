//! Numbers and texts in the bytes of a section.

use byteorder::{ByteOrder, LittleEndian};

use super::StateError;
use crate::{
    kv_cache::KvType,
    model::{Fingerprint, Model},
    sampler::SamplerState,
    tokenizer::TokenId,
};

/// Bytes in the making.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A number that a context, or the memory, has bounded.
    pub fn count(&mut self, value: usize) {
        self.u32(u32::try_from(value).expect("a count below 2^32"));
    }

    pub fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    pub fn tokens(&mut self, tokens: &[TokenId]) {
        tokens.iter().for_each(|token| self.u32(token.0));
    }
}

/// A position in bytes whose checksum was right.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], StateError> {
        let what = "a part is shorter than it says";
        let (taken, rest) = self
            .0
            .split_at_checked(n)
            .ok_or(StateError::Corrupt { what })?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn u8(&mut self) -> Result<u8, StateError> {
        Ok(self.take(1)?[0])
    }

    pub fn u32(&mut self) -> Result<u32, StateError> {
        self.take(4).map(LittleEndian::read_u32)
    }

    pub fn u64(&mut self) -> Result<u64, StateError> {
        self.take(8).map(LittleEndian::read_u64)
    }

    pub fn count(&mut self) -> Result<usize, StateError> {
        Ok(self.u32()? as usize)
    }

    pub fn text(&mut self) -> Result<&'a str, StateError> {
        let n = self.count()?;
        let what = "a text is not UTF-8";
        str::from_utf8(self.take(n)?).map_err(|_| StateError::Corrupt { what })
    }

    /// `n` tokens of a vocabulary of `n_vocab`.
    pub fn tokens(&mut self, n: usize, n_vocab: usize) -> Result<Vec<TokenId>, StateError> {
        let what = "more tokens than there is room for";
        let bytes = n.checked_mul(4).ok_or(StateError::Corrupt { what })?;
        let ids = self
            .take(bytes)?
            .chunks_exact(4)
            .map(LittleEndian::read_u32);
        ids.map(|id| token(id, n_vocab)).collect()
    }

    /// Nothing must be left.
    pub fn end(self) -> Result<(), StateError> {
        let what = "a part is longer than it says";
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(StateError::Corrupt { what })
        }
    }
}

/// The token `id` of a vocabulary of `n_vocab`.
pub(crate) fn token(id: u32, n_vocab: usize) -> Result<TokenId, StateError> {
    let what = "a token is not in the vocabulary";
    if (id as usize) < n_vocab {
        Ok(TokenId(id))
    } else {
        Err(StateError::Corrupt { what })
    }
}

/// Bytes of [`identity`].
pub(crate) const IDENTITY: usize = 40;

/// Which model rows of the cache belong to, and how they are stored.
pub(crate) fn identity(model: &Model, kv: KvType) -> [u8; IDENTITY] {
    let mut bytes = [0; IDENTITY];
    let (fingerprint, name) = bytes.split_at_mut(32);
    fingerprint.copy_from_slice(model.fingerprint().as_bytes());
    name[..kv.name().len()].copy_from_slice(kv.name().as_bytes());
    bytes
}

/// Refuses the [`identity`] of another model, or of another type than `wanted`.
pub(crate) fn check_identity(
    bytes: &[u8],
    model: &Model,
    wanted: KvType,
) -> Result<(), StateError> {
    let fingerprint: Fingerprint = model.fingerprint();
    let what = "a model's identity has another length";
    let (had, name) = bytes
        .split_at_checked(32)
        .ok_or(StateError::Corrupt { what })?;
    if had != fingerprint.as_bytes() {
        return Err(StateError::OtherModel);
    }
    let what = "an unknown type of cache";
    let is = |kv: &KvType| identity(model, *kv)[32..] == *name;
    let had = KvType::ALL
        .into_iter()
        .find(is)
        .ok_or(StateError::Corrupt { what })?;
    if had == wanted {
        Ok(())
    } else {
        Err(StateError::KvType {
            had: had.name(),
            wanted: wanted.name(),
        })
    }
}

/// A sampler's memory.
pub(crate) fn write_sampler(state: &SamplerState) -> Vec<u8> {
    let mut out = Writer::default();
    out.u64(state.rng);
    out.u64(state.mu.to_bits());
    out.tokens(&state.history);
    out.0
}

/// The way back from [`write_sampler`].
pub(crate) fn read_sampler(bytes: &[u8], n_vocab: usize) -> Result<SamplerState, StateError> {
    let mut fields = Reader(bytes);
    let (rng, mu) = (fields.u64()?, f64::from_bits(fields.u64()?));
    let history = fields.tokens(fields.0.len() / 4, n_vocab)?;
    fields.end()?;
    let what = "a sampler's number is not finite";
    if mu.is_finite() {
        Ok(SamplerState { rng, mu, history })
    } else {
        Err(StateError::Corrupt { what })
    }
}
