//! The shim's process: a question a line in, an answer a line out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::census::child::Child;
use crate::census::shim::{Interpreter, ShimError};

/// What the application says first.
#[derive(Debug, Clone, Deserialize)]
pub struct Facts {
    /// What it runs on.
    pub versions: Versions,
    /// The nearest profile.
    pub profile: String,
    /// Its views, and what they render.
    pub routes: Vec<RouteTemplates>,
    /// Options of its Jinja environment that are not Flask's.
    pub options: Vec<String>,
    /// Filters of its own.
    pub filters: Vec<String>,
    /// Tests of its own.
    pub tests: Vec<String>,
}

/// Versions of what renders.
#[derive(Debug, Clone, Deserialize)]
pub struct Versions {
    /// Flask's.
    pub flask: String,
    /// Jinja2's.
    pub jinja: String,
}

/// A view and its templates.
#[derive(Debug, Clone, Deserialize)]
pub struct RouteTemplates {
    /// The endpoint.
    pub endpoint: String,
    /// Names of templates, as far as the source tells.
    pub templates: Vec<String>,
    /// Whether a name could not be read.
    pub unknown: bool,
}

/// The process.
#[derive(Debug)]
pub(super) struct Line {
    interpreter: Interpreter,
    child: Mutex<Child>,
}

impl Line {
    /// Starts the application.
    pub(super) fn start(interpreter: &Interpreter) -> Result<(Self, Facts), ShimError> {
        let (child, facts) = Child::start(interpreter, "templates")?;
        Ok((Self { interpreter: interpreter.clone(), child: Mutex::new(child) }, facts))
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says something; what comes back is read with [`Self::hear`].
    pub(super) fn say(&self, question: &Json) {
        self.child().say(&format!("{question}\n"));
    }

    /// The next answer.
    pub(super) fn hear(&self) -> Result<Json, ShimError> {
        self.child().hear()
    }

    /// A question and its answer.
    pub(super) fn ask(&self, question: &Json) -> Result<Json, ShimError> {
        self.say(question);
        self.hear()
    }

    /// A rendering is over: what was lent for it is given back.
    pub(super) fn done(&self) {
        self.say(&json!({"do": "done"}));
    }

    /// The process could not do what was asked.
    pub(super) fn failed(&self, message: String) -> ShimError {
        self.interpreter.failed(message)
    }
}
