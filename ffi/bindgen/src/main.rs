//! `puna-bindgen generate --library FILE --language kotlin --out-dir DIR`: the bindings of `puna-ffi`.

fn main() {
    uniffi::uniffi_bindgen_main();
}
