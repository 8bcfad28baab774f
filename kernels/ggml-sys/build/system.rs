//! A ggml that is there already.

use std::path::{Path, PathBuf};

/// Tells cargo what to link; returns where the headers are.
pub fn include_folders() -> Vec<PathBuf> {
    println!("cargo::rerun-if-env-changed=GGML_DIR");
    println!("cargo::rustc-env=PUNA_GGML_ORIGIN=a library of this system, its compiler unknown");
    let Some(root) = std::env::var_os("GGML_DIR").map(PathBuf::from) else {
        let found = pkg_config::probe_library("ggml");
        let found =
            found.unwrap_or_else(|error| panic!("no ggml; GGML_DIR can say where: {error}"));
        return found.include_paths;
    };
    let lib = root.join("lib");
    println!("cargo::rustc-link-search=native={}", lib.display());
    for name in ["ggml", "ggml-cpu", "ggml-base"] {
        link(&lib, name);
    }
    vec![root.join("include")]
}

/// Links the static library of that name, or else the shared one.
fn link(lib: &Path, name: &str) {
    if lib.join(format!("lib{name}.a")).is_file() {
        println!("cargo::rustc-link-lib=static={name}");
        // C++ inside, which a shared library would bring itself.
        println!("cargo::rustc-link-lib=stdc++");
    } else {
        println!("cargo::rustc-link-lib=dylib={name}");
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
}
