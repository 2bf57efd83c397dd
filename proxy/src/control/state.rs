//! What this node remembers between two runs, in one small file: the revision, the last good routing file, holds and
//! overrides.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::store::{Action, Record, RouteChange};

use super::file;
use super::pins::{Hold, Pins};

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
    #[serde(flatten)]
    pub(super) pins: Pins,
    /// Where this node is in its fleet; absent: it has never been in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fleet: Option<InFleet>,
    /// The last good routing file.
    pub(super) text: String,
}

/// Where a node is in its fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InFleet {
    /// The fleet's revision that it ran last.
    pub(super) number: u64,
    /// The digest of that revision.
    pub(super) digest: String,
    /// It has made changes since that the others have not heard of.
    #[serde(default)]
    pub(super) apart: bool,
    /// Hash of a routing file that could not be replaced: it is no edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unwritten: Option<String>,
    /// Where an edit is kept that lost against somebody else's change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) aside: Option<String>,
}

/// What was found at start.
#[derive(Debug)]
pub(super) enum Loaded {
    /// The state of the last run.
    Good(Box<State>),
    /// Nothing: a first start, or somebody removed it.
    Missing,
    /// Something, but it makes no sense or cannot be read.
    Damaged(String),
}

/// Where it is kept.
#[derive(Debug, Clone)]
pub(super) struct StateFile(PathBuf);

impl StateFile {
    pub(super) fn new(directory: &Path) -> Self {
        Self(directory.join("routing.json"))
    }

    /// Removes what a process that was killed left beside the file.
    pub(super) fn sweep(&self) {
        file::sweep(&self.0);
    }

    /// The state as it was saved.
    pub(super) fn load(&self) -> Loaded {
        let text = match std::fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Loaded::Missing,
            Err(error) => return Loaded::Damaged(format!("cannot read `{}`: {error}", self.0.display())),
        };
        match serde_json::from_str::<State>(&text) {
            Ok(state) => Loaded::Good(Box::new(with_holds(state))),
            Err(error) => Loaded::Damaged(format!("`{}` is damaged: {error}", self.0.display())),
        }
    }

    /// Puts a damaged file aside, for whoever wants to know what happened to it.
    pub(super) fn put_aside(&self) {
        let _ = std::fs::rename(&self.0, self.0.with_extension("json.damaged"));
    }

    /// Saves the state. What the routing file does not say must survive a power cut; the rest is in the journal and in
    /// the store as well. A disk that refuses is reported and does not stop a flip.
    pub(super) fn save(&self, state: &State) -> Result<(), String> {
        let durable = state.pins != Pins::default() || state.fleet.is_some();
        let saved = serde_json::to_string(state)
            .map_err(std::io::Error::other)
            .and_then(|text| file::write_state(&self.0, &text, durable));
        saved.map_err(|error| {
            let message = format!("cannot write `{}`: {error}", self.0.display());
            tracing::error!("{message}");
            message
        })
    }
}

/// A state written before there were holds: what was rolled back over the file is held.
fn with_holds(mut state: State) -> State {
    for (name, over) in &state.pins.overrides {
        state.pins.holds.entry(name.clone()).or_insert_with(|| Hold {
            since: over.since,
            author: over.author.clone(),
            reason: over.reason.clone(),
            by_rollback: true,
            expires: None,
        });
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_from_before_holds_is_read_and_its_overrides_are_held() {
        let directory = tempfile::tempdir().unwrap();
        let old = r#"{"revision":3,"last":null,"overrides":{"a":{"since":"2026-11-01T00:00:00Z","author":"ana",
                     "reason":"3 am"}},"text":"version = 1\n"}"#;
        std::fs::write(directory.path().join("routing.json"), old).unwrap();
        let file = StateFile::new(directory.path());
        let Loaded::Good(state) = file.load() else { panic!("not read") };
        assert_eq!((state.revision, state.pins.holds["a"].by_rollback), (3, true));
        file.save(&state).unwrap();
        let Loaded::Good(again) = file.load() else { panic!("not read back") };
        assert_eq!(again.pins, state.pins);
    }

    #[test]
    fn damage_is_told_from_absence() {
        let directory = tempfile::tempdir().unwrap();
        let file = StateFile::new(directory.path());
        assert!(matches!(file.load(), Loaded::Missing));
        for damage in ["", "{", "[]", "{\"revision\":\"x\"}"] {
            std::fs::write(directory.path().join("routing.json"), damage).unwrap();
            assert!(matches!(file.load(), Loaded::Damaged(_)), "{damage:?} was read");
        }
    }
}
