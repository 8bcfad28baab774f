//! How numbers are stored.

use puna_kernels::WeightType;

use crate::model::Config;

/// How the cache stores its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KvType {
    /// Half precision: 2 bytes.
    #[default]
    F16,
    /// 8 bits and a scale per 32: 1.0625 bytes.
    Q8_0,
    /// Single precision: 4 bytes.
    F32,
    /// 4 bits and a scale per 32, of heads that a Hadamard matrix has mixed: 0.5625 bytes.
    Q4_0,
}

impl KvType {
    /// Every type.
    pub const ALL: [Self; 4] = [Self::F16, Self::Q8_0, Self::F32, Self::Q4_0];

    /// The block type of its rows.
    #[must_use]
    pub const fn weight_type(self) -> WeightType {
        match self {
            Self::F16 => WeightType::F16,
            Self::Q8_0 => WeightType::Q8_0,
            Self::F32 => WeightType::F32,
            Self::Q4_0 => WeightType::Q4_0,
        }
    }

    /// `"f16"`, `"q8_0"`, `"f32"` or `"q4_0"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
            Self::F32 => "f32",
            Self::Q4_0 => "q4_0",
        }
    }

    /// Whether keys and values are stored times a Hadamard matrix.
    ///
    /// It spreads what single dimensions stand out by over all of a head, so that the largest of 32 numbers, which
    /// their scale follows, is not much larger than the others. It is orthogonal: a query that is multiplied by
    /// it, too, meets the keys with the same products.
    pub(crate) const fn is_mixed(self) -> bool {
        matches!(self, Self::Q4_0)
    }

    /// Whether heads of this width can be stored.
    #[must_use]
    pub const fn takes(self, head_dim: usize) -> bool {
        let blocks = head_dim.is_multiple_of(self.weight_type().block_len());
        blocks && (!self.is_mixed() || head_dim.is_power_of_two())
    }

    /// The widths of heads that can be stored.
    pub(crate) const fn widths(self) -> &'static str {
        match self {
            Self::F16 | Self::F32 => "any width",
            Self::Q8_0 => "a multiple of 32",
            Self::Q4_0 => "a power of two from 32 on",
        }
    }

    /// Bytes of the whole cache for `n_ctx` tokens, or `None` where a head does not hold whole blocks
    /// of this type, or the size is beyond the address space.
    #[must_use]
    pub fn bytes(self, config: &Config, n_ctx: usize) -> Option<usize> {
        let ty = self.weight_type();
        if !self.takes(config.head_dim) {
            return None;
        }
        ty.row_bytes(config.head_dim)
            .checked_mul(n_ctx)?
            .checked_mul(config.n_head_kv)?
            .checked_mul(config.n_layer)?
            .checked_mul(2)
    }
}
