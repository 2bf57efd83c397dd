//! What clients, balancers and people at the keyboard can send to the parsers of the proxy: every file of the corpus,
//! then mutations of it, the same at every run.
//!
//! `FUZZ_ITERATIONS=1000000 cargo test -p ficus --test fuzz` runs longer. A finding is written to the folder that the
//! message names; add it to `corpus/<target>/` with the repair.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../../legacy-shim/rust/tests/fuzz/mutate.rs"]
#[allow(dead_code, reason = "written for both crates; this one does not use all of it")]
mod mutate;
mod targets;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

use mutate::Mutator;
use targets::TARGETS;

fn corpus(name: &str, folders: &[&str]) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for folder in folders {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            files.push(entry.unwrap().path());
        }
    }
    files.retain(|file| file.extension().is_none_or(|extension| extension != "txt"));
    files.sort();
    assert!(files.len() >= 5, "the corpus of `{name}` is nearly empty");
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn run(name: &str, default: usize) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let corpus = corpus(name, target.corpus);
    let iterations =
        std::env::var("FUZZ_ITERATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let mutations = Mutator::new(name, corpus.clone(), words::WORDS).take(iterations);
    for data in corpus.into_iter().chain(mutations) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(&data))) {
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-proxy-{name}"));
            std::fs::write(&path, &data).unwrap();
            eprintln!("target `{name}`: input in {}\n{:?}", path.display(), String::from_utf8_lossy(&data));
            resume_unwind(panic);
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
            assert_eq!([$(stringify!($name)),*], TARGETS.map(|target| target.name));
        }
    };
}

runs! {
    requests: 30000,
    preambles: 50000,
    forwarded: 10000,
    dates: 20000,
    cookies: 10000,
    routes: 400,
    settings: 400,
    environment: 2000,
    answers: 20000,
    bodies: 1500,
    heads: 1500,
    masks: 5000,
    testers: 5000,
    upstream: 20000,
}
