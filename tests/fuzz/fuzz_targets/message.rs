//! See `tickwire_tests::fuzzing::message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tickwire_tests::fuzzing::message(bytes);
});
