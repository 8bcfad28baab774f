//! What Java's own native interface does and uniffi's cannot: it is told when the library is loaded, and writes the
//! phone's log without a detour through Java.
//!
//! A class that calls `logcat` loads the library by `System.loadLibrary`, which calls [`JNI_OnLoad`]. JNA, which
//! uniffi's Kotlin goes through, then finds it loaded. No thread of the runtime has to be attached to the virtual machine: an
//! answer is computed on the thread that asks for its pieces, which is Java's. Outside Android this room is built for the
//! tests alone, which run it on a desktop's virtual machine; lines then go to stderr.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

use jni::{
    EnvUnowned, JavaVM,
    errors::{Error, LogErrorAndDefault},
    objects::JClass,
    sys,
};

use crate::logging::{self, LogLevel};

/// The tag of every line in the phone's log.
const TAG: &str = "puna";

/// Called by the virtual machine when it loads the library; says which version of the interface is meant.
///
/// # Safety
/// The virtual machine alone calls it, with a pointer to itself.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn JNI_OnLoad(
    vm: *mut sys::JavaVM,
    _reserved: *mut c_void,
) -> sys::jint {
    if vm.is_null() {
        return sys::JNI_ERR;
    }
    // SAFETY: the caller's promise. It is kept for later, and lives as long as the process.
    let _ = unsafe { JavaVM::from_raw(vm) };
    sys::JNI_VERSION_1_6
}

/// `dev.puna.Native.logcat(level)`: sends the log to logcat from now on, down to the level with this place in
/// [`LogLevel`]; a place that there is not means all of it.
///
/// # Safety
/// The virtual machine alone calls it.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn Java_dev_puna_Native_logcat<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    level: sys::jint,
) {
    let level = match level {
        0 => LogLevel::Error,
        1 => LogLevel::Warn,
        2 => LogLevel::Info,
        3 => LogLevel::Debug,
        _ => LogLevel::Trace,
    };
    // No panic goes up into Java.
    env.with_env(|_| -> Result<(), Error> {
        logging::send(Some(Box::new(write)), level);
        Ok(())
    })
    .resolve::<LogErrorAndDefault>();
}

/// Android's number for a level (`android/log.h`).
const fn priority(level: LogLevel) -> c_int {
    match level {
        LogLevel::Error => 6,
        LogLevel::Warn => 5,
        LogLevel::Info => 4,
        LogLevel::Debug => 3,
        LogLevel::Trace => 2,
    }
}

/// Writes one line.
#[cfg(target_os = "android")]
fn write(level: LogLevel, target: &str, message: &str) {
    use std::ffi::{CString, c_char};

    #[link(name = "log")]
    unsafe extern "C" {
        fn __android_log_write(priority: c_int, tag: *const c_char, text: *const c_char) -> c_int;
    }

    let line = format!("{target}: {message}").replace('\0', " ");
    if let (Ok(tag), Ok(line)) = (CString::new(TAG), CString::new(line)) {
        // SAFETY: both texts end in NUL and live through the call, which copies them.
        unsafe { __android_log_write(priority(level), tag.as_ptr(), line.as_ptr()) };
    }
}

/// Writes one line as `adb logcat` shows it.
#[cfg(not(target_os = "android"))]
fn write(level: LogLevel, target: &str, message: &str) {
    eprintln!("{} {TAG}: {target}: {message}", priority(level));
}
