//! The oracle process: asks the real Werkzeug, batch by batch, and compares.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use flask_compat::Profile;

use super::case::{Answer, Case};
use super::generate;
use super::shrink::shrink;

const BATCH: u64 = 50;

pub(super) struct Oracle {
    environment: String,
    profile: Profile,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts the interpreter of an environment, to be compared with a profile.
    pub(super) fn start(folder: &str, environment: &str, profile: Profile) -> Self {
        let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let python = package.join("../..").join(folder).join(environment).join("bin/python");
        let mut child = Command::new(&python)
            .arg(package.join("tests/routing_oracle.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{}`: {error}", python.display()));
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Oracle { environment: environment.to_owned(), profile, child, input, output }
    }

    /// Werkzeug's answer to one case.
    pub(super) fn ask(&mut self, case: &Case) -> Answer {
        writeln!(self.input, "{}", serde_json::to_string(case).unwrap()).unwrap();
        self.input.flush().unwrap();
        read(&mut self.output)
    }

    /// The answers to a batch; a thread writes while this one reads.
    fn ask_all(&mut self, cases: &[Case]) -> Vec<Answer> {
        let (input, output) = (&mut self.input, &mut self.output);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for case in cases {
                    writeln!(input, "{}", serde_json::to_string(case).unwrap()).unwrap();
                }
                input.flush().unwrap();
            });
            cases.iter().map(|_| read(output)).collect()
        })
    }

    /// Compares until so many answers agree, or reports the first disagreement.
    pub(super) fn compare(&mut self, seed: u64, count: u64) -> Result<u64, String> {
        let (mut compared, mut next) = (0, seed);
        while compared < count {
            let seeds = next..next + BATCH;
            next += BATCH;
            let cases: Vec<Case> = seeds.clone().map(|seed| generate::case(self.profile, seed)).collect();
            let answers = self.ask_all(&cases);
            for ((seed, case), theirs) in seeds.zip(&cases).zip(answers) {
                if self.difference(case, &theirs).is_some() {
                    return Err(self.report(seed, case));
                }
                compared += theirs.len() as u64;
            }
        }
        Ok(compared)
    }

    /// Where the two sides differ. A map that another release than the profile's refuses is no disagreement: no
    /// application on that release has it.
    fn difference(&self, case: &Case, theirs: &Answer) -> Option<String> {
        if theirs.error.is_some() && self.environment != self.profile.name() {
            return None;
        }
        theirs.first_difference(&case.answer())
    }

    fn report(&mut self, seed: u64, case: &Case) -> String {
        let small = shrink(case, &mut |case| {
            let theirs = self.ask(case);
            self.difference(case, &theirs).is_some()
        });
        let theirs = self.ask(&small);
        let difference = self.difference(&small, &theirs).unwrap_or_default();
        format!("\n{} as {} seed {seed}\n{difference}\n{}", self.environment, self.profile, small.describe())
    }

    /// Writes cases with their answers.
    pub(super) fn record(&mut self, seed: u64, count: u64, path: &Path) {
        let mut text = String::new();
        for seed in seed..seed + count {
            let mut case = generate::case(self.profile, seed);
            let found = self.ask(&case).requests;
            // Most of the plain "not found" answers say little and take room.
            let mut rare = 0;
            let mut answers = found.iter();
            case.requests.retain(|_| {
                let common = answers.next().is_some_and(|answer| answer[0] == "not_found");
                rare += usize::from(common);
                !common || rare <= 3
            });
            case.builds.truncate(3);
            let answer = self.ask(&case);
            text.push_str(&serde_json::to_string(&(case.compact(), &answer)).unwrap());
            text.push('\n');
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(output: &mut BufReader<ChildStdout>) -> Answer {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("the oracle answers `{line}`: {error}"))
}
