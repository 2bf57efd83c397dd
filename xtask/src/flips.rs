//! `cargo xtask bench-flips [--flips N] [--profile NAME]`: how long the old side still answers after a flip, as clients see it,
//! on one node and on three that share PostgreSQL, and where the time goes. The two tests that CI runs with fewer flips and
//! in the profile for development; here it is the release build, which is what users run. They print the numbers, and fail
//! if a request fails, or if the p99 is not below 5 ms on one node and 100 ms on three.

use std::process::Command;

use crate::problem::{Context, Outcome, bail};
use crate::signals::Interrupts;
use crate::with_postgres::Throwaway;
use crate::workspace::Workspace;

/// What was asked for on the command line.
#[derive(Debug)]
pub(crate) struct Options {
    flips: usize,
    profile: String,
}

impl Options {
    /// Reads `[--flips N] [--profile NAME]`; a thousand of a release by default.
    pub(crate) fn parse(parser: &mut lexopt::Parser) -> Outcome<Self> {
        use lexopt::prelude::*;
        let mut options = Self { flips: 1_000, profile: "release".to_owned() };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("flips") => options.flips = parser.value()?.parse()?,
                Long("profile") => options.profile = parser.value()?.parse()?,
                other => return Err(other.unexpected().into()),
            }
        }
        if options.flips == 0 {
            bail!("`--flips` is at least 1");
        }
        Ok(options)
    }
}

/// Builds, and runs the tests one after the other; their exit code becomes ours.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Outcome<u8> {
    let interrupts = Interrupts::watch()?;
    let throwaway = Throwaway::start(workspace, &interrupts)?;
    let mut command = Command::new("cargo");
    command.args([
        "test",
        "--profile",
        options.profile.as_str(),
        "--workspace",
        "--test",
        "control",
        "--",
        "--nocapture",
        "--test-threads=1",
        "fleet_load",
    ]);
    command.current_dir(workspace.root());
    command.env("TEST_POSTGRES_URL", throwaway.url()).env("FICUS_FLIPS", options.flips.to_string());
    let status = command.status().context(|| "cannot start cargo".into());
    throwaway.stop(&interrupts);
    Ok(u8::from(!status?.success()))
}
