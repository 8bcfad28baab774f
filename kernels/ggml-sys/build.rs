//! Finds or builds ggml and makes the bindings. With neither feature there is nothing to do.

#[cfg(feature = "system")]
#[path = "build/system.rs"]
mod source;
#[cfg(all(feature = "vendored", not(feature = "system")))]
#[path = "build/vendored.rs"]
mod source;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    #[cfg(any(feature = "vendored", feature = "system"))]
    bindings(&source::include_folders());
}

/// Writes `bindings.rs` to the output folder.
#[cfg(any(feature = "vendored", feature = "system"))]
fn bindings(include: &[std::path::PathBuf]) {
    let headers = [
        "ggml.h",
        "ggml-cpu.h",
        "ggml-backend.h",
        "ggml-alloc.h",
        "gguf.h",
    ];
    let mut builder = bindgen::Builder::default();
    for header in headers {
        let found = include.iter().map(|folder| folder.join(header));
        let found = found.into_iter().find(|file| file.is_file());
        let header = found.unwrap_or_else(|| panic!("no {header} in {include:?}"));
        builder = builder.header(header.to_string_lossy());
    }
    let bindings = builder
        .clang_args(include.iter().map(|i| format!("-I{}", i.display())))
        // The headers document with plain comments.
        .clang_arg("-fparse-all-comments")
        .allowlist_function("(ggml|gguf)_.*")
        .allowlist_type("(ggml|gguf)_.*")
        .allowlist_var("(GGML|GGUF)_.*")
        .opaque_type("_IO_FILE|FILE")
        .prepend_enum_name(false)
        .merge_extern_blocks(true)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()))
        .generate()
        .expect("bindgen reads ggml's headers (it needs libclang)");
    let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let file = std::path::Path::new(&out).join("bindings.rs");
    bindings.write_to_file(file).expect("OUT_DIR is writable");
}
