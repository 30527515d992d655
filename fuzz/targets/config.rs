//! See `xenon_fuzz_properties::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xenon_fuzz_properties::config(data));
