#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cacheback_runtime::fuzzing::job(bytes));
