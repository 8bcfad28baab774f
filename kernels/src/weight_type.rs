//! The weight types that have kernels.

use crate::{
    activations::ActType,
    block::{
        BlockF16, BlockF32, BlockIq4Nl, BlockIq4Xs, BlockQ2K, BlockQ3K, BlockQ4_0, BlockQ4_1,
        BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0,
    },
};

/// A weight type that this crate computes with, by its GGUF name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "GGUF's own spelling")]
#[repr(u8)]
pub enum WeightType {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    BF16,
    /// 4 bits, one scale per 32.
    Q4_0,
    /// 4 bits, one scale and one minimum per 32.
    Q4_1,
    /// 5 bits, one scale per 32.
    Q5_0,
    /// 5 bits, one scale and one minimum per 32.
    Q5_1,
    /// 8 bits, one scale per 32.
    Q8_0,
    /// 2 bits, super-block of 256 with 16 4-bit scales and minimums.
    Q2_K,
    /// 3 bits, super-block of 256 with 16 6-bit scales.
    Q3_K,
    /// 4 bits, super-block of 256 with 8 6-bit scales and minimums.
    Q4_K,
    /// 5 bits, super-block of 256 with 8 6-bit scales and minimums.
    Q5_K,
    /// 6 bits, super-block of 256 with 16 8-bit scales.
    Q6_K,
    /// 4-bit index into 16 uneven levels, one scale per 32.
    IQ4_NL,
    /// The levels of `IQ4_NL`, super-block of 256 with 8 6-bit scales.
    IQ4_XS,
}

impl WeightType {
    /// Every type, in the order of the enum.
    pub const ALL: [Self; 15] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q2_K,
        Self::Q3_K,
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
        Self::IQ4_NL,
        Self::IQ4_XS,
    ];

    /// GGUF's name, such as `"Q4_0"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q2_K => "Q2_K",
            Self::Q3_K => "Q3_K",
            Self::Q4_K => "Q4_K",
            Self::Q5_K => "Q5_K",
            Self::Q6_K => "Q6_K",
            Self::IQ4_NL => "IQ4_NL",
            Self::IQ4_XS => "IQ4_XS",
        }
    }

    /// Weights per block: 1, 32 or 256.
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 | Self::IQ4_NL => 32,
            Self::Q2_K | Self::Q3_K | Self::Q4_K | Self::Q5_K | Self::Q6_K | Self::IQ4_XS => 256,
        }
    }

    /// Bytes per block.
    #[must_use]
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => size_of::<BlockF32>(),
            Self::F16 | Self::BF16 => size_of::<BlockF16>(),
            Self::Q4_0 => size_of::<BlockQ4_0>(),
            Self::Q4_1 => size_of::<BlockQ4_1>(),
            Self::Q5_0 => size_of::<BlockQ5_0>(),
            Self::Q5_1 => size_of::<BlockQ5_1>(),
            Self::Q8_0 => size_of::<BlockQ8_0>(),
            Self::Q2_K => size_of::<BlockQ2K>(),
            Self::Q3_K => size_of::<BlockQ3K>(),
            Self::Q4_K => size_of::<BlockQ4K>(),
            Self::Q5_K => size_of::<BlockQ5K>(),
            Self::Q6_K => size_of::<BlockQ6K>(),
            Self::IQ4_NL => size_of::<BlockIq4Nl>(),
            Self::IQ4_XS => size_of::<BlockIq4Xs>(),
        }
    }

    /// Bytes of a row of `k` weights.
    ///
    /// # Panics
    /// If `k` is not a multiple of [`block_len`](Self::block_len).
    #[must_use]
    pub const fn row_bytes(self, k: usize) -> usize {
        assert!(
            k.is_multiple_of(self.block_len()),
            "a row must hold whole blocks"
        );
        k / self.block_len() * self.block_bytes()
    }

    /// The form in which activations meet this type, as in ggml: `Q8_0` for symmetric blocks of
    /// 32, `Q8_1` for those with a minimum, `Q8_K` for super-blocks, plain `f32` for floats.
    #[must_use]
    pub const fn act_type(self) -> ActType {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => ActType::F32,
            Self::Q4_0 | Self::Q5_0 | Self::Q8_0 | Self::IQ4_NL => ActType::Q8_0,
            Self::Q4_1 | Self::Q5_1 => ActType::Q8_1,
            Self::Q2_K | Self::Q3_K | Self::Q4_K | Self::Q5_K | Self::Q6_K | Self::IQ4_XS => {
                ActType::Q8_K
            }
        }
    }
}

impl std::fmt::Display for WeightType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
