//! What the machine must have before anything long starts. As root on Debian the doctor installs what is missing;
//! for anybody else it lists everything that is missing at once, and the one line that installs it.

use std::path::PathBuf;
use std::process::Command;

use crate::debian::{self, on_path};
use crate::postgres::Binaries;
use crate::problem::{Outcome, Problem};
use crate::python;
use crate::supervise::ask;
use crate::workspace::Workspace;

/// How much of the repository is going to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// `cargo demo`: build and run.
    Demo,
    /// `cargo ci`: also the browser tests and the check of the units.
    Ci,
}

/// One thing the machine must have.
struct Need {
    name: &'static str,
    why: &'static str,
    packages: &'static [&'static str],
    present: fn() -> bool,
}

const BUILD: &[Need] = &[
    Need {
        name: "a C compiler and make",
        why: "SQLite, zlib-ng and ring are C",
        packages: &["build-essential"],
        present: || on_path("cc").is_some() && on_path("make").is_some(),
    },
    Need {
        name: "cmake",
        why: "builds zlib-ng for pingora",
        packages: &["cmake"],
        present: || on_path("cmake").is_some(),
    },
    Need {
        name: "Python 3.10 or 3.11 with venv",
        why: "the legacy application runs on it",
        packages: &["python3", "python3-venv"],
        present: || python::interpreter().is_some(),
    },
];

const TESTS: &[Need] = &[
    Need {
        name: "chromium",
        why: "browser tests",
        packages: &["chromium"],
        present: || on_path("chromium").is_some(),
    },
    Need {
        name: "chromedriver",
        why: "browser tests",
        packages: &["chromium-driver"],
        present: || on_path("chromedriver").is_some(),
    },
    Need {
        name: "systemd-analyze",
        why: "checks deploy/systemd",
        packages: &["systemd"],
        present: || on_path("systemd-analyze").is_some(),
    },
];

/// PostgreSQL may also come from a wheel, so it is only wished for.
const POSTGRES: Need = Need {
    name: "PostgreSQL server binaries",
    why: "the CRM's database",
    packages: &["postgresql"],
    present: || Binaries::on_machine().is_some(),
};

/// Checks, installs what it may, and says in one line what there is.
pub(crate) fn examine(workspace: &Workspace, scope: Scope) -> Outcome<String> {
    let missing = missing(scope);
    if !missing.is_empty() {
        if !(debian::root() && debian::here()) {
            return Err(Problem::new(report(&missing)));
        }
        let packages = packages(&missing);
        eprintln!("doctor: installing {}", packages.join(" "));
        debian::install(&packages, &workspace.log("apt")?)?;
        let still: Vec<&Need> = missing.into_iter().filter(|need| !(need.present)()).collect();
        if !still.is_empty() {
            return Err(Problem::new(report(&still)));
        }
    }
    Ok(summary(scope))
}

fn missing(scope: Scope) -> Vec<&'static Need> {
    let tests = if scope == Scope::Ci { TESTS } else { &[] };
    let mut missing: Vec<&Need> = BUILD.iter().chain(tests).filter(|need| !(need.present)()).collect();
    let can_install = debian::root() && debian::here() && debian::postgresql_is_safe_to_install();
    if can_install && !(POSTGRES.present)() {
        missing.push(&POSTGRES);
    }
    missing
}

fn packages(needs: &[&Need]) -> Vec<&'static str> {
    needs.iter().flat_map(|need| need.packages).copied().collect()
}

/// Every problem, then the line to paste.
fn report(missing: &[&Need]) -> String {
    let lines: Vec<String> =
        missing.iter().map(|need| format!("  missing: {} ({})", need.name, need.why)).collect();
    let cure = if debian::here() {
        format!("install it with:\n  {}", debian::line(&packages(missing)))
    } else {
        "install it with your system's package manager (on Debian this command does it itself, as root)"
            .into()
    };
    format!("this machine lacks something\n{}\n{cure}", lines.join("\n"))
}

fn summary(scope: Scope) -> String {
    let version = |program: &str, word: usize| {
        let text = ask(program, &["--version"])?;
        text.lines().next()?.split_whitespace().nth(word).map(str::to_owned)
    };
    let mut parts = Vec::new();
    let mut part = |name: &str, version: Option<String>| {
        parts.push(format!("{name} {}", version.unwrap_or_else(|| "ok".into())))
    };
    part("rust", version("rustc", 1));
    part("cc", ask("cc", &["-dumpversion"]));
    part("cmake", version("cmake", 2));
    part("python", python::interpreter().map(|interpreter| interpreter.version));
    part(
        "postgresql",
        Some(Binaries::on_machine().map_or_else(|| "from a wheel".into(), |found| found.version())),
    );
    if scope == Scope::Ci {
        part("chromium", chromium_version());
    }
    parts.join(" · ")
}

fn chromium_version() -> Option<String> {
    let program: PathBuf = on_path("chromium")?;
    let output = Command::new(program).args(["--version", "--no-sandbox"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_at_once_with_its_packages() {
        let needs: Vec<&Need> = BUILD.iter().chain(TESTS).collect();
        let text = report(&needs);
        for need in needs {
            assert!(text.contains(need.name), "{text}");
        }
        assert!(packages(&[&BUILD[1], &BUILD[2]]) == ["cmake", "python3", "python3-venv"]);
    }
}
