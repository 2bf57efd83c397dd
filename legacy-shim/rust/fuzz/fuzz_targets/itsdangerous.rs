//! libFuzzer's way into `targets::signed::itsdangerous`, which says what is promised.
#![no_main]
#![allow(dead_code)]

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::signed::itsdangerous(data));
