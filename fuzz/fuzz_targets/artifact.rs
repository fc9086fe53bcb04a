//! `cargo +nightly fuzz run artifact`; what must hold is said in `arqon_fuzzed::artifact`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| arqon_fuzzed::artifact(bytes));
