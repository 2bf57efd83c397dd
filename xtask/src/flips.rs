//! `cargo xtask bench-flips [--flips N]`: how long the old side still answers after a flip, as clients see it, on one node and on
//! three that share PostgreSQL. The two tests that CI runs with fewer flips; they print the numbers, and fail if a request fails.

use std::process::Command;

use crate::problem::{Context, Outcome, bail};
use crate::signals::Interrupts;
use crate::with_postgres::Throwaway;
use crate::workspace::Workspace;

/// Reads `[--flips N]`; a thousand by default.
pub(crate) fn count(parser: &mut lexopt::Parser) -> Outcome<usize> {
    use lexopt::prelude::*;
    let mut flips = 1_000;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("flips") => flips = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if flips == 0 {
        bail!("`--flips` is at least 1");
    }
    Ok(flips)
}

/// Builds, and runs the tests one after the other; their exit code becomes ours.
pub(crate) fn run(workspace: &Workspace, flips: usize) -> Outcome<u8> {
    let interrupts = Interrupts::watch()?;
    let throwaway = Throwaway::start(workspace, &interrupts)?;
    let mut command = Command::new("cargo");
    command.args([
        "test",
        "--workspace",
        "--test",
        "control",
        "--",
        "--nocapture",
        "--test-threads=1",
        "fleet_load",
    ]);
    command.current_dir(workspace.root());
    command.env("TEST_POSTGRES_URL", throwaway.url()).env("FICUS_FLIPS", flips.to_string());
    let status = command.status().context(|| "cannot start cargo".into());
    throwaway.stop(&interrupts);
    Ok(u8::from(!status?.success()))
}
