//! Filter patterns against a plain implementation.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate::fuzzing::filter_verdict(bytes));
