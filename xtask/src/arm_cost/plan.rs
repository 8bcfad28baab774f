//! What is measured: tiers, their peers, CPU models, and the one size of matrix.

use crate::apt::Package;

/// A kind of machine: what we run on it, how ggml is built for it, and the models that have it.
pub struct Tier {
    /// The name in the table.
    pub name: &'static str,
    /// Our tier that such a machine runs.
    pub ours: &'static str,
    /// clang's `-march` for ggml.
    pub march: &'static str,
    /// CPU models of llvm-mca.
    pub cores: &'static [&'static str],
}

/// A new tier is one line.
#[rustfmt::skip]
pub const TIERS: [Tier; 3] = [
    Tier { name: "neon", ours: "neon", march: "armv8-a", cores: &["neoverse-v2", "neoverse-n2", "neoverse-n1"] },
    Tier { name: "dotprod", ours: "dotprod", march: "armv8.2-a+dotprod", cores: &["neoverse-v2", "neoverse-n2", "neoverse-n1"] },
    Tier { name: "i8mm", ours: "i8mm", march: "armv8.2-a+dotprod+i8mm", cores: &["neoverse-v2", "neoverse-n2"] },
];

/// Rows of the matrix: what one thread takes at a time in a model.
pub const ROWS: u64 = 64;
/// Weights of a row.
pub const K: u64 = 4096;
/// Weights that all figures are for.
pub const BLOCK: u64 = 32;

/// A matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// One vector.
    Gemv,
    /// Several.
    Gemm,
    /// As many as a long prompt has: unpacking the weights hardly counts. Only of [`WIDE`] types.
    Wide,
}

/// Types whose product with many vectors is measured too: those of which ggml has a repacked form and
/// that most models have.
const WIDE: [&str; 3] = ["Q4_0", "Q8_0", "Q4_K"];

impl Op {
    pub const ALL: [Self; 3] = [Self::Gemv, Self::Gemm, Self::Wide];
    /// Those whose instructions are guarded.
    pub const GUARDED: [Self; 2] = [Self::Gemv, Self::Gemm];

    /// Whether it is measured for a type.
    pub fn takes(self, ty: &str) -> bool {
        self != Self::Wide || WIDE.contains(&ty)
    }

    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gemv => "gemv",
            Self::Gemm => "gemm",
            Self::Wide => "gemm512",
        }
    }

    /// Vectors that meet the matrix.
    pub const fn vectors(self) -> u64 {
        match self {
            Self::Gemv => 1,
            Self::Gemm => 64,
            Self::Wide => 512,
        }
    }

    /// How often a block of 32 weights meets a vector.
    pub const fn blocks(self) -> u64 {
        ROWS * K / BLOCK * self.vectors()
    }

    /// The sizes as the guests take them: rows, weights a row, vectors.
    pub fn sizes(self) -> [String; 3] {
        [ROWS, K, self.vectors()].map(|n| n.to_string())
    }

    /// ggml's ways to compute it, that which it prefers first. Repacked is how llama.cpp lays weights
    /// out where it can; `sgemm` is llamafile's product, which ggml carries.
    pub const fn forms(self) -> &'static [&'static str] {
        match self {
            Self::Gemv => &["repacked", "vec_dot"],
            Self::Gemm | Self::Wide => &["repacked", "sgemm", "vec_dot"],
        }
    }
}

/// What building ggml and asking for cycles needs, beside what every ARM leg does.
pub const TOOLS: [Package; 3] = [
    Package {
        name: "g++-aarch64-linux-gnu",
        shows: "aarch64-linux-gnu-g++",
    },
    Package {
        name: "clang-19",
        shows: "clang++-19",
    },
    Package {
        name: "llvm-22",
        shows: "llvm-mca-22",
    },
];
