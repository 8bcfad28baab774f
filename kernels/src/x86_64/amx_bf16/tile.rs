//! Tile registers of bfloat16: permission, configuration, and the product of four tiles. The only `unsafe`
//! of this tier beside its loads; inline assembly, because the intrinsics are not stable.

use core::arch::{asm, x86_64::__cpuid_count};

use crate::{activations::Line, x86_64::amx::Config};

/// Rows of weights, or vectors, of a tile.
pub(super) const SIDE: usize = 16;
/// Weights of a row in one tile.
pub(super) const DEPTH: usize = 32;

/// A tile: sixteen rows of 32 weights; or sixteen pairs of neighbours of sixteen vectors.
pub(super) type Tile = [Line; SIDE];

/// Sums of 32 rows by 32 vectors: sixteen rows by sixteen vectors, four times, the first rows first.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Sums(pub [[[f32; SIDE]; SIDE]; 4]);

/// Whether the CPU has tiles with products of bfloat16, and the system lets this process use tiles.
pub(crate) fn is_available() -> bool {
    const AMX_BF16: u32 = 1 << 22;
    #[allow(unused_unsafe, reason = "safe since Rust 1.94")]
    // SAFETY: a CPU for which the tier of bytes was found has leaf 7.
    let has = || unsafe { __cpuid_count(7, 0) }.edx & AMX_BF16 != 0;
    is_x86_feature_detected!("avx512bf16") && crate::x86_64::amx::is_available() && has()
}

/// This thread's tiles while it uses them: 0 to 3 the sums, 4 and 5 weights, 6 and 7 vectors.
pub(super) struct Tiles(());

impl Tiles {
    /// Configures the tiles, all of them sixteen lines.
    #[target_feature(enable = "avx512f")]
    pub(super) fn new() -> Self {
        let config = Config::new(&[(SIDE, 64); 8]);
        // SAFETY: `is_available` was asked before this tier's table was made; the configuration is 64
        // readable bytes and valid.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly, preserves_flags));
        }
        Self(())
    }

    /// Adds the products of 32 rows by 32 vectors to `sums`, or sets it where `add` is false.
    ///
    /// # Panics
    /// If the four are not equally many tiles, or none.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn products(
        &self,
        rows: [&[Tile]; 2],
        vectors: [&[Tile]; 2],
        sums: &mut Sums,
        add: bool,
    ) {
        let n = rows[0].len();
        assert!(
            n > 0
                && [rows[1], vectors[0], vectors[1]]
                    .iter()
                    .all(|t| t.len() == n)
        );
        // SAFETY: the tiles are configured while `self` lives; each of the four arrays has `n` tiles of
        // 16 lines of 64 bytes, and `sums` is four such. No compiled code uses tiles.
        unsafe {
            if add {
                asm!(
                    "tileloadd tmm0, [{c} + {line}]",
                    "tileloadd tmm1, [{c} + {line} + 1024]",
                    "tileloadd tmm2, [{c} + {line} + 2048]",
                    "tileloadd tmm3, [{c} + {line} + 3072]",
                    c = in(reg) &raw const *sums,
                    line = in(reg) 64_usize,
                    options(nostack, readonly, preserves_flags),
                );
            } else {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    options(nomem, nostack, preserves_flags),
                );
            }
            asm!(
                "2:",
                "tileloadd tmm4, [{a} + {line}]",
                "tileloadd tmm6, [{x} + {line}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{y} + {line}]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{b} + {line}]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a}, 1024",
                "add {b}, 1024",
                "add {x}, 1024",
                "add {y}, 1024",
                "dec {n}",
                "jnz 2b",
                "tilestored [{c} + {line}], tmm0",
                "tilestored [{c} + {line} + 1024], tmm1",
                "tilestored [{c} + {line} + 2048], tmm2",
                "tilestored [{c} + {line} + 3072], tmm3",
                a = inout(reg) rows[0].as_ptr() => _,
                b = inout(reg) rows[1].as_ptr() => _,
                x = inout(reg) vectors[0].as_ptr() => _,
                y = inout(reg) vectors[1].as_ptr() => _,
                n = inout(reg) n => _,
                c = in(reg) &raw mut *sums,
                line = in(reg) 64_usize,
                options(nostack),
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: gives back what `new` has configured.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) }
    }
}
