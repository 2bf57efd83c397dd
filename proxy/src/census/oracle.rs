//! The application's real matcher: one process of the shim, a request a line in, an answer a line out.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Output, Stdio};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use super::document::{RuleFacts, Versions};
use super::requests::Question;
use super::shim::{Interpreter, ShimError};

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer")]
pub enum Answer {
    /// An endpoint answers.
    #[serde(rename = "rule")]
    Rule {
        /// The endpoint.
        endpoint: String,
        /// Its arguments: type and text.
        arguments: BTreeMap<String, (String, String)>,
    },
    /// The map redirects.
    #[serde(rename = "redirect")]
    Redirect {
        /// The absolute URL.
        location: String,
    },
    /// 405.
    #[serde(rename = "method not allowed")]
    MethodNotAllowed {
        /// Sorted.
        allow: Vec<String>,
    },
    /// 404.
    #[serde(rename = "not found")]
    NotFound,
    /// Another status.
    #[serde(rename = "refused")]
    Refused {
        /// The status.
        status: u16,
    },
    /// An exception: 500.
    #[serde(rename = "error")]
    Error {
        /// The exception's name.
        error: String,
    },
}

/// What the application says first.
#[derive(Debug, Clone, Deserialize)]
pub struct Header {
    /// What the application runs on.
    pub versions: Versions,
    /// The nearest profile.
    pub profile: String,
    /// Flask's `SERVER_NAME`.
    pub server_name: Option<String>,
    /// Every rule of its map.
    pub rules: Vec<RuleFacts>,
}

/// The process.
#[derive(Debug)]
pub struct Oracle {
    interpreter: Interpreter,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    said: Option<JoinHandle<Vec<u8>>>,
}

impl Oracle {
    /// Starts the application.
    pub fn start(interpreter: &Interpreter) -> Result<(Self, Header), ShimError> {
        let mut child = interpreter
            .command("match")
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
        let output = BufReader::new(output);
        let mut oracle = Self { interpreter: interpreter.clone(), child, input, output, said: Some(said) };
        let first = oracle.line();
        match serde_json::from_str(&first) {
            Ok(header) => Ok((oracle, header)),
            Err(_) => Err(oracle.trouble(&first)),
        }
    }

    /// Asks a batch; a thread writes while this one reads.
    pub fn ask(&mut self, questions: &[Question]) -> Result<Vec<Answer>, ShimError> {
        let mut text = String::new();
        for question in questions {
            text.push_str(&serde_json::to_string(question)?);
            text.push('\n');
        }
        // An empty line: the batch is complete, and its answers are wanted now.
        text.push('\n');
        let Some(mut input) = self.input.take() else { return Err(self.trouble("")) };
        let writer = std::thread::spawn(move || {
            // An application that died meanwhile is noticed by its missing answers.
            let _ = input.write_all(text.as_bytes());
            input
        });
        let mut answers = Vec::with_capacity(questions.len());
        for _ in questions {
            let line = self.line();
            if line.is_empty() {
                return Err(self.trouble(""));
            }
            answers.push(serde_json::from_str(&line)?);
        }
        self.input = writer.join().ok();
        Ok(answers)
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        let _ = self.output.read_until(b'\n', &mut line);
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Why there is no answer.
    fn trouble(&mut self, first: &str) -> ShimError {
        drop(self.input.take());
        match self.child.wait() {
            Err(cause) => self.interpreter.not_started(cause),
            Ok(status) => {
                let stderr = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
                self.interpreter.trouble(first, &Output { status, stdout: Vec::new(), stderr })
            }
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // Its standard input ends, and so does it; one that does not read is not waited for.
        drop(self.input.take());
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
