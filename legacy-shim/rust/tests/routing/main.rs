//! The router against the real Werkzeug.
//!
//! `agrees_with_recorded_answers` always runs: committed cases with the answers of Werkzeug 1.0.1, 2.3.8, 3.0.6 and 3.1.
//! `agrees_with_real_werkzeug` asks the real packages about random cases. It needs `FICUS_WERKZEUG_PYTHONS`: a folder with
//! the virtual environments `werkzeug-1.0`, `werkzeug-2.3`, `werkzeug-3.0` and `werkzeug-3.1` (tests/requirements-werkzeug-*.txt), relative
//! to the root of the workspace; unset, it says so and passes. Further variables:
//! - `FICUS_ROUTING_VERSIONS`: which environments to ask, with the profile to compare each with, such as
//!   `werkzeug-2.2=werkzeug-2.3,werkzeug-3.1` (without `=`, the profile of the same name; default: the four above);
//! - `FICUS_ROUTING_COMPARISONS`: how many answers to compare per version (default 40000);
//! - `FICUS_ROUTING_SEED`: where to start (default 1); every case can be had again from its seed;
//! - `FICUS_ROUTING_RECORD`: a number of cases to write to tests/routing_vectors, with their answers, instead (run this test alone).

#![allow(clippy::unwrap_used, reason = "a test that cannot read or start something fails")]

mod case;
mod generate;
mod oracle;
mod random;
mod requests;
mod shrink;

use std::fs;
use std::path::PathBuf;

use case::{Answer, Case};
use flask_compat::Profile;
use oracle::Oracle;

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, default: u64) -> u64 {
    variable(name).map_or(default, |value| {
        value.parse().unwrap_or_else(|_| panic!("{name} must be a number: `{value}`"))
    })
}

fn vectors(profile: Profile) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/routing_vectors").join(format!("{profile}.jsonl"))
}

/// The environments to ask, each with the profile that it is compared with.
fn versions() -> Vec<(String, Profile)> {
    let Some(list) = variable("FICUS_ROUTING_VERSIONS") else {
        return Profile::ALL.into_iter().map(|profile| (profile.name().to_owned(), profile)).collect();
    };
    let version = |entry: &str| {
        let (environment, profile) = entry.split_once('=').unwrap_or((entry, entry));
        let profile = profile.parse().unwrap_or_else(|error| panic!("FICUS_ROUTING_VERSIONS: {error}"));
        (environment.to_owned(), profile)
    };
    list.split(',').map(str::trim).map(version).collect()
}

#[test]
fn agrees_with_recorded_answers() {
    for profile in Profile::ALL {
        let text = fs::read_to_string(vectors(profile)).unwrap();
        let mut compared = 0;
        for line in text.lines() {
            let (case, expected): (Case, Answer) = serde_json::from_str(line).unwrap();
            let ours = case.answer();
            if let Some(difference) = expected.first_difference(&ours) {
                panic!("{profile} {difference}\n{}", case.describe());
            }
            compared += expected.len();
        }
        assert!(compared > 1200, "{profile}: only {compared} recorded answers");
    }
}

#[test]
fn agrees_with_real_werkzeug() {
    let Some(folder) = variable("FICUS_WERKZEUG_PYTHONS") else {
        println!("FICUS_WERKZEUG_PYTHONS is not set: only the recorded answers were compared");
        return;
    };
    let (count, seed) = (number("FICUS_ROUTING_COMPARISONS", 40_000), number("FICUS_ROUTING_SEED", 1));
    let record = number("FICUS_ROUTING_RECORD", 0);
    let workers: Vec<_> = versions()
        .into_iter()
        .map(|(environment, profile)| {
            let mut oracle = Oracle::start(&folder, &environment, profile);
            std::thread::spawn(move || -> Result<(), String> {
                if record > 0 {
                    oracle.record(seed, record, &vectors(profile));
                    return Ok(());
                }
                let compared = oracle.compare(seed, count)?;
                println!("{environment} as {profile}: {compared} answers agree");
                Ok(())
            })
        })
        .collect();
    let mut disagreements = String::new();
    for worker in workers {
        if let Err(report) = worker.join().unwrap() {
            disagreements.push_str(&report);
        }
    }
    assert!(disagreements.is_empty(), "{disagreements}");
}
