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
}

impl KvType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::F16, Self::Q8_0, Self::F32];

    /// The block type of its rows.
    #[must_use]
    pub const fn weight_type(self) -> WeightType {
        match self {
            Self::F16 => WeightType::F16,
            Self::Q8_0 => WeightType::Q8_0,
            Self::F32 => WeightType::F32,
        }
    }

    /// `"f16"`, `"q8_0"` or `"f32"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
            Self::F32 => "f32",
        }
    }

    /// Bytes of the whole cache for `n_ctx` tokens, or `None` where a head does not hold whole blocks
    /// of this type, or the size is beyond the address space.
    #[must_use]
    pub fn bytes(self, config: &Config, n_ctx: usize) -> Option<usize> {
        let ty = self.weight_type();
        if !config.head_dim.is_multiple_of(ty.block_len()) {
            return None;
        }
        ty.row_bytes(config.head_dim)
            .checked_mul(n_ctx)?
            .checked_mul(config.n_head_kv)?
            .checked_mul(config.n_layer)?
            .checked_mul(2)
    }
}
