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
    /// So many minutes of equal sides.
    Equal(u64),
}

impl Trials {
    /// Reads `[--trials N]`; 50 by default.
    pub(crate) fn faults(parser: &mut lexopt::Parser) -> Outcome<Self> {
        number(parser, "trials", 50).map(Self::Faults)
    }

    /// Reads `[--minutes N]`; an hour by default.
    pub(crate) fn equal(parser: &mut lexopt::Parser) -> Outcome<Self> {
        number(parser, "minutes", 60).map(Self::Equal)
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

/// Runs the tests with more of it; their exit code becomes ours.
pub(crate) fn run(workspace: &Workspace, trials: Trials) -> Outcome<u8> {
    let (filter, variable, value) = match trials {
        Trials::Faults(count) => ("five_percent_roll", "FICUS_TRIALS", count),
        Trials::Equal(minutes) => ("equal_sides_never_trip", "FICUS_AA_SECONDS", minutes * 60),
    };
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // One kind after another: each has the machine for itself.
    let arguments =
        ["test", "--workspace", "--test", "gateway", "--", "--nocapture", "--test-threads=1", filter];
    command.args(arguments).current_dir(workspace.root()).env(variable, value.to_string());
    let status = command.status().context(|| "cannot start cargo".into())?;
    Ok(u8::from(!status.success()))
}
