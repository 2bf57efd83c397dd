//! A process of the shim that is talked with: a line in, a line out, and what it said when it ends unhappily.
//!
//! What the lines mean is the business of whoever starts it: `oracle`, `templates::line`.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child as Process, ChildStdin, ChildStdout, Output, Stdio};
use std::thread::JoinHandle;

use serde::de::DeserializeOwned;

use super::shim::{Interpreter, ShimError};

/// The process.
#[derive(Debug)]
pub(super) struct Child {
    interpreter: Interpreter,
    process: Process,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    said: Option<JoinHandle<Vec<u8>>>,
}

impl Child {
    /// Starts the application with this word, and hears its first line.
    pub(super) fn start<T: DeserializeOwned>(
        interpreter: &Interpreter,
        word: &str,
    ) -> Result<(Self, T), ShimError> {
        let mut process = interpreter
            .command(word)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|cause| interpreter.not_started(cause))?;
        let (input, output, error) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let Some((output, mut error)) = output.zip(error) else {
            return Err(interpreter.not_started(std::io::Error::other("no pipes")));
        };
        let said = std::thread::spawn(move || {
            let mut said = Vec::new();
            let _ = error.read_to_end(&mut said);
            said
        });
        let interpreter = interpreter.clone();
        let output = BufReader::new(output);
        let mut child = Self { interpreter, process, input, output, said: Some(said) };
        let first = child.line();
        match serde_json::from_str(&first) {
            Ok(header) => Ok((child, header)),
            Err(_) => Err(child.trouble(&first)),
        }
    }

    /// Says something; a process that is gone is noticed by its missing answer.
    pub(super) fn say(&mut self, text: &str) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(text.as_bytes());
        }
    }

    /// Says so much that the answers must be read meanwhile; [`Self::said`] ends it.
    pub(super) fn say_at_length(&mut self, text: String) -> Option<JoinHandle<ChildStdin>> {
        let mut input = self.input.take()?;
        Some(std::thread::spawn(move || {
            let _ = input.write_all(text.as_bytes());
            input
        }))
    }

    /// Everything was said.
    pub(super) fn said(&mut self, saying: JoinHandle<ChildStdin>) {
        self.input = saying.join().ok();
    }

    /// The next answer.
    pub(super) fn hear<T: DeserializeOwned>(&mut self) -> Result<T, ShimError> {
        let line = self.line();
        if line.is_empty() {
            return Err(self.trouble(""));
        }
        Ok(serde_json::from_str(&line)?)
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        let _ = self.output.read_until(b'\n', &mut line);
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Why there is no answer.
    pub(super) fn trouble(&mut self, first: &str) -> ShimError {
        drop(self.input.take());
        match self.process.wait() {
            Err(cause) => self.interpreter.not_started(cause),
            Ok(status) => {
                let stderr = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
                self.interpreter.trouble(first, &Output { status, stdout: Vec::new(), stderr })
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Its standard input ends, and so does it; one that does not read is not waited for.
        drop(self.input.take());
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
