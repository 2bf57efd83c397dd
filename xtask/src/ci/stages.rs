//! The stages of `cargo ci`, in order, and what each runs. A new suite is one entry here. Features and profile are
//! the same in every cargo stage (`--workspace`, dev), so that nothing is compiled twice.

use std::fs;
use std::path::Path;

use crate::debian::on_path;
use crate::problem::{Context, Outcome, bail};
use crate::workspace::Workspace;
use crate::{floor_plan, licences, links, python, units};

use super::count::{self, Count};
use super::job::Run;

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
    pub(super) work: fn(&Run<'_>, &Path) -> Outcome<Count>,
}

/// All stages.
pub(super) const STAGES: &[Stage] = &[
    Stage { name: "fmt", about: "rustfmt changes nothing", lane: Lane::Cargo, work: fmt },
    Stage { name: "clippy", about: "no warnings, all targets", lane: Lane::Cargo, work: clippy },
    Stage { name: "build", about: "binaries and tests", lane: Lane::Cargo, work: build },
    Stage { name: "unit", about: "Rust tests of the whole workspace", lane: Lane::Cargo, work: unit },
    Stage { name: "doc-tests", about: "examples in Rust documentation", lane: Lane::Cargo, work: doc_tests },
    Stage { name: "licences", about: "dependencies against deny.toml", lane: Lane::Cargo, work: licences },
    Stage {
        name: "floor-plan",
        about: "who imports whom in proxy/src",
        lane: Lane::Python,
        work: floor_plan,
    },
    Stage { name: "links", about: "relative links in Markdown", lane: Lane::Python, work: links },
    Stage { name: "systemd", about: "units verify, exposure at most 2.0", lane: Lane::Python, work: systemd },
    Stage {
        name: "crm-flask-1.1",
        about: "the CRM's own tests on Flask 1.1.2",
        lane: Lane::Python,
        work: crm_flask_1_1,
    },
    Stage {
        name: "crm-flask-2.3",
        about: "the CRM's own tests on Flask 2.3",
        lane: Lane::Python,
        work: crm_flask_2_3,
    },
    Stage {
        name: "shim-flask-1.1",
        about: "the shim on Flask 1.1.2",
        lane: Lane::Python,
        work: shim_flask_1_1,
    },
    Stage {
        name: "shim-flask-2.3",
        about: "the shim on Flask 2.3",
        lane: Lane::Python,
        work: shim_flask_2_3,
    },
    Stage {
        name: "shim-flask-3.1",
        about: "the shim on Flask 3.1",
        lane: Lane::Python,
        work: shim_flask_3_1,
    },
    Stage { name: "shim-lint", about: "ruff and mypy on the shim", lane: Lane::Python, work: shim_lint },
    Stage {
        name: "routing",
        about: "our URL maps against the real Werkzeug",
        lane: Lane::Whole,
        work: routing,
    },
    Stage { name: "system", about: "real binary, Flask and PostgreSQL", lane: Lane::Whole, work: system },
    Stage { name: "browser", about: "journeys in headless Chromium", lane: Lane::Whole, work: browser },
];

fn fmt(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    run.cargo(log, &["fmt", "--all", "--check", "--", "--color=never"])?.check()
}

fn clippy(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    run.cargo(log, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?.check()
}

const BUILD: &[&str] = &["build", "--workspace", "--bins", "--tests"];

fn build(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    run.cargo(log, BUILD)?.check()
}

fn unit(run: &Run<'_>, log: &Path) -> Outcome<Count> {
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

/// Answers compared per version of Werkzeug, of which there are three.
const COMPARISONS: usize = 40_000;

fn routing(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    for environment in ["werkzeug-1.0", "werkzeug-2.3", "werkzeug-3.1"] {
        python::ensure(run.workspace, environment)?;
    }
    let arguments = [
        "test",
        "--workspace",
        "--test",
        "routing",
        "--",
        "--nocapture",
        "--exact",
        "agrees_with_real_werkzeug",
    ];
    let job = run.cargo(log, &arguments)?.env("FICUS_WERKZEUG_PYTHONS", "target/python");
    let count = job.env("FICUS_ROUTING_COMPARISONS", COMPARISONS.to_string()).tests(count::cargo_test)?;
    let output = fs::read_to_string(log).unwrap_or_default();
    let compared = count::sum_before(&output, "answers agree");
    if count.failed == 0 && compared < 3 * COMPARISONS {
        bail!("only {compared} answers were compared, of {}", 3 * COMPARISONS);
    }
    Ok(count)
}

fn system(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    whole(run, log, &["tests", "--ignore=tests/browser"])
}

fn browser(run: &Run<'_>, log: &Path) -> Outcome<Count> {
    whole(run, log, &["tests/browser"])
}

/// The suites that drive real binaries; `--only` may be the first to build them.
fn whole(run: &Run<'_>, log: &Path, what: &[&str]) -> Outcome<Count> {
    run.cargo(log, BUILD)?.check()?;
    for environment in ["flask-1.1", "flask-2.3"] {
        python::ensure(run.workspace, environment)?;
    }
    let binaries = run.workspace.binary("");
    let job = run.python(log, "tests", &[PYTEST, what].concat())?.with_postgres()?;
    job.env("FICUS_BINARIES", binaries).tests(count::pytest)
}
