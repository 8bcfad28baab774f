//! How many products of bytes the CPU makes at most: its best instruction on registers alone, in loops
//! that touch no memory. Inline assembly, so that the compiler cannot leave any of it out.

use super::together::best_rate;
use std::arch::asm;

/// The instruction, and what it does in a second on `threads` threads, in multiply-adds of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    pub instruction: &'static str,
    pub macs: f64,
}

/// A loop of this many rounds.
type Loop = fn(rounds: u64);

/// The best loop of this CPU: its name, multiply-adds in a round, the loop.
struct Best(&'static str, f64, Loop);

/// The peak of this CPU; `None` where no loop is known for it.
pub fn int8_peak(threads: usize) -> Option<Peak> {
    const ROUNDS: u64 = 20_000;
    let Best(instruction, macs, run) = best()?;
    let macs = best_rate(threads, |_| {
        run(ROUNDS);
        ROUNDS as f64 * macs
    });
    Some(Peak { instruction, macs })
}

#[cfg(target_arch = "x86_64")]
fn best() -> Option<Best> {
    use puna_kernels::Isa;
    let tile = 16.0 * 16.0 * 64.0;
    if Isa::Amx.is_available() {
        Some(Best("tdpbssd", 8.0 * tile, tiles))
    } else if Isa::Avx512Vnni.is_available() {
        Some(Best("vpdpbusd zmm", 12.0 * 64.0, vnni))
    } else if Isa::Avx2.is_available() {
        let name = "vpmaddubsw, vpmaddwd, vpaddd ymm";
        Some(Best(name, 8.0 * 32.0, maddubs))
    } else {
        None
    }
}

/// Four tiles of sums, each product of two and two tiles of bytes, twice.
#[cfg(target_arch = "x86_64")]
fn tiles(rounds: u64) {
    #[repr(align(64))]
    struct Lines<const N: usize>([u8; N]);
    let mut config = Lines([0; 64]);
    config.0[0] = 1;
    for tile in 0..8 {
        config.0[16 + 2 * tile] = 64;
        config.0[48 + tile] = 16;
    }
    let bytes = Lines::<1024>(std::array::from_fn(|i| i as u8));
    // SAFETY: called only where `Isa::Amx` is available, so the system has given the tiles; the
    // configuration is valid and 64 bytes, tiles are loaded from 1024 bytes; no compiled code uses tiles,
    // and this thread gives them back.
    unsafe {
        asm!(
            "ldtilecfg [{config}]",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "tileloadd tmm4, [{bytes} + {line}]",
            "tileloadd tmm5, [{bytes} + {line}]",
            "tileloadd tmm6, [{bytes} + {line}]",
            "tileloadd tmm7, [{bytes} + {line}]",
            "2:",
            "tdpbssd tmm0, tmm4, tmm6",
            "tdpbssd tmm1, tmm4, tmm7",
            "tdpbssd tmm2, tmm5, tmm6",
            "tdpbssd tmm3, tmm5, tmm7",
            "tdpbssd tmm0, tmm4, tmm6",
            "tdpbssd tmm1, tmm4, tmm7",
            "tdpbssd tmm2, tmm5, tmm6",
            "tdpbssd tmm3, tmm5, tmm7",
            "dec {rounds}",
            "jnz 2b",
            "tilerelease",
            config = in(reg) &raw const config,
            bytes = in(reg) &raw const bytes,
            line = in(reg) 64_usize,
            rounds = inout(reg) rounds => _,
            options(nostack, readonly),
        );
    }
}

/// Twelve sums, each with a product.
#[cfg(target_arch = "x86_64")]
fn vnni(rounds: u64) {
    // SAFETY: called only where `Isa::Avx512Vnni` is available; touches only the registers that it names.
    unsafe {
        asm!(
            "2:",
            "vpdpbusd zmm0, zmm12, zmm13",
            "vpdpbusd zmm1, zmm12, zmm13",
            "vpdpbusd zmm2, zmm12, zmm13",
            "vpdpbusd zmm3, zmm12, zmm13",
            "vpdpbusd zmm4, zmm12, zmm13",
            "vpdpbusd zmm5, zmm12, zmm13",
            "vpdpbusd zmm6, zmm12, zmm13",
            "vpdpbusd zmm7, zmm12, zmm13",
            "vpdpbusd zmm8, zmm12, zmm13",
            "vpdpbusd zmm9, zmm12, zmm13",
            "vpdpbusd zmm10, zmm12, zmm13",
            "vpdpbusd zmm11, zmm12, zmm13",
            "dec {rounds}",
            "jnz 2b",
            "vzeroupper",
            rounds = inout(reg) rounds => _,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            options(nomem, nostack),
        );
    }
}

/// Eight products, widened twice and added to four sums.
#[cfg(target_arch = "x86_64")]
fn maddubs(rounds: u64) {
    // SAFETY: called only where `Isa::Avx2` is available; touches only the registers that it names.
    unsafe {
        asm!(
            "2:",
            "vpmaddubsw ymm4, ymm12, ymm13",
            "vpmaddubsw ymm5, ymm12, ymm13",
            "vpmaddubsw ymm6, ymm12, ymm13",
            "vpmaddubsw ymm7, ymm12, ymm13",
            "vpmaddwd ymm4, ymm4, ymm14",
            "vpmaddwd ymm5, ymm5, ymm14",
            "vpmaddwd ymm6, ymm6, ymm14",
            "vpmaddwd ymm7, ymm7, ymm14",
            "vpaddd ymm0, ymm0, ymm4",
            "vpaddd ymm1, ymm1, ymm5",
            "vpaddd ymm2, ymm2, ymm6",
            "vpaddd ymm3, ymm3, ymm7",
            "vpmaddubsw ymm8, ymm12, ymm13",
            "vpmaddubsw ymm9, ymm12, ymm13",
            "vpmaddubsw ymm10, ymm12, ymm13",
            "vpmaddubsw ymm11, ymm12, ymm13",
            "vpmaddwd ymm8, ymm8, ymm14",
            "vpmaddwd ymm9, ymm9, ymm14",
            "vpmaddwd ymm10, ymm10, ymm14",
            "vpmaddwd ymm11, ymm11, ymm14",
            "vpaddd ymm0, ymm0, ymm8",
            "vpaddd ymm1, ymm1, ymm9",
            "vpaddd ymm2, ymm2, ymm10",
            "vpaddd ymm3, ymm3, ymm11",
            "dec {rounds}",
            "jnz 2b",
            "vzeroupper",
            rounds = inout(reg) rounds => _,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            options(nomem, nostack),
        );
    }
}

#[cfg(target_arch = "aarch64")]
fn best() -> Option<Best> {
    if std::arch::is_aarch64_feature_detected!("i8mm") {
        Some(Best("smmla", 12.0 * 32.0, smmla))
    } else if std::arch::is_aarch64_feature_detected!("dotprod") {
        Some(Best("sdot", 12.0 * 16.0, sdot))
    } else {
        None
    }
}

/// Twelve sums, each with a product of this instruction.
#[cfg(target_arch = "aarch64")]
macro_rules! twelve {
    ($rounds:expr, $extension:literal, $instruction:literal) => {
        asm!(
            concat!(".arch_extension ", $extension),
            "2:",
            concat!($instruction, " v0.4s, v16.16b, v17.16b"),
            concat!($instruction, " v1.4s, v16.16b, v17.16b"),
            concat!($instruction, " v2.4s, v16.16b, v17.16b"),
            concat!($instruction, " v3.4s, v16.16b, v17.16b"),
            concat!($instruction, " v4.4s, v16.16b, v17.16b"),
            concat!($instruction, " v5.4s, v16.16b, v17.16b"),
            concat!($instruction, " v6.4s, v16.16b, v17.16b"),
            concat!($instruction, " v7.4s, v16.16b, v17.16b"),
            concat!($instruction, " v18.4s, v16.16b, v17.16b"),
            concat!($instruction, " v19.4s, v16.16b, v17.16b"),
            concat!($instruction, " v20.4s, v16.16b, v17.16b"),
            concat!($instruction, " v21.4s, v16.16b, v17.16b"),
            "subs {rounds}, {rounds}, #1",
            "b.ne 2b",
            rounds = inout(reg) $rounds => _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v18") _, out("v19") _, out("v20") _, out("v21") _,
            options(nomem, nostack),
        )
    };
}

#[cfg(target_arch = "aarch64")]
fn smmla(rounds: u64) {
    // SAFETY: called only where the CPU has it; touches only the registers that it names.
    unsafe { twelve!(rounds, "i8mm", "smmla") }
}

#[cfg(target_arch = "aarch64")]
fn sdot(rounds: u64) {
    // SAFETY: called only where the CPU has it; touches only the registers that it names.
    unsafe { twelve!(rounds, "dotprod", "sdot") }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn best() -> Option<Best> {
    None
}
