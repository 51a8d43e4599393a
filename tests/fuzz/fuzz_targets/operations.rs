//! See `tickwire_tests::fuzzing::operations`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tickwire_tests::fuzzing::operations(bytes);
});
