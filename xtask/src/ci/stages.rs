//! The stages of `cargo ci`, in order, and what each runs. A new suite is one entry here. Features and profile are
//! the same in every cargo stage (`--workspace`, dev), so that nothing is compiled twice.

use std::fs;
use std::path::Path;

use crate::debian::on_path;
use crate::problem::{Context, Outcome, bail};
use crate::workspace::Workspace;
use crate::{floor_plan, licences, links, peers, promtool, python, units};

use super::count::{self, Count};
use super::job::Run;
use super::vectors;

/// Lanes run beside each other, the stages of a lane one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Whatever compiles.
    Cargo,
    /// Whatever does not.
    Python,
    /// Needs the results of both.
    Whole,
}

/// One line of the report.
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) lane: Lane,
    pub(super) work: Work,
}

type Work = fn(&Run<'_>, &Path) -> Outcome<Count>;

const fn stage(lane: Lane, name: &'static str, about: &'static str, work: Work) -> Stage {
    Stage { name, about, lane, work }
}

/// All stages.
pub(super) const STAGES: &[Stage] = &[
    stage(Lane::Cargo, "fmt", "rustfmt changes nothing", fmt),
    stage(Lane::Cargo, "clippy", "no warnings, all targets", clippy),
    stage(Lane::Cargo, "build", "binaries and tests", build),
    stage(Lane::Cargo, "unit", "Rust tests of the whole workspace", unit),
    stage(Lane::Cargo, "doc-tests", "examples in Rust documentation", doc_tests),
    stage(Lane::Cargo, "licences", "dependencies against deny.toml", licences),
    stage(Lane::Python, "floor-plan", "who imports whom in proxy/src", floor_plan),
    stage(Lane::Python, "links", "relative links in Markdown", links),
    stage(Lane::Python, "systemd", "units verify, exposure at most 2.0", systemd),
    stage(Lane::Python, "crm-flask-1.1", "the CRM's own tests on Flask 1.1.2", crm_flask_1_1),
    stage(Lane::Python, "crm-flask-2.3", "the CRM's own tests on Flask 2.3", crm_flask_2_3),
    stage(Lane::Python, "shim-flask-1.1", "the shim on Flask 1.1.2", shim_flask_1_1),
    stage(Lane::Python, "shim-flask-2.3", "the shim on Flask 2.3", shim_flask_2_3),
    stage(Lane::Python, "shim-flask-3.1", "the shim on Flask 3.1", shim_flask_3_1),
    stage(Lane::Python, "shim-lint", "ruff and mypy on the shim", shim_lint),
    stage(Lane::Whole, "vectors", "what Python and Rust write, read by the other", vectors::check),
    stage(Lane::Whole, "routing", "our URL maps and form bodies against the real Werkzeug", routing),
    stage(Lane::Whole, "system", "real binary, Flask and PostgreSQL", system),
    stage(Lane::Whole, "shadow-proof", "seeded faults found, false mismatches under load", shadow_proof),
    stage(Lane::Whole, "parity-2.3", "the parity cases against Flask 2.3", parity_2_3),
    stage(Lane::Whole, "conformance", "HTTP by the letter, beside nginx, HAProxy and Envoy", conformance),
    stage(Lane::Whole, "faults", "open-loop load while parts fail; memory", faults),
    stage(Lane::Whole, "browser", "journeys in headless Chromium", browser),
];

fn fmt(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    run.cargo(log, &["fmt", "--all", "--check", "--", "--color=never"])?.check()
}

fn clippy(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    run.cargo(log, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?.check()
}

const BUILD: &[&str] = &["build", "--workspace", "--bins", "--tests", "--examples"];

pub(super) fn build(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    run.cargo(log, BUILD)?.check()
}

fn unit(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    // The census asks real Flask applications.
    for environment in
        ["flask-1.1", "flask-2.3", "shim-flask-1.1", "shim-flask-2.3", "shim-flask-3.1", "apps"]
    {
        python::ensure(run.workspace, environment)?;
    }
    if on_path("cargo-nextest").is_some() {
        let arguments = ["nextest", "run", "--workspace", "--no-fail-fast"];
        return run.cargo(log, &arguments)?.with_postgres()?.tests(count::nextest);
    }
    let arguments = ["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"];
    run.cargo(log, &arguments)?.with_postgres()?.tests(count::cargo_test)
}

fn doc_tests(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    run.cargo(log, &["test", "--workspace", "--doc", "--no-fail-fast"])?.tests(count::cargo_test)
}

/// Runs one of xtask's own checks; what it says goes to the log.
fn own(run: &Run<'_>, log: &Path, check: fn(&Workspace) -> Outcome<String>) -> Outcome<Count> {
    let told = check(run.workspace)?;
    fs::write(log, told).context(|| format!("cannot write `{}`", log.display()))?;
    Ok(Count::PASSED)
}

fn licences(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    let count = own(run, log, licences::check)?;
    if on_path("cargo-deny").is_none() {
        return Ok(count);
    }
    let deny = ["deny", "--offline", "--log-level", "error", "check", "bans", "licenses", "sources"];
    Ok(count.plus(run.cargo(log, &deny)?.check()?))
}

fn floor_plan(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    own(run, log, floor_plan::check)
}

fn links(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    own(run, log, links::check)
}

fn systemd(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    own(run, log, units::check)
}

const PYTEST: &[&str] = &["pytest", "-p", "no:cacheprovider", "--color=no", "-ra"];

fn crm_flask_1_1(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    crm(run, log, "flask-1.1")
}

fn crm_flask_2_3(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    crm(run, log, "flask-2.3")
}

fn crm(run: &Run<'_>, log: &Path, environment: &str) -> Outcome<Count> {
    let job = run.python(log, environment, &[PYTEST, &["tests"]].concat())?.with_postgres()?;
    job.dir("legacy-crm").env("PYTHONPATH", run.workspace.path("legacy-shim/python/src")).tests(count::pytest)
}

fn shim_flask_1_1(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    shim(run, log, "shim-flask-1.1")
}

fn shim_flask_2_3(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    shim(run, log, "shim-flask-2.3")
}

fn shim_flask_3_1(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    shim(run, log, "shim-flask-3.1")
}

fn shim(run: &Run<'_>, log: &Path, environment: &str) -> Outcome<Count> {
    let job = run.python(log, environment, &[PYTEST, &["tests"]].concat())?;
    job.dir("legacy-shim/python")
        .env("PYTHONPATH", run.workspace.path("legacy-shim/python/src"))
        .tests(count::pytest)
}

fn shim_lint(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    let ruff =
        run.python(log, "lint", &["ruff", "check", "--no-cache", "."])?.dir("legacy-shim/python").check()?;
    let cache = ["mypy", "--cache-dir=/dev/null"];
    Ok(ruff.plus(run.python(log, "lint", &cache)?.dir("legacy-shim/python").check()?))
}

/// The versions of Werkzeug with a profile, each an environment.
const WERKZEUGS: [&str; 4] = ["werkzeug-1.0", "werkzeug-2.3", "werkzeug-3.0", "werkzeug-3.1"];

/// Answers compared per version.
const COMPARISONS: usize = 40_000;

/// Form bodies compared per version.
const FORMS: usize = 3_000;

fn routing(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    for environment in WERKZEUGS {
        python::ensure(run.workspace, environment)?;
    }
    let arguments = [
        "test",
        "--workspace",
        "--test",
        "routing",
        "--test",
        "form_bodies",
        "--",
        "--nocapture",
        "--exact",
        "agrees_with_real_werkzeug",
    ];
    let job = run.cargo(log, &arguments)?.env("FICUS_WERKZEUG_PYTHONS", "target/python");
    let count = job.env("FICUS_ROUTING_COMPARISONS", COMPARISONS.to_string());
    let count = count.env("FICUS_FORM_COMPARISONS", FORMS.to_string()).tests(count::cargo_test)?;
    let output = fs::read_to_string(log).unwrap_or_default();
    let compared = count::sum_before(&output, "answers agree");
    let wanted = WERKZEUGS.len() * (COMPARISONS + FORMS);
    if count.failed == 0 && compared < wanted {
        bail!("only {compared} answers were compared, of {wanted}");
    }
    Ok(count)
}

fn system(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    whole(
        run,
        log,
        &[
            "tests",
            "--ignore=tests/browser",
            "--ignore=tests/conformance",
            "--ignore=tests/faults",
            "--ignore=tests/shadow/test_proof.py",
        ],
    )
}

fn shadow_proof(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    whole(run, log, &["tests/shadow/test_proof.py"])
}

fn parity_2_3(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    whole(run, log, &["tests/parity", "--flask=2.3"])
}

/// Scripted origins only: neither Flask nor PostgreSQL.
fn faults(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    run.cargo(log, BUILD)?.check()?;
    python::ensure(run.workspace, "flask-1.1")?;
    let job = run.python(log, "tests", &[PYTEST, &["tests/faults"]].concat())?;
    job.env("FICUS_BINARIES", run.workspace.binary("")).tests(count::pytest)
}

fn browser(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    whole(run, log, &["tests/browser"])
}

fn conformance(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    run.cargo(log, BUILD)?.check()?;
    python::ensure(run.workspace, "flask-1.1")?;
    let peers = peers::ensure(run.workspace)?;
    let mut job = run.python(log, "tests", &[PYTEST, &["tests/conformance"]].concat())?;
    for (name, value) in peers.variables() {
        job = job.env(name, value);
    }
    job.env("FICUS_BINARIES", run.workspace.binary("")).tests(count::pytest)
}

/// The suites that drive real binaries; `--only` may be the first to build them.
fn whole(run: &Run<'_>, log: &Path, what: &[&str]) -> Outcome<Count> {
    run.cargo(log, BUILD)?.check()?;
    for environment in ["flask-1.1", "flask-2.3"] {
        python::ensure(run.workspace, environment)?;
    }
    let binaries = run.workspace.binary("");
    let job = run.python(log, "tests", &[PYTEST, what].concat())?.with_postgres()?;
    let promtool = promtool::ensure(run.workspace)?;
    job.env("FICUS_BINARIES", binaries).env("PROMTOOL", promtool).tests(count::pytest)
}
