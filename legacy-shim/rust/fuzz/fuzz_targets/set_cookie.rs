//! libFuzzer's way into `targets::cookies::set_cookie`, which says what is promised.
#![no_main]
#![allow(dead_code)]

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::cookies::set_cookie(data));
