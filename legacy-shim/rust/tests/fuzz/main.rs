//! The fuzz targets in plain `cargo test`: every file of the corpus, then mutations of it, the same at every run.
//!
//! `FUZZ_ITERATIONS=100000 cargo test -p flask-compat --features axum --test fuzz` runs longer (mutations per target), and so
//! does `FUZZ_SECONDS=60` (for each target; `FUZZ_SEED` begins elsewhere), which is what `cargo xtask nightly` does. A finding is written to the folder that the message names; add it to `corpus/<target>/` with the repair. Long runs with
//! coverage are libFuzzer's: see `legacy-shim/rust/fuzz/README.md`.

#![allow(clippy::unwrap_used)]

mod mutate;
mod targets;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mutate::Mutator;
use targets::TARGETS;

/// No single input may take so long, however busy the machine is.
const HANGS: Duration = Duration::from_secs(60);
/// However many mutations are asked for: no target runs longer, unless `FUZZ_SECONDS` says so.
const MOST: Duration = Duration::from_secs(240);
/// The length of inputs that repeat one thing: what takes more than a step per byte takes seconds here.
const LONG: usize = 16 << 10;
/// Work is bounded: a target may allocate this much for nothing, and this much for each byte of its input.
const BYTES: u64 = 24 << 20;
const BYTES_PER_BYTE: u64 = 40_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number: `{text}`")))
}

/// How many mutations, and for how long.
fn bounds(default: u64) -> (usize, Duration) {
    match number("FUZZ_SECONDS") {
        Some(seconds) => (usize::MAX, Duration::from_secs(seconds)),
        None => (number("FUZZ_ITERATIONS").unwrap_or(default) as usize, MOST),
    }
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

type Inputs = Box<dyn Iterator<Item = (String, Vec<u8>)> + Send>;

/// Runs a target with its corpus and mutations of it.
fn run(name: &'static str, default: u32) {
    let (_, target) = *TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let (count, time) = bounds(u64::from(default));
    let corpus = corpus(name);
    let inputs: Vec<Vec<u8>> = corpus.iter().map(|(_, data)| data.clone()).collect();
    let mutator = Mutator::new(
        &number("FUZZ_SEED").map_or(name.to_owned(), |seed| format!("{name}{seed}")),
        inputs,
        words::WORDS,
    );
    let long = mutator.long(LONG).into_iter().enumerate().map(|(n, data)| (format!("long {n}"), data));
    let corpus: Vec<_> = corpus.into_iter().chain(long).collect();
    let end = Instant::now() + time;
    let mutations = mutator.take(count).take_while(move |_| Instant::now() < end).enumerate();
    let mutations = mutations.map(|(n, data)| (format!("mutation {n}"), data));
    let ran = watch(name, target, HANGS, Box::new(corpus.into_iter().chain(mutations)));
    println!("fuzz {name}: {ran} inputs run");
}

/// Runs a target in a thread of its own and watches it; how many inputs there were.
fn watch(name: &'static str, target: fn(&[u8]), hangs: Duration, inputs: Inputs) -> usize {
    let (beat, heart) = channel();
    let current = Arc::new(Mutex::new((String::new(), Vec::new())));
    let shown = Arc::clone(&current);
    let worker = std::thread::spawn(move || {
        // What is made once (the vectors, a form) is not the work of an input.
        let mut made = false;
        for (label, data) in inputs {
            *current.lock().unwrap() = (label.clone(), data.clone());
            let judge = |data: &[u8]| {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(data))) {
                    report(name, &label, data);
                    resume_unwind(panic);
                }
            };
            if !made {
                judge(b"");
                made = true;
            }
            let work = allocation_counter::measure(|| judge(&data));
            let bound = BYTES + BYTES_PER_BYTE * data.len() as u64;
            if work.bytes_total > bound {
                report(name, &label, &data);
                panic!("`{name}` allocated {} bytes for {} bytes of input", work.bytes_total, data.len());
            }
            beat.send(()).unwrap();
        }
    });
    let mut ran = 0;
    loop {
        match heart.recv_timeout(hangs) {
            Ok(()) => ran += 1,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let (label, data) = shown.lock().unwrap().clone();
                report(name, &label, &data);
                panic!("`{name}` hangs");
            }
        }
    }
    worker.join().unwrap_or_else(|panic| resume_unwind(panic));
    ran
}

/// The watchers themselves: what panics, hangs or allocates without bounds is found, with its input.
#[test]
fn bad_targets_are_found() {
    fn panics(data: &[u8]) {
        assert_ne!(data, b"bad");
    }
    fn hangs(data: &[u8]) {
        if data == b"bad" {
            std::thread::park();
        }
    }
    fn eats(data: &[u8]) {
        if data == b"bad" {
            drop(std::hint::black_box(vec![0u8; BYTES as usize + 1_000_000]));
        }
    }
    let inputs =
        || -> Inputs { Box::new([b"good", &b"bad"[..]].map(|d| (String::new(), d.to_vec())).into_iter()) };
    let found = |name: &'static str, target: fn(&[u8]), hangs: Duration| {
        let panic = catch_unwind(|| watch(name, target, hangs, inputs())).err().unwrap();
        let written = std::fs::read(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}")));
        assert_eq!(written.unwrap(), b"bad", "{name}");
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    assert!(found("panics", panics, HANGS).contains("left != right"));
    assert_eq!(found("hangs", hangs, Duration::from_millis(500)), "`hangs` hangs");
    assert!(found("eats", eats, HANGS).contains("allocated"));
    assert_eq!(watch("good", |_| {}, HANGS, inputs()), 2);
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
