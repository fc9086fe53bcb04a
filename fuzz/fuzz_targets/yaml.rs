//! `cargo +nightly fuzz run yaml`; what must hold is said in `arqon_fuzzed::circuit`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| arqon_fuzzed::circuit(bytes));
