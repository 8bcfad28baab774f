//! Which ggml this is, for the heads of reports.

use crate::raw;
use crate::types;
use std::ffi::CStr;

/// Its version, such as `"0.26.0"`.
#[must_use]
pub fn version() -> String {
    // SAFETY: a string constant.
    let version = unsafe { CStr::from_ptr(raw::ggml_version()) };
    version.to_string_lossy().into_owned()
}

/// Where it is from and what compiled it, as far as the build knows.
#[must_use]
pub const fn origin() -> &'static str {
    env!("PUNA_GGML_ORIGIN")
}

/// What its CPU backend was built to use, such as `AVX512_VNNI` or `OPENMP`.
#[must_use]
pub fn features() -> Vec<String> {
    types::init();
    let mut names = Vec::new();
    // SAFETY: the function of this name has this type (ggml-backend.h), and returns an array of constant
    // strings that ends with a null.
    unsafe {
        let registry = raw::ggml_backend_cpu_reg();
        let name = c"ggml_backend_get_features";
        let get = raw::ggml_backend_reg_get_proc_address(registry, name.as_ptr());
        let get: raw::ggml_backend_get_features_t = std::mem::transmute(get);
        let mut next = get.map_or(std::ptr::null_mut(), |get| get(registry));
        while !next.is_null() && !(*next).name.is_null() {
            names.push(CStr::from_ptr((*next).name).to_string_lossy().into_owned());
            next = next.add(1);
        }
    }
    names
}
