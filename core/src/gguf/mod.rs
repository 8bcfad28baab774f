//! GGUF files, version 2 and 3: untrusted bytes into typed views.
