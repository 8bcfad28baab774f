//! Tile registers: permission, configuration, and the one product. The only `unsafe` of this tier;
//! inline assembly, because the intrinsics are not stable.

use core::arch::{
    asm,
    x86_64::{__cpuid_count, __m512i},
};

use crate::block::QK;

/// Vectors of a tile of results.
pub(super) const VECTORS: usize = 16;

/// Results of one tile, vector by row of weights; each vector is one line of the cache, so that no
/// store or load straddles two.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Results(pub [[i32; 16]; VECTORS]);

/// Whether the CPU has tiles with products of bytes, and the system lets this process use them.
#[cfg(target_os = "linux")]
pub(crate) fn is_available() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    const AMX_TILE_AND_INT8: u32 = 0b11 << 24;
    #[allow(unused_unsafe, reason = "safe since Rust 1.94")]
    // SAFETY: this tier's caller has found AVX-512, and CPUs with it have leaf 7.
    let features = unsafe { __cpuid_count(7, 0) }.edx;
    if features & AMX_TILE_AND_INT8 != AMX_TILE_AND_INT8 {
        return false;
    }
    // SAFETY: the call takes two numbers and changes what this process may do, nothing else.
    let refused = unsafe {
        libc::syscall(
            libc::SYS_arch_prctl,
            ARCH_REQ_XCOMP_PERM,
            XFEATURE_XTILEDATA,
        )
    };
    refused == 0
}

/// Elsewhere nothing is known of how to ask.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_available() -> bool {
    false
}

/// The layout that `ldtilecfg` reads.
#[repr(C, align(64))]
pub(in crate::x86_64) struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Config {
    /// Tiles of the shapes `(rows, bytes of a row)`, at most 16 and 64.
    pub(in crate::x86_64) fn new(shapes: &[(usize, usize)]) -> Self {
        let mut config = Self {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        for (i, &(rows, row_bytes)) in shapes.iter().enumerate() {
            config.rows[i] = rows as u8;
            config.row_bytes[i] = row_bytes as u16;
        }
        config
    }
}

/// This thread's tiles while it uses them: 0 the results, 1 the activations, 2 the weights.
pub(super) struct Tiles(());

impl Tiles {
    /// Configures the tiles: 16 vectors and 16 rows of 32 weights.
    #[target_feature(enable = "avx512f")]
    pub(super) fn new() -> Self {
        let config = Config::new(&[(VECTORS, 64), (VECTORS, QK), (QK / 4, 64)]);
        // SAFETY: `is_available` was asked before this tier's table was made; the configuration is 64
        // readable bytes and valid.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly, preserves_flags));
        }
        Self(())
    }

    /// Takes 32 signed bytes of each of sixteen vectors.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn load_vectors(&self, x: &[[i8; QK]; VECTORS]) {
        // SAFETY: the tiles are configured while `self` lives; 16 lines of 32 bytes are the array. No
        // compiled code uses tiles.
        unsafe {
            asm!(
                "tileloadd tmm1, [{x} + {stride}]",
                x = in(reg) x,
                stride = in(reg) QK,
                options(nostack, readonly, preserves_flags),
            );
        }
    }

    /// `out[t][r] = Σ x[t][i] * w[i / 4][r][i % 4]` over 32 signed bytes of the vectors loaded last.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn products(&self, w: &[__m512i; 8], out: &mut Results) {
        // SAFETY: as in `load_vectors`; 8 and 16 lines of 64 bytes are the arrays.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tileloadd tmm2, [{w} + {line}]",
                "tdpbssd tmm0, tmm1, tmm2",
                "tilestored [{out} + {line}], tmm0",
                w = in(reg) w,
                out = in(reg) out,
                line = in(reg) 64_usize,
                options(nostack, preserves_flags),
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
