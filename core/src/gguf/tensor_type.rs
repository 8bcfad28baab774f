//! The tensor types of ggml: name, number, block length, block bytes.

use std::fmt;

macro_rules! types {
    ($($variant:ident = $number:literal, $name:literal, $len:literal, $bytes:literal, $doc:literal;)*) => {
        /// How a tensor's elements are stored: every type that ggml defines today, whether or not
        /// a kernel can run it.
        ///
        /// A row is a whole number of blocks; a block holds [`block_len`](Self::block_len)
        /// elements in [`block_bytes`](Self::block_bytes) bytes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types, reason = "the names are ggml's")]
        #[non_exhaustive]
        #[repr(u32)]
        pub enum GgmlType {
            $(#[doc = $doc] $variant = $number,)*
        }

        impl GgmlType {
            /// Every type, by number.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The type of a number in the file; `None` if it was removed or never existed.
            #[must_use]
            pub const fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// ggml's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Elements per block.
            #[must_use]
            pub const fn block_len(self) -> usize {
                match self {
                    $(Self::$variant => $len,)*
                }
            }

            /// Bytes per block.
            #[must_use]
            pub const fn block_bytes(self) -> usize {
                match self {
                    $(Self::$variant => $bytes,)*
                }
            }
        }
    };
}

types! {
    F32 = 0, "F32", 1, 4, "IEEE single.";
    F16 = 1, "F16", 1, 2, "IEEE half.";
    Q4_0 = 2, "Q4_0", 32, 18, "4 bits and a scale.";
    Q4_1 = 3, "Q4_1", 32, 20, "4 bits, scale and minimum.";
    Q5_0 = 6, "Q5_0", 32, 22, "5 bits and a scale.";
    Q5_1 = 7, "Q5_1", 32, 24, "5 bits, scale and minimum.";
    Q8_0 = 8, "Q8_0", 32, 34, "8 bits and a scale.";
    Q8_1 = 9, "Q8_1", 32, 36, "8 bits, scale and sum; for activations.";
    Q2_K = 10, "Q2_K", 256, 84, "Super-block of 2 bits.";
    Q3_K = 11, "Q3_K", 256, 110, "Super-block of 3 bits.";
    Q4_K = 12, "Q4_K", 256, 144, "Super-block of 4 bits.";
    Q5_K = 13, "Q5_K", 256, 176, "Super-block of 5 bits.";
    Q6_K = 14, "Q6_K", 256, 210, "Super-block of 6 bits.";
    Q8_K = 15, "Q8_K", 256, 292, "Super-block of 8 bits; for activations.";
    IQ2_XXS = 16, "IQ2_XXS", 256, 66, "Codebook, 2.06 bits.";
    IQ2_XS = 17, "IQ2_XS", 256, 74, "Codebook, 2.31 bits.";
    IQ3_XXS = 18, "IQ3_XXS", 256, 98, "Codebook, 3.06 bits.";
    IQ1_S = 19, "IQ1_S", 256, 50, "Codebook, 1.56 bits.";
    IQ4_NL = 20, "IQ4_NL", 32, 18, "4 bits into a table of 16 values.";
    IQ3_S = 21, "IQ3_S", 256, 110, "Codebook, 3.44 bits.";
    IQ2_S = 22, "IQ2_S", 256, 82, "Codebook, 2.56 bits.";
    IQ4_XS = 23, "IQ4_XS", 256, 136, "Super-block of IQ4_NL.";
    I8 = 24, "I8", 1, 1, "Signed byte.";
    I16 = 25, "I16", 1, 2, "Signed 16 bits.";
    I32 = 26, "I32", 1, 4, "Signed 32 bits.";
    I64 = 27, "I64", 1, 8, "Signed 64 bits.";
    F64 = 28, "F64", 1, 8, "IEEE double.";
    IQ1_M = 29, "IQ1_M", 256, 56, "Codebook, 1.75 bits.";
    BF16 = 30, "BF16", 1, 2, "The upper half of an IEEE single.";
    TQ1_0 = 34, "TQ1_0", 256, 54, "Ternary, 1.69 bits.";
    TQ2_0 = 35, "TQ2_0", 256, 66, "Ternary, 2.06 bits.";
    MXFP4 = 39, "MXFP4", 32, 17, "Microscaling 4-bit floats, one E8M0 scale.";
    NVFP4 = 40, "NVFP4", 64, 36, "4-bit floats, four E4M3 scales.";
    Q1_0 = 41, "Q1_0", 128, 18, "1 bit and a scale.";
    Q2_0 = 42, "Q2_0", 64, 18, "2 bits and a scale.";
}

impl GgmlType {
    /// The number in the file.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The name of a type that ggml once had and removed.
    #[must_use]
    pub const fn removed(number: u32) -> Option<&'static str> {
        Some(match number {
            4 => "Q4_2",
            5 => "Q4_3",
            31 => "Q4_0_4_4",
            32 => "Q4_0_4_8",
            33 => "Q4_0_8_8",
            36 => "IQ4_NL_4_4",
            37 => "IQ4_NL_4_8",
            38 => "IQ4_NL_8_8",
            _ => return None,
        })
    }

    /// Whether ggml has products with matrices of this type: the others are integers, doubles, and what
    /// only activations are.
    #[must_use]
    pub const fn ggml_multiplies(self) -> bool {
        use GgmlType::{F64, I8, I16, I32, I64, Q8_1, Q8_K};
        !matches!(self, I8 | I16 | I32 | I64 | F64 | Q8_1 | Q8_K)
    }

    /// Bytes of `n` elements; `None` if they are not whole blocks or too many to count.
    #[must_use]
    pub const fn bytes_of(self, n: u64) -> Option<u64> {
        let len = self.block_len() as u64;
        if !n.is_multiple_of(len) {
            return None;
        }
        (n / len).checked_mul(self.block_bytes() as u64)
    }
}

impl fmt::Display for GgmlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number, block length and block bytes as ggml's `ggml-common.h` lays the blocks out.
    #[test]
    fn numbers_and_sizes_are_those_of_ggml() {
        let half = 2;
        let k = 256;
        for (ty, number, len, bytes) in [
            (GgmlType::Q4_0, 2, 32, half + 16),
            (GgmlType::Q5_1, 7, 32, 2 * half + 4 + 16),
            (GgmlType::Q8_1, 9, 32, 2 * half + 32),
            (GgmlType::Q2_K, 10, k, 2 * half + k / 16 + k / 4),
            (GgmlType::Q3_K, 11, k, half + k / 4 + k / 8 + 12),
            (GgmlType::Q4_K, 12, k, 2 * half + 12 + k / 2),
            (GgmlType::Q5_K, 13, k, 2 * half + 12 + k / 2 + k / 8),
            (GgmlType::Q6_K, 14, k, half + k / 16 + 3 * k / 4),
            (GgmlType::Q8_K, 15, k, 4 + k + k / 8),
            (GgmlType::IQ2_XXS, 16, k, half + k / 4),
            (GgmlType::IQ2_XS, 17, k, half + k / 4 + k / 32),
            (GgmlType::IQ3_XXS, 18, k, half + 3 * (k / 8)),
            (GgmlType::IQ1_S, 19, k, half + k / 8 + k / 16),
            (GgmlType::IQ4_NL, 20, 32, half + 16),
            (GgmlType::IQ3_S, 21, k, half + 13 * (k / 32) + k / 64),
            (GgmlType::IQ2_S, 22, k, half + k / 4 + k / 16),
            (GgmlType::IQ4_XS, 23, k, half + 2 + k / 64 + k / 2),
            (GgmlType::IQ1_M, 29, k, k / 8 + k / 16 + k / 32),
            (GgmlType::BF16, 30, 1, 2),
            (GgmlType::TQ1_0, 34, k, half + k / 64 + (k - 4 * k / 64) / 5),
            (GgmlType::TQ2_0, 35, k, half + k / 4),
            (GgmlType::MXFP4, 39, 32, 1 + 16),
            (GgmlType::NVFP4, 40, 64, 4 + 32),
        ] {
            assert_eq!(
                (ty.number(), ty.block_len(), ty.block_bytes()),
                (number, len, bytes),
                "{ty}"
            );
        }
    }

    #[test]
    fn a_number_is_a_type_or_was_removed_or_never_was() {
        assert_eq!(GgmlType::ALL.len(), 35);
        for number in 0..=100 {
            let ty = GgmlType::from_number(number);
            assert!(ty.is_none_or(|ty| ty.number() == number));
            let known = ty.is_some() || GgmlType::removed(number).is_some();
            assert_eq!(known, number <= 42, "{number}");
            assert!(ty.is_none() || GgmlType::removed(number).is_none());
        }
    }

    #[test]
    fn bytes_are_counted_in_whole_blocks() {
        assert_eq!(GgmlType::Q6_K.bytes_of(512), Some(420));
        assert_eq!(GgmlType::Q6_K.bytes_of(500), None);
        assert_eq!(GgmlType::F64.bytes_of(1 << 61), None);
    }
}
