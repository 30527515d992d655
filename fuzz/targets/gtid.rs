//! See `xenon_fuzz_properties::gtid`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xenon_fuzz_properties::gtid(data));
