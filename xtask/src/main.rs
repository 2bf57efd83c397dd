//! The front door of the repository. `cargo demo` and `cargo ci` are aliases that land here; `cargo xtask` has a few
//! more commands. This file reads the command line and calls the room that does the work: `demo`, `ci`, `bench`, `doctor`,
//! `with_postgres`, `python`, and the checks `floor_plan`, `licences`, `links` and `units`.

mod bench;
mod build;
mod ci;
mod debian;
mod demo;
mod doctor;
mod flips;
mod floor_plan;
mod http;
mod licences;
mod links;
mod peers;
mod postgres;
mod problem;
mod processes;
mod progress;
mod promtool;
mod python;
mod shadow;
mod signals;
mod soak;
mod supervise;
mod trials;
mod units;
mod with_postgres;
mod workspace;

use std::process::ExitCode;

use lexopt::prelude::*;

use doctor::Scope;
use problem::{Outcome, bail};
use workspace::Workspace;

const USAGE: &str = "\
cargo demo [--traffic] [--size small|large] [--reset]
    the stand-in CRM, PostgreSQL, the proxy and the Rust handlers, up and running
cargo ci [--only STAGE]... [--list]
    every check and every test
cargo bench-proxy [--quick] [--only NAME]... [--rounds N] [--seconds N] [--rate N] [--workers N] [--profile NAME]
    Ficus beside bare pingora, nginx, HAProxy and Envoy: CPU, latency, memory
cargo bench-proxy --counts
    instructions, allocations and system calls per request of bare pingora and Ficus
cargo xtask COMMAND
    doctor [--ci]              looks at the machine; as root on Debian installs what is missing
    nightly [--comparisons N] [--fuzz-seconds N] [--soak-seconds N] [--seed N]
                               what is too long for ci: 10 million comparisons with Werkzeug, fuzzing, soaks
    with-postgres -- COMMAND   runs a command with a throwaway PostgreSQL in TEST_POSTGRES_URL
    python [NAME]...           makes virtual environments under target/python (all of them by default)
    conformance [CASE]...      Ficus beside nginx, HAProxy and Envoy: the scoreboard of tests/conformance
    soak [--minutes N]         Ficus under load and faults for an hour: memory must not grow
    prove-shadow [--comparisons N] [--fault NAME]
                               seeded faults that shadow traffic finds, and false mismatches under load
    shadow-latency [--requests N] [--rate N]
                               what users wait with shadow traffic off, on, and on with the other side hung
    bench-flips [--flips N] [--profile NAME]
                               how long the old side answers after a flip, on one node and on three, and where the
                               time goes; a release build, as users run it, unless another profile is named
    trials [--trials N] [--rate N]
                               5 % of errors, slow and wrong answers, 50 times each: guards roll back in time
    aa [--minutes N] [--rate N]
                               equal sides for an hour, 60 requests a second: no guard trips
    floor-plan                 checks who imports whom in proxy/src
    licences                   checks the licences of all dependencies against deny.toml
    links                      checks the relative links in all Markdown files
    units                      checks the systemd units";

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<u8> {
    let workspace = Workspace::find()?;
    let mut parser = lexopt::Parser::from_env();
    let Some(first) = parser.next()? else {
        println!("{USAGE}");
        return Ok(2);
    };
    let Value(name) = first else {
        let help = matches!(first, Long("help") | Short('h'));
        println!("{USAGE}");
        return Ok(if help { 0 } else { 2 });
    };
    let done = |()| 0;
    match name.to_string_lossy().as_ref() {
        "demo" => demo::run(&workspace, demo::Options::parse(&mut parser)?).map(done),
        "ci" => ci::run(&workspace, &ci::Options::parse(&mut parser)?),
        "bench-proxy" => bench::run(&workspace, &bench::Options::parse(&mut parser)?).map(done),
        "nightly" => ci::nightly::run(&workspace, ci::nightly::Options::parse(&mut parser)?),
        "with-postgres" => with_postgres::run(&workspace, &rest(&mut parser)?),
        "doctor" => {
            let scope = if flag(&mut parser, "ci")? { Scope::Ci } else { Scope::Demo };
            doctor::examine(&workspace, scope).map(|found| println!("{found}")).map(done)
        }
        "python" => make_environments(&workspace, &rest(&mut parser)?).map(done),
        "conformance" => conformance(&workspace, &rest(&mut parser)?),
        "soak" => soak::run(&workspace, soak::minutes(&mut parser)?),
        "prove-shadow" => shadow::Proof::parse(&mut parser)?.run(&workspace),
        "shadow-latency" => shadow::latency(&workspace, &rest(&mut parser)?),
        "bench-flips" => flips::run(&workspace, &flips::Options::parse(&mut parser)?),
        "trials" => trials::run(&workspace, trials::Trials::faults(&mut parser)?),
        "aa" => trials::run(&workspace, trials::Trials::equal(&mut parser)?),
        "floor-plan" => floor_plan::check(&workspace).map(|found| println!("{found}")).map(done),
        "licences" => licences::check(&workspace).map(|found| println!("{found}")).map(done),
        "links" => links::check(&workspace).map(|found| println!("{found}")).map(done),
        "units" => units::check(&workspace).map(|found| println!("{found}")).map(done),
        other => bail!("`{other}` is not a command\n\n{USAGE}"),
    }
}

/// Everything that is left on the command line.
fn rest(parser: &mut lexopt::Parser) -> Outcome<Vec<std::ffi::OsString>> {
    let words: Vec<_> = parser.raw_args()?.collect();
    let skip = usize::from(words.first().is_some_and(|word| word == "--"));
    Ok(words.into_iter().skip(skip).collect())
}

/// Whether the one flag there is was given.
fn flag(parser: &mut lexopt::Parser, name: &str) -> Outcome<bool> {
    let mut given = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Long(long) if long == name => given = true,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(given)
}

/// Runs the cases, all of them by default, and prints the scoreboard.
fn conformance(workspace: &Workspace, cases: &[std::ffi::OsString]) -> Outcome<u8> {
    let bin = python::ensure(workspace, "tests")?;
    let mut command = std::process::Command::new(bin.join("python"));
    command.args(["-m", "conformance"]).args(cases).current_dir(workspace.path("tests"));
    command.env("FICUS_BINARIES", workspace.binary(""));
    for (name, value) in peers::ensure(workspace)?.variables() {
        command.env(name, value);
    }
    let status =
        command.status().map_err(|error| problem::Problem::new(format!("cannot run Python: {error}")))?;
    Ok(u8::from(!status.success()))
}

fn make_environments(workspace: &Workspace, names: &[std::ffi::OsString]) -> Outcome {
    let names: Vec<String> = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let all =
        || python::names().filter(|name| !["postgres", "envoy"].contains(name)).map(str::to_owned).collect();
    for name in if names.is_empty() { all() } else { names } {
        println!("{}", workspace.short(&python::ensure(workspace, &name)?));
    }
    Ok(())
}
