//! `cargo xtask prove-shadow`: the seeded faults, of reads and writes, and the false mismatches of tests/shadow, with figures.
//! `cargo xtask shadow-latency`: what users wait with shadow traffic off, on, on with the other side hung, and while users'
//! traffic is recorded.

use std::ffi::OsString;
use std::process::Command;

use crate::build::build;
use crate::problem::{Context, Outcome};
use crate::workspace::Workspace;
use crate::{python, with_postgres};

/// What the proof runs.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    comparisons: Option<u64>,
    fault: Option<String>,
}

impl Proof {
    /// Reads `[--comparisons N] [--fault NAME]`.
    pub(crate) fn parse(parser: &mut lexopt::Parser) -> Outcome<Self> {
        use lexopt::prelude::*;
        let mut proof = Self::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("comparisons") => proof.comparisons = Some(parser.value()?.parse()?),
                Long("fault") => proof.fault = Some(parser.value()?.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(proof)
    }

    /// Builds what is needed and runs the tests in sight; their exit code becomes ours.
    pub(crate) fn run(&self, workspace: &Workspace) -> Outcome<u8> {
        build(workspace, &["--workspace", "--bins", "--examples"], || false, |_, _| {})?;
        for environment in ["flask-1.1", "flask-2.3"] {
            python::ensure(workspace, environment)?;
        }
        let python = python::ensure(workspace, "tests")?.join("python");
        let tests = ["tests/shadow/test_proof.py", "tests/shadow/test_writes.py"];
        let mut command: Vec<OsString> = vec![python.into()];
        command.extend(["-m", "pytest", "-p", "no:cacheprovider"].map(OsString::from));
        command.extend(tests.map(|test| workspace.path(test).into_os_string()));
        let mut environment = vec![("FICUS_BINARIES", workspace.binary("").into_os_string())];
        if let Some(comparisons) = self.comparisons {
            environment.push(("FICUS_PROOF_COMPARISONS", comparisons.to_string().into()));
        }
        if let Some(fault) = &self.fault {
            environment.push(("FICUS_PROOF_FAULT", fault.into()));
            command.extend(["-k", "seeded"].map(OsString::from));
        } else {
            // Of the tests of writes, those that seed faults.
            command.extend(["-k", "test_proof or wrong_write"].map(OsString::from));
        }
        let assigned = environment.into_iter().map(|(name, value)| {
            let mut word = OsString::from(format!("{name}="));
            word.push(value);
            word
        });
        let command: Vec<OsString> = std::iter::once("env".into()).chain(assigned).chain(command).collect();
        with_postgres::run(workspace, &command)
    }
}

/// Builds, and runs the measurement; what is left on the command line goes to it.
pub(crate) fn latency(workspace: &Workspace, arguments: &[OsString]) -> Outcome<u8> {
    build(workspace, &["--workspace", "--bins"], || false, |_, _| {})?;
    let python = python::ensure(workspace, "tests")?.join("python");
    let mut command = Command::new(python);
    command.arg(workspace.path("tests/shadow/latency.py")).arg("--binary").arg(workspace.binary("ficus"));
    let status = command.args(arguments).status().context(|| "cannot start Python".into())?;
    Ok(u8::from(!status.success()))
}
