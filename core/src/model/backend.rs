//! Who multiplies matrices.

use crate::ggml;

/// What computes the products of a model's matrices. Everything else is always computed here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// Our own kernels: the same bits on every tier, thread count and batch size.
    #[default]
    Puna,
    /// ggml's, for every type that it has. Only in a build with the feature `ggml`, which compiles C++.
    Ggml,
}

impl Backend {
    /// Every backend.
    pub const ALL: [Self; 2] = [Self::Puna, Self::Ggml];

    /// Its name: `"puna"` or `"ggml"`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Puna => "puna",
            Self::Ggml => "ggml",
        }
    }

    /// Whether this build has it.
    #[must_use]
    pub const fn is_available(self) -> bool {
        match self {
            Self::Puna => true,
            Self::Ggml => ggml::Type::AVAILABLE,
        }
    }
}
