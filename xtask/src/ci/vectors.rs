//! The stage `vectors`: flask-compat against the real packages, in both directions. What Python writes is still what
//! the committed vectors say (the Rust tests read those), and what Rust writes is read by Python.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::problem::{Context, Outcome, Problem, bail};

use super::count::Count;
use super::job::Run;

const VECTORS: &str = "legacy-shim/rust/tests/vectors";

/// All generations of Flask, then the forms on both environments of the CRM.
pub(super) fn check(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    super::stages::build(run, log)?;
    let minted = log.with_extension("json");
    mint(run, &minted)?;
    let mut sum = Count::default();
    for flask in ["1.1", "2.3", "3.0", "3.1"] {
        sum = sum.plus(regenerate(run, log, flask)?);
        let script = format!("{VECTORS}/verify.py");
        sum = sum.plus(run.script(log, &python_name(flask), &[&script])?.input(&minted)?.check()?);
    }
    for environment in ["flask-1.1", "flask-2.3"] {
        let script = "legacy-shim/rust/tests/forms_vectors.py";
        let job = run.script(log, environment, &[script, "--check"])?;
        let shim = run.workspace.path("legacy-shim/python/src");
        sum = sum.plus(job.env("PYTHONPATH", shim).check()?);
    }
    Ok(sum)
}

/// Lets Rust write sessions, tokens and hashes.
fn mint(run: &Run<'_>, into: &Path) -> Outcome {
    let program = run.workspace.binary("examples/mint");
    let output = Command::new(&program).stdin(Stdio::null()).output();
    let output = output.context(|| format!("cannot start `{}`", program.display()))?;
    if !output.status.success() {
        bail!("`mint` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    fs::write(into, output.stdout).context(|| format!("cannot write `{}`", into.display()))
}

/// Writes the vectors again, elsewhere; every file must come out as it is committed.
fn regenerate(run: &Run<'_>, log: &Path, flask: &str) -> Outcome<Count> {
    let fresh = run.workspace.python(&format!("vectors-{flask}.fresh"));
    let _ = fs::remove_dir_all(&fresh);
    let generator = format!("{VECTORS}/generator");
    let target = fresh.display().to_string();
    run.script(log, &python_name(flask), &[&generator, &target])?.check()?;
    let committed = run.workspace.path(format!("{VECTORS}/flask-{flask}"));
    let names = file_names(&fresh)?;
    if names.is_empty() || names != file_names(&committed)? {
        bail!("the generator writes other files than `{}` has", run.workspace.short(&committed));
    }
    let differs = |name: &&String| fs::read(fresh.join(name)).ok() != fs::read(committed.join(name)).ok();
    let different: Vec<&str> = names.iter().filter(differs).map(String::as_str).collect();
    if different.is_empty() {
        return Ok(Count { passed: names.len(), ..Count::default() });
    }
    let place = run.workspace.short(&committed);
    Err(Problem::new(format!("Flask {flask} no longer writes what `{place}` says: {}", different.join(", "))))
}

fn python_name(flask: &str) -> String {
    format!("vectors-{flask}")
}

fn file_names(folder: &Path) -> Outcome<Vec<String>> {
    let entries = fs::read_dir(folder).context(|| format!("cannot read `{}`", folder.display()))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}
