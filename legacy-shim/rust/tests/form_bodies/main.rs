//! Form bodies against the real Werkzeug: `request.form` and `request.files` of URL-encoded and multipart bodies, good ones
//! and broken ones, under limits.
//!
//! `agrees_with_recorded_answers` always runs: committed cases with the answers of Werkzeug 1.0.1, 2.3.8, 3.0.6 and 3.1.9.
//! `agrees_with_real_werkzeug` asks the real packages about random cases, with the variables of tests/routing:
//! `FICUS_WERKZEUG_PYTHONS` (unset, it says so and passes), `FICUS_FORM_COMPARISONS` (default 4000 a version),
//! `FICUS_ROUTING_SEED`, and `FICUS_FORM_RECORD` (a number of cases to write to tests/form_body_vectors instead).

#![allow(clippy::unwrap_used, reason = "a test that cannot read or start something fails")]

mod case;
mod generate;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use case::{Answer, Case};
use flask_compat::Profile;

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, default: u64) -> u64 {
    variable(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}: `{value}`")))
}

fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn vectors(profile: Profile) -> PathBuf {
    package().join("tests/form_body_vectors").join(format!("{profile}.jsonl"))
}

#[test]
fn agrees_with_recorded_answers() {
    for profile in Profile::ALL {
        let (mut compared, mut forms) = (0, 0);
        for line in fs::read_to_string(vectors(profile)).unwrap().lines() {
            let (case, theirs): (Case, Answer) = serde_json::from_str(line).unwrap();
            let ours = case.answer(profile);
            assert!(ours.agrees_with(&theirs), "{profile}: werkzeug {theirs:?}, ours {ours:?}\n{case:?}");
            compared += 1;
            forms += usize::from(ours.has_content());
        }
        assert!(compared >= 300 && forms >= 80, "{profile}: only {compared} recorded answers, {forms} forms");
    }
}

#[test]
fn agrees_with_real_werkzeug() {
    let Some(folder) = variable("FICUS_WERKZEUG_PYTHONS") else {
        println!("FICUS_WERKZEUG_PYTHONS is not set: only the recorded answers were compared");
        return;
    };
    let (count, seed) = (number("FICUS_FORM_COMPARISONS", 4000), number("FICUS_ROUTING_SEED", 1));
    let record = number("FICUS_FORM_RECORD", 0);
    for profile in Profile::ALL {
        let python = package().join("../..").join(&folder).join(profile.name()).join("bin/python");
        let cases: Vec<Case> = match record {
            0 => (seed..seed + count).map(generate::case).collect(),
            _ => (seed..seed + record).map(generate::small_case).collect(),
        };
        let answers = ask(&python, &cases);
        if record > 0 {
            let lines: Vec<String> =
                cases.iter().zip(&answers).map(|pair| serde_json::to_string(&pair).unwrap() + "\n").collect();
            fs::write(vectors(profile), lines.concat()).unwrap();
            continue;
        }
        for (offset, (case, theirs)) in cases.iter().zip(&answers).enumerate() {
            let ours = case.answer(profile);
            let seed = seed + offset as u64;
            assert!(
                ours.agrees_with(theirs),
                "{profile} seed {seed}\nwerkzeug {}\nours     {}\n{}",
                theirs.unlike(&ours),
                ours.unlike(theirs),
                case.short()
            );
        }
        println!("{profile}: {} answers agree", answers.len());
    }
}

/// Werkzeug's answers; a thread writes while this one reads.
fn ask(python: &PathBuf, cases: &[Case]) -> Vec<Answer> {
    let mut child = Command::new(python)
        .arg(package().join("tests/form_body_oracle.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start `{}`: {error}", python.display()));
    let (mut input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let answers = std::thread::scope(|scope| {
        scope.spawn(move || {
            for case in cases {
                writeln!(input, "{}", serde_json::to_string(case).unwrap()).unwrap();
            }
        });
        output.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    });
    assert!(child.wait().unwrap().success());
    answers
}
