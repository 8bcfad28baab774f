//! AMX tiles that ggml shares with other code on the same thread.
//!
//! ggml sets the shapes of a thread's tiles once and relies on them ever after. Our own kernels set
//! theirs and release the tiles when they are done, so that on a thread that has run both, ggml would
//! use tiles without shapes, which is an illegal instruction. So what ggml has set is noted after its
//! products and put back before the next.

#[cfg(target_arch = "x86_64")]
use std::{arch::asm, cell::Cell};

/// What `ldtilecfg` reads and `sttilecfg` writes; its first byte is 0 when no shapes are set.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Config([u8; 64]);

#[cfg(target_arch = "x86_64")]
thread_local! {
    /// The shapes that ggml has set on this thread.
    static OF_GGML: Cell<Option<Config>> = const { Cell::new(None) };
}

/// Gives this thread's tiles the shapes that ggml once gave them, if it did.
#[cfg(target_arch = "x86_64")]
pub(crate) fn restore() {
    if let Some(config) = OF_GGML.get() {
        // SAFETY: only `note` sets this, so the CPU has tiles and the configuration is valid; no
        // compiled code uses them.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly, preserves_flags));
        }
    }
}

/// Notes the shapes of this thread's tiles.
///
/// # Safety
/// The CPU must have AMX, as it has when ggml offers a buffer of that name.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn note() {
    let mut config = Config([0; 64]);
    // SAFETY: the caller says that there is the instruction; it writes 64 bytes.
    unsafe {
        asm!("sttilecfg [{}]", in(reg) &raw mut config, options(nostack, preserves_flags));
    }
    if config.0[0] != 0 {
        OF_GGML.set(Some(config));
    }
}

/// Other CPUs have no such tiles.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn restore() {}

/// As on x86-64, where there is something to note.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) unsafe fn note() {}
