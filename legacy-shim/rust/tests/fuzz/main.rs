//! The fuzz targets in plain `cargo test`: every file of the corpus, then mutations of it, the same at every run.
//!
//! `FUZZ_ITERATIONS=100000 cargo test -p flask-compat --features axum --test fuzz` runs longer (mutations per target). A
//! finding is written to the folder that the message names; add it to `corpus/<target>/` with the repair. Long runs with
//! coverage are libFuzzer's: see `legacy-shim/rust/fuzz/README.md`.

#![allow(clippy::unwrap_used)]

mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mutate::Mutator;
use targets::TARGETS;

/// No single input may take so long, however busy the machine is.
const HANGS: Duration = Duration::from_secs(60);
/// The length of inputs that repeat one thing: what takes more than a step per byte takes seconds here.
const LONG: usize = 16 << 10;
/// Work is bounded: a target may allocate this much for nothing, and this much for each byte of its input.
const BYTES: u64 = 24 << 20;
const BYTES_PER_BYTE: u64 = 40_000;

fn iterations(default: u32) -> u32 {
    std::env::var("FUZZ_ITERATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 5, "the corpus of `{name}` is nearly empty");
    files
}

/// Runs a target in a thread of its own and watches it.
fn run(name: &'static str, default: u32) {
    let (_, target) = *TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let (beat, heart) = channel();
    let current = Arc::new(Mutex::new((String::new(), Vec::new())));
    let shown = Arc::clone(&current);
    let worker = std::thread::spawn(move || {
        let corpus = corpus(name);
        let inputs: Vec<Vec<u8>> = corpus.iter().map(|(_, data)| data.clone()).collect();
        let mutator = Mutator::new(name, inputs);
        let long = mutator.long(LONG).into_iter().enumerate().map(|(n, data)| (format!("long {n}"), data));
        let corpus: Vec<_> = corpus.into_iter().chain(long).collect();
        let mutations = mutator.take(iterations(default) as usize).enumerate();
        // What is made once (the vectors, a form) is not the work of an input.
        target(b"");
        for (label, data) in
            corpus.into_iter().chain(mutations.map(|(n, data)| (format!("mutation {n}"), data)))
        {
            *current.lock().unwrap() = (label.clone(), data.clone());
            let work = allocation_counter::measure(|| {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&data))) {
                    report(name, &label, &data);
                    resume_unwind(panic);
                }
            });
            let bound = BYTES + BYTES_PER_BYTE * data.len() as u64;
            if work.bytes_total > bound {
                report(name, &label, &data);
                panic!("`{name}` allocated {} bytes for {} bytes of input", work.bytes_total, data.len());
            }
            beat.send(()).unwrap();
        }
    });
    loop {
        match heart.recv_timeout(HANGS) {
            Ok(()) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let (label, data) = shown.lock().unwrap().clone();
                report(name, &label, &data);
                panic!("`{name}` hangs");
            }
        }
    }
    worker.join().unwrap_or_else(|panic| resume_unwind(panic));
}

fn report(name: &str, label: &str, data: &[u8]) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
    std::fs::write(&path, data).unwrap();
    eprintln!("target `{name}`, {label}: input in {}\n{:?}", path.display(), String::from_utf8_lossy(data));
}

/// Bodies as large as `Application` takes, of as many fields as fit: looking for the token goes through them once. Were it
/// once for each name, this test would take an hour.
#[test]
fn many_fields_are_no_attack() {
    for name in ["", "csrf_token"] {
        let body: String = (0..200_000).map(|number| format!("{number:x}{name}&")).collect();
        for profile in targets::PROFILES {
            let pairs = flask_compat::url::decode_pairs(body.as_bytes(), profile);
            assert_eq!(pairs.names().len(), 200_000);
            let csrf = flask_compat::csrf::Csrf::new(&["secret"], profile);
            assert_eq!(csrf.find_token(&pairs, |_| None), None);
        }
    }
}

macro_rules! runs {
    ($($name:ident: $iterations:literal,)*) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name), $iterations);
            }
        )*

        #[test]
        fn every_target_runs() {
            assert_eq!([$(stringify!($name)),*], TARGETS.map(|(name, _)| name));
        }
    };
}

runs! {
    cookie: 15000,
    set_cookie: 6000,
    session: 5000,
    session_life: 5000,
    itsdangerous: 6000,
    csrf: 2500,
    remember: 8000,
    fernet: 5000,
    password: 1000,
    rule: 1500,
    form: 1500,
    multipart: 3000,
}
