//! `cargo +nightly fuzz run expression`; what must hold is said in `arqon_fuzzed::expression`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| arqon_fuzzed::expression(bytes));
