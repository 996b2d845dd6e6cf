//! Filter patterns and records as they come.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate::fuzzing::filter_text(bytes));
