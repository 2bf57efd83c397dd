//! `cargo xtask trials --trials N` and `cargo xtask aa --minutes N`: the guard trials of proxy/tests/gateway/trials.rs in full. CI
//! runs a few of each, and equal sides for seconds.

use std::process::Command;

use crate::problem::{Context, Outcome, bail};
use crate::workspace::Workspace;

/// What is run, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trials {
    /// So many of each kind of fault.
    Faults(u64),
    /// So many seconds of equal sides.
    Equal(u64),
}

impl Trials {
    /// Reads `[--trials N]`; 50 by default.
    pub(crate) fn faults(parser: &mut lexopt::Parser) -> Outcome<Self> {
        number(parser, "trials", 50).map(Self::Faults)
    }

    /// Reads `[--minutes N]`; an hour by default.
    pub(crate) fn equal(parser: &mut lexopt::Parser) -> Outcome<Self> {
        number(parser, "minutes", 60).map(|minutes| Self::Equal(minutes * 60))
    }
}

fn number(parser: &mut lexopt::Parser, name: &str, usual: u64) -> Outcome<u64> {
    use lexopt::prelude::*;
    let mut number = usual;
    while let Some(argument) = parser.next()? {
        match argument {
            Long(long) if long == name => number = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if number == 0 {
        bail!("`--{name}` is at least 1");
    }
    Ok(number)
}

impl Trials {
    /// What cargo is given, and a variable with how much of it. One kind after another: each has the machine for itself.
    pub(crate) fn test(self) -> ([&'static str; 8], &'static str, String) {
        let (filter, variable, value) = match self {
            Self::Faults(count) => ("five_percent_roll", "FICUS_TRIALS", count),
            Self::Equal(seconds) => ("equal_sides_never_trip", "FICUS_AA_SECONDS", seconds),
        };
        let arguments =
            ["test", "--workspace", "--test", "gateway", "--", "--nocapture", "--test-threads=1", filter];
        (arguments, variable, value.to_string())
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
    let (arguments, variable, value) = trials.test();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace.root()).env(variable, value);
    let status = command.status().context(|| "cannot start cargo".into())?;
    Ok(u8::from(!status.success()))
}
