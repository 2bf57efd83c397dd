//! twin.toml: how both stacks are started, and what is played.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flask_compat::Profile;
use serde::Deserialize;

use crate::cli::exit::Exit;
use crate::shadow::compare::Side;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    /// A session, or a folder of sessions.
    pub(super) journey: PathBuf,
    /// The users' file.
    pub(super) users: Option<PathBuf>,
    /// What is sent in place of masks.
    pub(super) values: Option<PathBuf>,
    /// The variable with the URL of the database that is cloned.
    #[serde(default = "database_env")]
    pub(super) database_env: String,
    /// The variable with Flask's secret key.
    #[serde(default = "secret_key_env")]
    pub(super) secret_key_env: String,
    /// The variable with the Fernet keys of encrypted columns, with commas between them.
    pub(super) fernet_keys_env: Option<String>,
    /// The session cookie.
    #[serde(default = "session_cookie")]
    pub(super) session_cookie: String,
    /// The Host header.
    #[serde(default = "host")]
    pub(super) host: String,
    /// Tables that are not compared.
    #[serde(default)]
    pub(super) skip_tables: Vec<String>,
    /// How it should be.
    pub(super) left: StackPlan,
    /// What is tried.
    pub(super) right: StackPlan,
}

/// One of the stacks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StackPlan {
    /// `werkzeug-1.0`, `werkzeug-2.3`, `werkzeug-3.0`, `werkzeug-3.1`, or `rust`.
    pub(super) answers_as: String,
    /// Where it is asked.
    pub(super) url: String,
    /// What is started, in this order.
    pub(super) process: Vec<ProcessPlan>,
}

/// One program.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProcessPlan {
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    /// Where it is started; relative to the file.
    pub(super) directory: Option<PathBuf>,
    /// Its variables, beside those of this process.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// A URL that answers below 500, or `unix:/PATH` that takes connections, when it is ready.
    pub(super) ready: String,
}

fn database_env() -> String {
    "DATABASE_URL".to_owned()
}

fn secret_key_env() -> String {
    "FLASK_SECRET_KEY".to_owned()
}

fn session_cookie() -> String {
    "session".to_owned()
}

fn host() -> String {
    "localhost".to_owned()
}

impl Plan {
    /// Reads the file; its paths become those seen from here.
    pub(super) fn load(path: &Path) -> Result<Self, Exit> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Exit::failed(format!("cannot read `{shown}`: {error}")))?;
        let mut plan: Self =
            toml::from_str(&text).map_err(|error| Exit::failed(format!("`{shown}`: {error}")))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        plan.journey = folder.join(&plan.journey);
        plan.users = plan.users.as_ref().map(|users| folder.join(users));
        plan.values = plan.values.as_ref().map(|values| folder.join(values));
        for stack in [&mut plan.left, &mut plan.right] {
            stack.side()?;
            if stack.process.iter().any(|process| process.command.is_empty()) {
                return Err(Exit::failed(format!(
                    "`{shown}`: a `command` is empty: it is a list of a program and arguments"
                )));
            }
            for process in &mut stack.process {
                process.directory = Some(folder.join(process.directory.clone().unwrap_or_default()));
            }
        }
        Ok(plan)
    }
}

impl StackPlan {
    /// What stands there.
    pub(super) fn side(&self) -> Result<Side, Exit> {
        if self.answers_as == "rust" {
            return Ok(Side::Rust(Profile::Werkzeug10));
        }
        let profile: Profile = self.answers_as.parse().map_err(|error| {
            Exit::failed(format!("`answers_as = \"{}\"`: {error}, or `rust`", self.answers_as))
        })?;
        Ok(Side::Flask(profile))
    }
}
