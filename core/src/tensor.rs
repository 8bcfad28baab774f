//! A matrix of the model, borrowed from the mapped file.

use std::ops::Range;

use puna_kernels::WeightType;

use crate::gguf::{GgmlType, Gguf, TensorInfo};

/// A matrix of `n_rows` rows of `n_cols` weights, of which only the place in the file is held.
#[derive(Clone, Debug)]
pub struct QMatrix {
    info: TensorInfo,
    ty: WeightType,
    n_rows: usize,
    n_cols: usize,
}

impl QMatrix {
    /// The matrix of a tensor, or `None` when its type has no kernels here.
    #[must_use]
    pub fn new(info: &TensorInfo) -> Option<Self> {
        let ty = weight_type(info.ty())?;
        let n_cols = usize::try_from(info.ne(0)).ok()?;
        let n_rows = usize::try_from(info.n_rows()).ok()?;
        Some(Self {
            info: info.clone(),
            ty,
            n_rows,
            n_cols,
        })
    }

    /// Type of the weights.
    #[must_use]
    pub const fn ty(&self) -> WeightType {
        self.ty
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
        let row = self.ty.row_bytes(self.n_cols);
        &gguf.bytes(&self.info)[range.start * row..range.end * row]
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
