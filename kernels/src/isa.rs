//! Which sets of instructions there are kernels for, and which of them this CPU runs.

/// A set of instructions that this crate has kernels for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isa {
    /// Portable loops.
    Scalar,
    /// Arm NEON, every aarch64 CPU.
    Neon,
    /// NEON with the dot-product extension (Cortex-A76, Snapdragon 855 and later).
    Dotprod,
    /// NEON with dot products and 8-bit matrix products (Cortex-X2, Cortex-A710 and later).
    I8mm,
    /// x86-64 AVX2 with FMA and F16C.
    Avx2,
    /// AVX2 with VNNI in its 256-bit form: Alder Lake, Zen 5 and later.
    AvxVnni,
    /// x86-64 AVX-512 (F, BW, VL, DQ) with VNNI: Ice Lake, Zen 4 and later.
    Avx512Vnni,
    /// The same with AMX tiles of bytes, on Linux: Sapphire Rapids and later servers.
    Amx,
    /// The same with AMX tiles of bfloat16 for many vectors at a time, which round otherwise than the
    /// definitions do.
    AmxBf16,
}

/// A forced tier that does not exist or that this CPU cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnavailableIsa {
    /// What was asked for.
    pub wanted: String,
    /// The names that would have worked here, best first.
    pub available: Vec<&'static str>,
}

impl std::fmt::Display for UnavailableIsa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = self.available.join(", ");
        write!(
            f,
            "instruction set {:?} is not available here; this CPU has {list}",
            self.wanted
        )
    }
}
impl std::error::Error for UnavailableIsa {}

impl Isa {
    /// Every tier, best first, as far as one can say for all CPUs.
    pub const ALL: [Self; 9] = [
        Self::I8mm,
        Self::Dotprod,
        Self::Neon,
        Self::AmxBf16,
        Self::Amx,
        Self::Avx512Vnni,
        Self::AvxVnni,
        Self::Avx2,
        Self::Scalar,
    ];

    /// The name that `PUNA_ISA` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::Dotprod => "dotprod",
            Self::I8mm => "i8mm",
            Self::Avx2 => "avx2",
            Self::AvxVnni => "avxvnni",
            Self::Avx512Vnni => "avx512vnni",
            Self::Amx => "amx",
            Self::AmxBf16 => "amx-bf16",
        }
    }

    /// Whether every result has the bits of the scalar definitions.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        !matches!(self, Self::AmxBf16)
    }

    /// Whether this CPU runs it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            #[cfg(target_arch = "aarch64")]
            Self::Dotprod => std::arch::is_aarch64_feature_detected!("dotprod"),
            #[cfg(target_arch = "aarch64")]
            Self::I8mm => {
                Self::Dotprod.is_available() && std::arch::is_aarch64_feature_detected!("i8mm")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => Self::Avx2.is_available() && is_x86_feature_detected!("avxvnni"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Amx => Self::Avx512Vnni.is_available() && crate::x86_64::amx::is_available(),
            #[cfg(target_arch = "x86_64")]
            Self::AmxBf16 => Self::Amx.is_available() && crate::x86_64::amx_bf16::is_available(),
            #[allow(unreachable_patterns, reason = "the other architecture's tiers")]
            _ => false,
        }
    }
}
