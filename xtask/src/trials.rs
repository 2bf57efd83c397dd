//! `cargo xtask trials --trials N` and `cargo xtask aa --minutes N`: the guard trials of proxy/tests/gateway/trials.rs in full. CI
//! runs a few of each, and equal sides for seconds. Both send so many requests a second as `--rate` says, so that they can
//! run beside other work.

use std::process::Command;

use crate::problem::{Context, Outcome, bail};
use crate::workspace::Workspace;

/// What is run, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trials {
    /// So many of each kind of fault.
    Faults { count: u64, rate: u64 },
    /// So many seconds of equal sides.
    Equal { seconds: u64, rate: u64 },
}

/// Requests a second while faults are tried, all clients together.
pub(crate) const FAULTS_RATE: u64 = 400;
/// Requests a second to equal sides.
pub(crate) const EQUAL_RATE: u64 = 60;

impl Trials {
    /// Reads `[--trials N] [--rate N]`; 50 by default.
    pub(crate) fn faults(parser: &mut lexopt::Parser) -> Outcome<Self> {
        numbers(parser, "trials", (50, FAULTS_RATE)).map(|(count, rate)| Self::Faults { count, rate })
    }

    /// Reads `[--minutes N] [--rate N]`; an hour by default.
    pub(crate) fn equal(parser: &mut lexopt::Parser) -> Outcome<Self> {
        let (minutes, rate) = numbers(parser, "minutes", (60, EQUAL_RATE))?;
        Ok(Self::Equal { seconds: minutes * 60, rate })
    }
}

fn numbers(parser: &mut lexopt::Parser, name: &str, usual: (u64, u64)) -> Outcome<(u64, u64)> {
    use lexopt::prelude::*;
    let (mut number, mut rate) = usual;
    while let Some(argument) = parser.next()? {
        match argument {
            Long(long) if long == name => number = parser.value()?.parse()?,
            Long("rate") => rate = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if number == 0 || rate == 0 {
        bail!("`--{name}` and `--rate` are at least 1");
    }
    Ok((number, rate))
}

impl Trials {
    /// What cargo is given, and variables with how much of it. One kind after another: each has the machine for itself.
    pub(crate) fn test(self) -> ([&'static str; 8], [(&'static str, String); 2]) {
        let (filter, much, rate) = match self {
            Self::Faults { count, rate } => {
                ("five_percent_roll", ("FICUS_TRIALS", count), ("FICUS_TRIALS_RATE", rate))
            }
            Self::Equal { seconds, rate } => {
                ("equal_sides_never_trip", ("FICUS_AA_SECONDS", seconds), ("FICUS_AA_RATE", rate))
            }
        };
        let arguments =
            ["test", "--workspace", "--test", "gateway", "--", "--nocapture", "--test-threads=1", filter];
        (arguments, [much, rate].map(|(name, value)| (name, value.to_string())))
    }
}

/// The lines of an output that say what came of it.
pub(crate) fn summaries(output: &str) -> impl Iterator<Item = &str> {
    let sums = ["trials of ", "equal sides: "];
    // A test's first line follows its name.
    let found = move |line: &'_ str| sums.iter().find_map(|sum| line.find(sum));
    output.lines().filter_map(move |line| found(line).map(|at| &line[at..]))
}

/// Runs the tests with more of it; their exit code becomes ours.
pub(crate) fn run(workspace: &Workspace, trials: Trials) -> Outcome<u8> {
    let (arguments, variables) = trials.test();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace.root()).envs(variables);
    let status = command.status().context(|| "cannot start cargo".into())?;
    Ok(u8::from(!status.success()))
}
