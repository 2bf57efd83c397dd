//! `cargo xtask soak --minutes N`: the soak of tests/faults for as long as one likes; CI runs it for less than a minute.

use std::process::Command;

use crate::build::build;
use crate::problem::{Context, Outcome, bail};
use crate::python;
use crate::workspace::Workspace;

/// Reads `[--minutes N]`; an hour by default.
pub(crate) fn minutes(parser: &mut lexopt::Parser) -> Outcome<u64> {
    use lexopt::prelude::*;
    let mut minutes = 60;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("minutes") => minutes = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if minutes == 0 {
        bail!("`--minutes` is at least 1");
    }
    Ok(minutes)
}

/// Builds, and runs the one test with more time; its exit code becomes ours.
pub(crate) fn run(workspace: &Workspace, minutes: u64) -> Outcome<u8> {
    build(workspace, &["--workspace", "--bins"], || false, |_, _| {})?;
    let python = python::ensure(workspace, "tests")?.join("python");
    let mut command = Command::new(python);
    command.args([
        "-m",
        "pytest",
        "-s",
        "-p",
        "no:cacheprovider",
        "tests/faults/test_memory.py",
        "-k",
        "nothing_grows",
    ]);
    command.current_dir(workspace.root()).env("FICUS_BINARIES", workspace.binary(""));
    command.env("FICUS_SOAK_SECONDS", (minutes * 60).to_string());
    let status = command.status().context(|| "cannot start Python".into())?;
    Ok(u8::from(!status.success()))
}
