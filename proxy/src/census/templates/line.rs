//! The shim's process: a question a line in, an answer a line out.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use serde::Deserialize;
use serde_json::{Value as Json, json};

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
    ends: Mutex<Ends>,
}

#[derive(Debug)]
struct Ends {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    said: Option<JoinHandle<Vec<u8>>>,
}

impl Line {
    /// Starts the application.
    pub(super) fn start(interpreter: &Interpreter) -> Result<(Self, Facts), ShimError> {
        let mut child = interpreter
            .command("templates")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|cause| interpreter.not_started(cause))?;
        let (input, output, error) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let Some((output, mut error)) = output.zip(error) else {
            return Err(interpreter.not_started(std::io::Error::other("no pipes")));
        };
        let said = std::thread::spawn(move || {
            let mut said = Vec::new();
            let _ = error.read_to_end(&mut said);
            said
        });
        let ends = Ends { child, input, output: BufReader::new(output), said: Some(said) };
        let line = Self { interpreter: interpreter.clone(), ends: Mutex::new(ends) };
        let first = line.ends().line();
        match serde_json::from_str(&first) {
            Ok(facts) => Ok((line, facts)),
            Err(_) => Err(line.trouble(&first)),
        }
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says something; what comes back is read with [`Self::hear`].
    pub(super) fn say(&self, question: &Json) {
        if let Some(input) = &mut self.ends().input {
            // A process that is gone is noticed by its missing answer.
            let _ = input.write_all(format!("{question}\n").as_bytes());
        }
    }

    /// The next answer.
    pub(super) fn hear(&self) -> Result<Json, ShimError> {
        let line = self.ends().line();
        if line.is_empty() {
            return Err(self.trouble(""));
        }
        Ok(serde_json::from_str(&line)?)
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

    fn trouble(&self, first: &str) -> ShimError {
        let mut ends = self.ends();
        drop(ends.input.take());
        match ends.child.wait() {
            Err(cause) => self.interpreter.not_started(cause),
            Ok(status) => {
                let stderr = ends.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
                self.interpreter.trouble(first, &Output { status, stdout: Vec::new(), stderr })
            }
        }
    }
}

impl Ends {
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        let _ = self.output.read_until(b'\n', &mut line);
        String::from_utf8_lossy(&line).into_owned()
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.input.take());
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
