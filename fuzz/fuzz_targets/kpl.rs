//! Aggregates of the Kinesis Producer Library.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate::fuzzing::kpl(bytes));
