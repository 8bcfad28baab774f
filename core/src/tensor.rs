//! A matrix of the model, borrowed from the mapped file.

use std::ops::Range;

use puna_kernels::{WeightType, dequantize};

use crate::{
    ggml,
    gguf::{GgmlType, Gguf, TensorInfo},
    model::Backend,
};

/// A matrix of `n_rows` rows of `n_cols` weights, of which only the place in the file is held.
#[derive(Clone, Debug)]
pub struct QMatrix {
    info: TensorInfo,
    reader: Reader,
    n_rows: usize,
    n_cols: usize,
}

/// Who knows what the bytes mean.
#[derive(Clone, Copy, Debug)]
enum Reader {
    Kernels(WeightType),
    Ggml(ggml::Type),
}

impl QMatrix {
    /// The matrix of a tensor, or `None` when the backend has no kernels for its type.
    #[must_use]
    pub fn new(info: &TensorInfo, backend: Backend) -> Option<Self> {
        let reader = match (backend, weight_type(info.ty())) {
            (_, Some(ty)) => Reader::Kernels(ty),
            (Backend::Ggml, None) => Reader::Ggml(ggml::Type::of(info.ty())?),
            (Backend::Puna, None) => return None,
        };
        let n_cols = usize::try_from(info.ne(0)).ok()?;
        let n_rows = usize::try_from(info.n_rows()).ok()?;
        Some(Self {
            info: info.clone(),
            reader,
            n_rows,
            n_cols,
        })
    }

    /// Type of the weights.
    #[must_use]
    pub const fn ty(&self) -> GgmlType {
        self.info.ty()
    }

    /// Type of the weights, if our kernels know it; they know that of every matrix that was made for
    /// [`Backend::Puna`].
    #[must_use]
    pub const fn weight_type(&self) -> Option<WeightType> {
        match self.reader {
            Reader::Kernels(ty) => Some(ty),
            Reader::Ggml(_) => None,
        }
    }

    /// Outputs.
    #[must_use]
    pub const fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Inputs.
    #[must_use]
    pub const fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// The bytes of rows `range`.
    ///
    /// # Panics
    /// If there are no such rows.
    #[must_use]
    pub fn rows<'a>(&self, gguf: &'a Gguf, range: Range<usize>) -> &'a [u8] {
        let row = match self.reader {
            Reader::Kernels(ty) => ty.row_bytes(self.n_cols),
            Reader::Ggml(ty) => ty.row_bytes(self.n_cols),
        };
        &gguf.bytes(&self.info)[range.start * row..range.end * row]
    }

    /// Tells the system that it is wanted soon.
    pub(crate) fn advise_willneed(&self, gguf: &Gguf) {
        gguf.advise_willneed(&self.info);
    }

    /// The matrix as ggml takes it; `None` if there is no memory.
    ///
    /// # Panics
    /// If ggml has no products with its type, which no matrix made for [`Backend::Ggml`] has.
    pub(crate) fn for_ggml(&self, gguf: &Gguf) -> Option<ggml::Matrix> {
        let bytes = self.rows(gguf, 0..self.n_rows);
        ggml::Matrix::new(self.ty(), bytes, self.n_rows, self.n_cols)
    }

    /// Writes the rows `range` as `f32`.
    ///
    /// # Panics
    /// If there are no such rows, or `out` is not as long.
    pub fn dequantize(&self, gguf: &Gguf, range: Range<usize>, out: &mut [f32]) {
        let rows = self.rows(gguf, range);
        match self.reader {
            Reader::Kernels(ty) => dequantize(ty, rows, out),
            Reader::Ggml(ty) => ty.dequantize(rows, out),
        }
    }
}

/// The kernels' name for a type of the file, if they know it.
#[must_use]
pub const fn weight_type(ty: GgmlType) -> Option<WeightType> {
    Some(match ty {
        GgmlType::F32 => WeightType::F32,
        GgmlType::F16 => WeightType::F16,
        GgmlType::BF16 => WeightType::BF16,
        GgmlType::Q4_0 => WeightType::Q4_0,
        GgmlType::Q4_1 => WeightType::Q4_1,
        GgmlType::Q5_0 => WeightType::Q5_0,
        GgmlType::Q5_1 => WeightType::Q5_1,
        GgmlType::Q8_0 => WeightType::Q8_0,
        GgmlType::Q2_K => WeightType::Q2_K,
        GgmlType::Q3_K => WeightType::Q3_K,
        GgmlType::Q4_K => WeightType::Q4_K,
        GgmlType::Q5_K => WeightType::Q5_K,
        GgmlType::Q6_K => WeightType::Q6_K,
        GgmlType::IQ4_NL => WeightType::IQ4_NL,
        GgmlType::IQ4_XS => WeightType::IQ4_XS,
        _ => return None,
    })
}
