#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| puna_tests::fuzz::gguf(bytes));
