//! Files written byte by byte, so that any field can lie.

use puna_core::gguf::ValueType;

/// Byte offset of the first key, or of the first tensor's name in a file without keys.
pub(super) const FIRST: usize = 24;

/// A file written byte by byte, so that any field of it can lie.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) version: u32,
    pub(super) n_tensors: u64,
    pub(super) n_kv: u64,
    pub(super) pairs: Vec<u8>,
    pub(super) tensors: Vec<u8>,
    pub(super) alignment: usize,
    pub(super) data: Vec<u8>,
}

impl Raw {
    pub(super) const fn new() -> Self {
        Self {
            version: 3,
            n_tensors: 0,
            n_kv: 0,
            pairs: Vec::new(),
            tensors: Vec::new(),
            alignment: 32,
            data: Vec::new(),
        }
    }

    pub(super) fn pair(mut self, key: &[u8], ty: u32, value: &[u8]) -> Self {
        self.n_kv += 1;
        self.pairs.extend(string(key));
        self.pairs.extend(ty.to_le_bytes());
        self.pairs.extend(value);
        self
    }

    pub(super) fn tensor(mut self, name: &[u8], dims: &[u64], ty: u32, offset: u64) -> Self {
        self.n_tensors += 1;
        self.tensors.extend(string(name));
        self.tensors.extend((dims.len() as u32).to_le_bytes());
        dims.iter()
            .for_each(|ne| self.tensors.extend(ne.to_le_bytes()));
        self.tensors.extend(ty.to_le_bytes());
        self.tensors.extend(offset.to_le_bytes());
        self
    }

    pub(super) fn data(mut self, len: usize) -> Self {
        self.data = vec![1; len];
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(self.version.to_le_bytes());
        file.extend(self.n_tensors.to_le_bytes());
        file.extend(self.n_kv.to_le_bytes());
        file.extend(&self.pairs);
        file.extend(&self.tensors);
        if self.n_tensors > 0 {
            file.resize(file.len().next_multiple_of(self.alignment), 0);
        }
        file.extend(&self.data);
        file
    }
}

pub(super) fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

pub(super) fn array(of: ValueType, n: u64, elements: &[u8]) -> Vec<u8> {
    [&(of as u32).to_le_bytes()[..], &n.to_le_bytes(), elements].concat()
}

/// A file with one metadata pair, whose key is at byte [`KEY`].
pub(super) fn with_pair(key: &[u8], ty: ValueType, value: &[u8]) -> Vec<u8> {
    Raw::new().pair(key, ty as u32, value).bytes()
}

/// A file with one tensor and `data` bytes of data.
pub(super) fn with_tensor(name: &[u8], dims: &[u64], ty: u32, offset: u64, data: usize) -> Vec<u8> {
    Raw::new().tensor(name, dims, ty, offset).data(data).bytes()
}
