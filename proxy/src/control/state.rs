//! What this node remembers between two runs, in one small file: the revision, the last good routing file and the
//! overrides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::store::{Action, Record, RouteChange};

use super::file;

/// A rollback that could not be written into the routing file and is laid over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Who rolled back.
    pub author: String,
    /// Why, if somebody said so.
    pub reason: Option<String>,
}

/// How the current revision came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastChange {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub author: String,
    /// Why, if somebody said so.
    pub reason: Option<String>,
    /// What was asked for.
    pub action: Action,
    /// What it changed.
    #[serde(rename = "routes")]
    pub changes: Vec<RouteChange>,
}

impl From<&Record> for LastChange {
    fn from(record: &Record) -> Self {
        Self {
            at: record.at,
            author: record.author.clone(),
            reason: record.reason.clone(),
            action: record.action,
            changes: record.changes.clone(),
        }
    }
}

/// The content of the file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) revision: u64,
    pub(super) last: Option<LastChange>,
    pub(super) overrides: BTreeMap<String, Override>,
    /// The last good routing file.
    pub(super) text: String,
}

/// Where it is kept.
#[derive(Debug, Clone)]
pub(super) struct StateFile(PathBuf);

impl StateFile {
    pub(super) fn new(directory: &Path) -> Self {
        Self(directory.join("routing.json"))
    }

    /// The state as it was saved; a file that is missing or makes no sense is an empty state, and is reported.
    pub(super) fn load(&self) -> State {
        let text = match std::fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return State::default(),
            Err(error) => {
                tracing::error!(path = %self.0.display(), %error, "cannot read what this node remembers");
                return State::default();
            }
        };
        serde_json::from_str(&text).unwrap_or_else(|error| {
            tracing::error!(path = %self.0.display(), %error, "what this node remembers is damaged and is not used");
            State::default()
        })
    }

    /// Saves the state. What the routing file does not say must survive a power cut; the rest is in the journal and in
    /// the store as well. A disk that refuses is reported and does not stop a flip.
    pub(super) fn save(&self, state: &State) -> Result<(), String> {
        let saved = serde_json::to_string(state)
            .map_err(std::io::Error::other)
            .and_then(|text| file::write_state(&self.0, &text, !state.overrides.is_empty()));
        saved.map_err(|error| {
            let message = format!("cannot write `{}`: {error}", self.0.display());
            tracing::error!("{message}");
            message
        })
    }
}
