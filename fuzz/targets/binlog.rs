//! See `xenon_fuzz_properties::binlog`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| xenon_fuzz_properties::binlog(data));
