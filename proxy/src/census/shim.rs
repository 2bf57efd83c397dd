//! Asks the application through the shim, in the application's own interpreter: `PYTHON -m legacy_shim`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use thiserror::Error;

use super::document::Census;
use super::needs::Needs;

/// The application's interpreter, and where and what it runs.
#[derive(Debug, Clone)]
pub struct Interpreter {
    python: PathBuf,
    /// The interpreter as people wrote it.
    shown: String,
    directory: PathBuf,
    app: String,
}

/// Why the application cannot be asked.
#[derive(Debug, Error)]
pub enum ShimError {
    /// No such program.
    #[error("cannot start `{python}`: {cause}\nname the application's interpreter with `--python`")]
    NotStarted {
        /// The interpreter.
        python: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The shim is not installed there.
    #[error(
        "`{python}` has no legacy-shim\n`{python} -m pip install FICUS/legacy-shim/python` puts it beside the application's Flask; FICUS is where the source of Ficus is"
    )]
    NoShim {
        /// The interpreter.
        python: String,
    },
    /// The application is not where it was said to be.
    #[error("{message}\nthe directory is `{directory}`; `--dir` names another")]
    NotFound {
        /// What is not there.
        message: String,
        /// Where it was looked for.
        directory: String,
    },
    /// The application's own start-up fails.
    #[error("`{app}` does not start: {message}{}", place.as_ref().map(|place| format!("\nat {place}")).unwrap_or_default())]
    DoesNotStart {
        /// The application.
        app: String,
        /// The last line of its traceback.
        message: String,
        /// File, line and function.
        place: Option<String>,
    },
    /// The process ended in another way.
    #[error("`{python} -m legacy_shim` failed: {message}")]
    Failed {
        /// The interpreter.
        python: String,
        /// The last line of what it said.
        message: String,
    },
    /// What it says is not what this ficus understands.
    #[error("the shim answers in another way ({0}); it must be of the same release as ficus")]
    Answer(#[from] serde_json::Error),
}

/// The document of an application that does not start.
#[derive(Debug, Deserialize)]
struct Trouble {
    error: Reason,
}

#[derive(Debug, Deserialize)]
struct Reason {
    problem: String,
    message: String,
    #[serde(rename = "where")]
    place: Option<String>,
}

impl Interpreter {
    /// The interpreter `python`, else the one of the active environment, of `.venv` or `venv` in the directory, else
    /// `python3`.
    #[must_use]
    pub fn new(python: Option<&Path>, directory: &Path, app: &str) -> Self {
        let active = || std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
        let local = || [".venv", "venv"].iter().map(|name| directory.join(name)).find(|path| path.is_dir());
        let python = python.map(Path::to_owned).unwrap_or_else(|| match active().or_else(local) {
            Some(environment) => environment.join("bin/python"),
            None => PathBuf::from("python3"),
        });
        let shown = python.display().to_string();
        // A path is meant from here, not from the application's directory; a bare name is looked up.
        let named = python.components().count() > 1;
        let python = std::path::absolute(&python).ok().filter(|_| named).unwrap_or(python);
        Self { python, shown, directory: directory.to_owned(), app: app.to_owned() }
    }

    /// Takes the census.
    pub fn census(&self) -> Result<Census, ShimError> {
        self.document("census", &[])
    }

    /// Asks what would go with the view of an endpoint, and who needs it.
    pub fn needs(&self, endpoint: &str) -> Result<Needs, ShimError> {
        self.document("retire", &["--endpoint", endpoint])
    }

    fn document<T: for<'de> Deserialize<'de>>(&self, word: &str, arguments: &[&str]) -> Result<T, ShimError> {
        let mut command = self.command(word);
        command.args(arguments).stdin(Stdio::null());
        let output = command.output().map_err(|cause| self.not_started(cause))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.lines().next() {
            Some(document) if output.status.success() => Ok(serde_json::from_str(document)?),
            first => Err(self.trouble(first.unwrap_or_default(), &output)),
        }
    }

    /// `PYTHON -m legacy_shim WORD --app APP`, in the application's directory.
    pub(super) fn command(&self, word: &str) -> Command {
        let mut command = Command::new(&self.python);
        command
            .args(["-m", "legacy_shim", word, "--app", &self.app])
            .current_dir(&self.directory)
            // Looking at an application leaves nothing behind in its directory.
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// What the first line of an unhappy process, or the end of its standard error, comes to.
    pub(super) fn trouble(&self, first: &str, output: &Output) -> ShimError {
        let python = self.shown.clone();
        if let Ok(Trouble { error }) = serde_json::from_str(first) {
            return match error.problem.as_str() {
                "not found" => ShimError::NotFound {
                    message: error.message,
                    directory: self.directory.display().to_string(),
                },
                _ => ShimError::DoesNotStart {
                    app: self.app.clone(),
                    message: error.message,
                    place: error.place,
                },
            };
        }
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("No module named legacy_shim") {
            return ShimError::NoShim { python };
        }
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        let message = last.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned());
        ShimError::Failed { python, message }
    }

    /// It answers, but not well.
    pub(super) fn failed(&self, message: String) -> ShimError {
        ShimError::Failed { python: self.shown.clone(), message }
    }

    /// The interpreter cannot be started at all; a directory that is not there looks the same to the system.
    pub(super) fn not_started(&self, cause: std::io::Error) -> ShimError {
        if !self.directory.is_dir() {
            let directory = self.directory.display().to_string();
            return ShimError::NotFound {
                message: "the application's directory is not there".to_owned(),
                directory,
            };
        }
        ShimError::NotStarted { python: self.shown.clone(), cause }
    }
}
