//! See `tickwire_tests::fuzzing::socket`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tickwire_tests::fuzzing::socket(bytes));
