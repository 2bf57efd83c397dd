//! What is kept of a guard that tripped: the numbers that convinced it, and requests to look at.
//!
//! One JSON line each in a file of this node, so that an incident can be read when the store is down; in a fleet in the
//! shared store, too, so that it can be read on every node. Nothing personal
//! is in it: no path, query, address or user.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::store::Shared;

/// So many incidents are kept.
const KEPT: usize = 1_000;

/// A guard tripped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number, from 1.
    pub id: u64,
    /// The node of the fleet; absent: this one, which is alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// The route.
    pub route: String,
    /// What was wrong: `errors`, `latency` or `mismatches`.
    pub fault: String,
    /// In one sentence, with numbers.
    pub sentence: String,
    /// `rollback` or `freeze`.
    pub action: String,
    /// The revision that was running.
    pub revision: u64,
    /// The revision that the action made; absent: it failed, see `problem`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub became: Option<u64>,
    /// Why the action could not be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What the candidate did since the guard began to look at it.
    pub candidate: SideReport,
    /// What the fallback did.
    pub fallback: SideReport,
    /// The fallback's 95th percentile in milliseconds, if enough was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_p95_ms: Option<f64>,
    /// Some of the candidate's bad requests, newest last.
    pub samples: Vec<Sample>,
}

/// What one side did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SideReport {
    /// The backend.
    pub backend: String,
    /// Requests.
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Of these, slow.
    pub slow: u64,
    /// Mean time to the head of the answer, in milliseconds.
    pub mean_ms: f64,
    /// Answers that were compared with the other side's.
    #[serde(default)]
    pub compared: u64,
    /// Of these, different.
    #[serde(default)]
    pub mismatches: u64,
}

/// One bad request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// W3C trace id, the same in the logs of both sides.
    pub trace_id: String,
    /// Why it counts as bad: a word of the access log's `fallback`, `status`, `slow` or `mismatch`.
    pub what: String,
    /// Status that the client got.
    pub status: Option<u16>,
    /// Time to the head of the answer, in milliseconds.
    pub waited_ms: f64,
}

/// The incidents of this node.
#[derive(Debug)]
pub struct Incidents {
    path: PathBuf,
    /// One writer at a time.
    writing: Mutex<()>,
    /// Where the other nodes read them; absent: there are none.
    shared: Option<Arc<Shared>>,
    /// A number that no other node has, for the next one: asked for beforehand, because a guard waits for nobody.
    number: Mutex<Option<u64>>,
    /// Some may not be in the shared store yet.
    unsent: AtomicBool,
}

impl Incidents {
    /// Those kept in this directory.
    pub fn new(directory: &Path) -> Self {
        Self {
            path: directory.join("incidents.jsonl"),
            writing: Mutex::new(()),
            shared: None,
            number: Mutex::new(None),
            unsent: AtomicBool::new(true),
        }
    }

    /// The same for a node of a fleet, which shares this store.
    #[must_use]
    pub fn shared_by(self, shared: Option<Arc<Shared>>) -> Self {
        Self { shared, ..self }
    }

    /// Brings what this node has into the shared store, where it is not there yet, and gets a number for the next one.
    pub fn share(&self) {
        let Some(shared) = &self.shared else { return };
        let mut number = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        if number.is_none() {
            *number = shared.incident_number().ok();
        }
        drop(number);
        if !self.unsent.swap(false, Ordering::SeqCst) {
            return;
        }
        for incident in self.all() {
            let record = serde_json::to_value(&incident).unwrap_or_default();
            if shared.keep_incident(incident.id, &record).is_err() {
                self.unsent.store(true, Ordering::SeqCst);
                return;
            }
        }
    }

    /// All of the whole fleet, oldest first; while its store is away, those of this node.
    pub fn of_fleet(&self) -> Vec<Incident> {
        let mut known = self.all();
        let others = self.shared.as_ref().and_then(|shared| shared.incidents().ok()).unwrap_or_default();
        for kept in others {
            let Ok(incident) = serde_json::from_value::<Incident>(kept.record) else { continue };
            let incident = Incident { node: Some(kept.node), ..incident };
            let own =
                self.shared.as_ref().is_some_and(|shared| incident.node.as_deref() == Some(shared.node()));
            if !(own && known.iter().any(|other| other.id == incident.id)) {
                known.push(incident);
            }
        }
        known.sort_by_key(|incident| incident.at);
        known
    }

    /// All of them, oldest first. A line cut off by a crash is none.
    pub fn all(&self) -> Vec<Incident> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The one with this number.
    pub fn get(&self, id: u64) -> Option<Incident> {
        self.of_fleet().into_iter().find(|incident| incident.id == id)
    }

    /// The number that the next one gets.
    pub fn next_id(&self) -> u64 {
        let asked_for = self.number.lock().unwrap_or_else(PoisonError::into_inner).take();
        asked_for.unwrap_or_else(|| self.all().iter().map(|incident| incident.id).max().unwrap_or(0) + 1)
    }

    /// Keeps one more, and waits until it is on disk.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn add(&self, incident: &Incident) -> std::io::Result<()> {
        let _guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let node = self.shared.as_ref().map(|shared| shared.node().to_owned());
        let incident = &Incident { node: node.or_else(|| incident.node.clone()), ..incident.clone() };
        self.unsent.store(true, Ordering::SeqCst);
        let known = self.all();
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        if known.len() >= KEPT {
            return self.rewrite(known.iter().skip(known.len() + 1 - KEPT).chain([incident]));
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(line(incident)?.as_bytes())?;
        file.sync_data()
    }

    fn rewrite<'i>(&self, incidents: impl Iterator<Item = &'i Incident>) -> std::io::Result<()> {
        let text = incidents.map(line).collect::<std::io::Result<String>>()?;
        let next = self.path.with_extension("jsonl.next");
        let mut file = File::create(&next)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        std::fs::rename(&next, &self.path)
    }
}

fn line(incident: &Incident) -> std::io::Result<String> {
    Ok(serde_json::to_string(incident)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(id: u64) -> Incident {
        let side = |backend: &str| SideReport {
            backend: backend.into(),
            requests: 10,
            failed: 5,
            slow: 0,
            mean_ms: 1.5,
            compared: 0,
            mismatches: 0,
        };
        Incident {
            id,
            node: None,
            at: DateTime::UNIX_EPOCH,
            route: "customers.list".into(),
            fault: "errors".into(),
            sentence: "5 of 10 requests failed".into(),
            action: "rollback".into(),
            revision: 7,
            became: Some(8),
            problem: None,
            candidate: side("rust"),
            fallback: side("legacy"),
            usual_p95_ms: Some(40.0),
            samples: Vec::new(),
        }
    }

    #[test]
    fn incidents_are_numbered_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let incidents = Incidents::new(&directory.path().join("state"));
        assert_eq!(incidents.next_id(), 1);
        incidents.add(&incident(1)).unwrap();
        incidents.add(&incident(2)).unwrap();
        assert_eq!((incidents.next_id(), incidents.get(2)), (3, Some(incident(2))));
    }

    #[test]
    fn a_line_that_a_crash_cut_off_loses_only_itself() {
        let directory = tempfile::tempdir().unwrap();
        let incidents = Incidents::new(directory.path());
        incidents.add(&incident(1)).unwrap();
        let path = directory.path().join("incidents.jsonl");
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "{\"id\": 2, \"ro").unwrap();
        assert_eq!(incidents.all(), [incident(1)]);
    }

    #[test]
    fn the_oldest_make_room() {
        let directory = tempfile::tempdir().unwrap();
        let incidents = Incidents::new(directory.path());
        let many: Vec<Incident> = (1..=KEPT as u64).map(incident).collect();
        incidents.rewrite(many.iter()).unwrap();
        incidents.add(&incident(KEPT as u64 + 1)).unwrap();
        let kept = incidents.all();
        assert_eq!((kept.len(), kept[0].id, incidents.next_id()), (KEPT, 2, KEPT as u64 + 2));
    }
}
