//! libFuzzer's way into `targets::forms::multipart`, which says what is promised.
#![no_main]
#![allow(dead_code)]

#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::forms::multipart(data));
