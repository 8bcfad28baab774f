//! A plugin for QEMU 7 that counts what a guest executes between two marks.
//!
//! The guest marks a region with hints that every ARM CPU ignores: `hint #96` begins it, `hint #97` ends
//! it. At the end the plugin prints one line to stdout for each instruction that ran in between:
//! `address word count`, the first two in hexadecimal. The counts are exact.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// `hint #96`.
const BEGIN: u32 = 0xd503_2c1f;
/// `hint #97`.
const END: u32 = 0xd503_2c3f;

/// What `qemu-plugin.h` defines; the plugin is told apart from others by `Id`.
type Id = u64;
type OnTranslation = extern "C" fn(Id, *mut c_void);
type OnExecution = extern "C" fn(c_uint, *mut c_void);
/// `QEMU_PLUGIN_CB_NO_REGS`.
const NO_REGISTERS: c_int = 0;
/// `QEMU_PLUGIN_INLINE_ADD_U64`.
const ADD: c_int = 0;

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, callback: OnTranslation);
    fn qemu_plugin_tb_n_insns(block: *const c_void) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const c_void, index: usize) -> *mut c_void;
    fn qemu_plugin_insn_data(instruction: *const c_void) -> *const c_void;
    fn qemu_plugin_insn_vaddr(instruction: *const c_void) -> u64;
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut c_void,
        callback: OnExecution,
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_vcpu_insn_exec_inline(
        instruction: *mut c_void,
        operation: c_int,
        counter: *mut c_void,
        value: u64,
    );
}

/// The version of the plugin interface; QEMU reads it.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 1;

/// Every instruction that was translated, by address and word. A counter lives as long as the process,
/// since translated code adds to it.
static COUNTERS: Mutex<BTreeMap<(u64, u32), &'static AtomicU64>> = Mutex::new(BTreeMap::new());

fn counters() -> std::sync::MutexGuard<'static, BTreeMap<(u64, u32), &'static AtomicU64>> {
    COUNTERS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// QEMU calls this for a block of instructions before it runs first.
extern "C" fn translate(_: Id, block: *mut c_void) {
    // SAFETY: the block lives during the call; the index is below the number of its instructions.
    let instructions = unsafe {
        (0..qemu_plugin_tb_n_insns(block)).map(|index| qemu_plugin_tb_get_insn(block, index))
    };
    for instruction in instructions {
        // SAFETY: the instruction lives during the call, and each of this guest's is four bytes.
        let (address, word) = unsafe {
            let word = qemu_plugin_insn_data(instruction).cast::<u32>();
            (qemu_plugin_insn_vaddr(instruction), word.read_unaligned())
        };
        let mark: Option<OnExecution> = match word {
            BEGIN => Some(begin),
            END => Some(end),
            _ => None,
        };
        if let Some(callback) = mark {
            let data = std::ptr::null_mut();
            // SAFETY: the callback has the type that QEMU wants and reads no data.
            unsafe {
                qemu_plugin_register_vcpu_insn_exec_cb(instruction, callback, NO_REGISTERS, data);
            }
            continue;
        }
        let counter = *counters()
            .entry((address, word))
            .or_insert_with(|| Box::leak(Box::default()));
        let counter = counter.as_ptr().cast();
        // SAFETY: QEMU adds to eight bytes that are never freed; the guest has one thread.
        unsafe { qemu_plugin_register_vcpu_insn_exec_inline(instruction, ADD, counter, 1) };
    }
}

extern "C" fn begin(_: c_uint, _: *mut c_void) {
    for counter in counters().values() {
        counter.store(0, Ordering::Relaxed);
    }
}

extern "C" fn end(_: c_uint, _: *mut c_void) {
    let mut text = String::new();
    for ((address, word), counter) in counters().iter() {
        let count = counter.load(Ordering::Relaxed);
        if count > 0 {
            text += &format!("{address:x} {word:08x} {count}\n");
        }
    }
    // A reader that is gone sees no last line and knows that something is wrong.
    let _ = std::io::stdout().write_all((text + "end\n").as_bytes());
}

/// QEMU calls this when it loads the plugin.
#[unsafe(no_mangle)]
pub extern "C" fn qemu_plugin_install(
    id: Id,
    _info: *const c_void,
    _argc: c_int,
    _argv: *const *const c_char,
) -> c_int {
    // SAFETY: the callback has the type that QEMU wants.
    unsafe { qemu_plugin_register_vcpu_tb_trans_cb(id, translate) };
    0
}
