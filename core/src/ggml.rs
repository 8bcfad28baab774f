//! The backend "ggml": matrix products by ggml's kernels, in C++. Only a build with feature `ggml` or
//! `ggml-system` has it; `no_ggml.rs` stands here in all others.

use std::sync::{Arc, Mutex, PoisonError};

use puna_ggml_sys as sys;

use crate::gguf::GgmlType;

/// A type that ggml multiplies with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type(sys::Type);

impl Type {
    /// Whether this build has ggml.
    pub const AVAILABLE: bool = true;

    /// ggml's type, if it has products with it.
    pub fn of(ty: GgmlType) -> Option<Self> {
        let ty = sys::Type::from_number(ty.number())?;
        ty.act_type().map(|_| Self(ty))
    }

    /// Bytes of a row of `k` weights.
    pub fn row_bytes(self, k: usize) -> usize {
        self.0.row_bytes(k)
    }

    /// Writes rows of this type as `f32`.
    ///
    /// # Panics
    /// If the lengths do not agree, or for `F32`, which is not ggml's alone.
    pub fn dequantize(self, w: &[u8], out: &mut [f32]) {
        let name = self.0.name();
        assert!(self.0.dequantize(w, out), "ggml dequantizes {name}");
    }
}

/// A matrix of the model as ggml multiplies with it; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    ty: sys::Type,
    rows: usize,
    k: usize,
    /// A copy, where ggml rearranges weights of this type, or where the file's are not aligned.
    kept: Option<Arc<sys::Weights<'static>>>,
}

impl Matrix {
    /// Prepares `rows` rows of `k` weights of type `ty`; `None` if there is no memory.
    ///
    /// # Panics
    /// If the lengths do not agree, or ggml does not multiply with the type.
    pub fn new(ty: GgmlType, bytes: &[u8], rows: usize, k: usize) -> Option<Self> {
        let Type(ty) = Type::of(ty).expect("a type of ggml's");
        let kept = match sys::Weights::in_place(ty, bytes, rows, k) {
            Some(_) => None,
            None => Some(Arc::new(sys::Weights::new(ty, bytes, rows, k)?)),
        };
        Some(Self { ty, rows, k, kept })
    }

    /// Bytes of the copy, if there is one.
    pub fn bytes(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.bytes())
    }
}

/// ggml's threads, which one session has.
#[derive(Debug)]
pub(crate) struct Engine(Mutex<sys::Engine>);

impl Engine {
    /// An engine of `n_threads` threads, the caller's included.
    pub fn new(n_threads: usize) -> Self {
        Self(Mutex::new(sys::Engine::new(n_threads)))
    }

    /// `y = W x` for each of `outs`, a matrix, its bytes in the file, and `y`.
    ///
    /// # Panics
    /// If the shapes do not agree, or ggml could not compute.
    pub fn products(&self, x: &[f32], outs: Vec<(&Matrix, &[u8], &mut [f32])>) {
        let borrowed = outs.iter().map(|(m, bytes, _)| {
            let in_place = || sys::Weights::borrowed(m.ty, bytes, m.rows, m.k);
            m.kept.is_none().then(in_place)
        });
        let borrowed: Vec<_> = borrowed.collect();
        let outs = outs.into_iter().zip(&borrowed);
        let outs = outs.map(|((m, _, y), borrowed)| {
            let kept = m.kept.as_deref();
            let weights = borrowed.as_ref().or(kept).expect("one of the two");
            (weights, y)
        });
        let mut outs: Vec<_> = outs.collect();
        let mut engine = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        engine.products(x, &mut outs);
    }
}
