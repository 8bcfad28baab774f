//! The backend "ggml" in a build without it: types of which there are no values.

use crate::gguf::GgmlType;

/// A type that ggml multiplies with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Type {}

impl Type {
    /// Whether this build has ggml.
    pub const AVAILABLE: bool = false;

    /// None.
    pub const fn of(_: GgmlType) -> Option<Self> {
        None
    }

    /// Nobody can call this.
    pub fn row_bytes(self, _: usize) -> usize {
        match self {}
    }

    /// As above.
    pub fn dequantize(self, _: &[u8], _: &mut [f32]) {
        match self {}
    }
}

/// A matrix of the model as ggml multiplies with it.
#[derive(Clone, Debug)]
pub(crate) enum Matrix {}

impl Matrix {
    /// None.
    pub const fn new(_: GgmlType, _: &[u8], _: usize, _: usize) -> Option<Self> {
        None
    }

    /// Nobody can call this.
    pub fn bytes(&self) -> usize {
        match *self {}
    }
}

/// ggml's threads.
#[derive(Debug)]
pub(crate) enum Engine {}

impl Engine {
    /// None: a model with this backend is an error before there is a session.
    pub fn new(_: usize) -> Self {
        unreachable!("no model has this backend")
    }

    /// Nobody can call this.
    pub fn products(&self, _: &[f32], _: Vec<(&Matrix, &[u8], &mut [f32])>) {
        match *self {}
    }
}
