//! The application's real matcher: one process of the shim, a request a line in, an answer a line out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::child::Child;
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
pub struct Oracle(Child);

impl Oracle {
    /// Starts the application.
    pub fn start(interpreter: &Interpreter) -> Result<(Self, Header), ShimError> {
        let (child, header) = Child::start(interpreter, "match")?;
        Ok((Self(child), header))
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
        let Some(saying) = self.0.say_at_length(text) else { return Err(self.0.trouble("")) };
        let answers = questions.iter().map(|_| self.0.hear()).collect::<Result<_, _>>()?;
        self.0.said(saying);
        Ok(answers)
    }
}
