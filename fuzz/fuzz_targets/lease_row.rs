//! Rows of lease tables.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate::fuzzing::lease_row(bytes));
