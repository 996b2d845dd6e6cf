//! Operations of the engine, in worlds of the swarm.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate::fuzzing::world(bytes));
