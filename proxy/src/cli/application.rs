//! Which Flask application is meant: flags that `init`, `census`, `prove-routes` and `check-templates` share, and their files.

use std::path::PathBuf;

use clap::Args;

use crate::census::{Interpreter, ShimError};

use super::arguments::Common;
use super::exit::Exit;

/// The application.
#[derive(Debug, Args)]
pub(super) struct Application {
    /// The Flask application or its factory: `wsgi:app`, `crm:create_app`
    #[arg(long, value_name = "MODULE[:NAME]")]
    pub(super) flask: String,
    /// Its Python, which needs legacy-shim [default: the active virtual environment, .venv or venv in its directory,
    /// python3]
    #[arg(long, value_name = "PATH")]
    pub(super) python: Option<PathBuf>,
    /// The directory that it is started in
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub(super) dir: PathBuf,
}

impl Application {
    /// What answers for it.
    pub(super) fn interpreter(&self) -> Interpreter {
        Interpreter::new(self.python.as_deref(), &self.dir, &self.flask)
    }

    /// The common flags, with the ficus.toml in the application's directory if no other is named or here.
    pub(super) fn files(&self, common: &Common) -> Common {
        let mut common = common.clone();
        let beside = self.dir.join("ficus.toml");
        if common.inputs().config_path().is_none() && beside.exists() {
            common.config = Some(beside);
        }
        common
    }
}

impl From<ShimError> for Exit {
    fn from(error: ShimError) -> Self {
        Exit::failed(error.to_string())
    }
}
