//! `GET /v1/events`: what happens, as server-sent events, from where somebody left off.
//!
//! An event's id says how far its reader has come: the revision, and the last incident. Both are kept on disk, so that
//! `Last-Event-ID` resumes after a pause, a restart or an upgrade. Nothing is queued for anybody: what comes next is
//! worked out when a reader has taken what came before, so a slow one costs no memory and misses no revision.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::leaving::Ending;
use super::problem::Problem;
use super::{Admin, backend_lines};

/// Most readers at one time.
pub(super) const READERS: usize = 32;
/// How often it is looked whether there is a new revision: a load of one pointer.
const LOOK: Duration = Duration::from_millis(50);
/// How often everything else is looked at.
const LOOK_AROUND: Duration = Duration::from_secs(1);
/// After so much silence comes a comment, so that both ends know the other is there.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Most revisions and incidents that a reader gets from the past.
const PAST: u64 = 1_000;

/// Until when events are sent.
pub(super) type Until = watch::Receiver<Ending>;

pub(super) async fn stream(
    State(admin): State<Arc<Admin>>,
    Extension(until): Extension<Until>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let place = Arc::clone(&admin.readers).try_acquire_owned();
    let place = place.map_err(|_| Problem::too_many_readers(READERS))?;
    let seen = match headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default()) {
        Some(id) => Seen::from_id(id).ok_or_else(|| {
            Problem::bad_request("`Last-Event-ID` is not one of ours: it looks like `12-3`")
        })?,
        None => {
            let asked = Arc::clone(&admin);
            let found = tokio::task::spawn_blocking(move || Seen::now(&asked)).await;
            found.map_err(|error| Problem::internal(error.to_string()))?
        }
    };
    let now = Instant::now();
    let reader = Reader {
        admin,
        until,
        seen,
        health: None,
        store: None,
        waiting: VecDeque::new(),
        around: None,
        said: now,
        _place: place,
    };
    Ok(Sse::new(stream::unfold(reader, next)).into_response())
}

/// How far a reader has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    revision: u64,
    incident: u64,
}

impl Seen {
    fn now(admin: &Admin) -> Self {
        let revision = admin.control.live().load().revision;
        Self { revision, incident: admin.kept.incidents.next_id() - 1 }
    }

    fn from_id(id: &str) -> Option<Self> {
        let (revision, incident) = id.split_once('-')?;
        Some(Self { revision: revision.parse().ok()?, incident: incident.parse().ok()? })
    }

    fn id(self) -> String {
        format!("{}-{}", self.revision, self.incident)
    }
}

struct Reader {
    admin: Arc<Admin>,
    until: Until,
    seen: Seen,
    health: Option<Vec<(String, bool)>>,
    store: Option<bool>,
    waiting: VecDeque<(Seen, &'static str, Value)>,
    /// When everything was last looked at.
    around: Option<Instant>,
    /// When something was last said.
    said: Instant,
    _place: OwnedSemaphorePermit,
}

/// The next event, when there is one.
async fn next(mut reader: Reader) -> Option<(Result<Event, Infallible>, Reader)> {
    loop {
        if let Some((seen, name, data)) = reader.waiting.pop_front() {
            reader.seen = seen;
            reader.said = Instant::now();
            let event = Event::default().id(seen.id()).event(name).data(data.to_string());
            return Some((Ok(event), reader));
        }
        if reader.said.elapsed() >= HEARTBEAT {
            reader.said = Instant::now();
            return Some((Ok(Event::default().comment("here")), reader));
        }
        if *reader.until.borrow() != Ending::None {
            return None;
        }
        reader = reader.look().await?;
        if reader.waiting.is_empty() {
            let mut until = reader.until.clone();
            tokio::select! {
                _ = until.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

impl Reader {
    async fn look(mut self) -> Option<Self> {
        let revision = self.admin.control.live().load().revision;
        let around = self.around.is_none_or(|at| at.elapsed() >= LOOK_AROUND);
        if revision == self.seen.revision && !around {
            return Some(self);
        }
        let looked = tokio::task::spawn_blocking(move || {
            // Requests may see it before it is on record.
            let revision = self.admin.control.settled_revision();
            self.revisions(revision);
            self.incidents();
            self.health();
            self.around = Some(Instant::now());
            self
        });
        looked.await.ok()
    }

    fn push(&mut self, seen: Seen, name: &'static str, data: Value) {
        self.waiting.push_back((seen, name, data));
    }

    /// What is last in the queue, or was last sent.
    fn last(&self) -> Seen {
        self.waiting.back().map_or(self.seen, |(seen, _, _)| *seen)
    }

    fn revisions(&mut self, current: u64) {
        let from = self.last();
        if current < from.revision {
            // Another history: the state was lost, or the reader comes from another node.
            let seen = Seen { revision: current, ..from };
            self.push(seen, "revision", json!({ "schema": 1, "revision": current, "restarted": true }));
        }
        let missing = current.saturating_sub(from.revision).min(PAST);
        if missing == 0 {
            return;
        }
        let history = self.admin.control.history(None, u32::try_from(missing).unwrap_or(u32::MAX));
        for record in history.iter().rev().filter(|r| r.revision > from.revision && r.revision <= current) {
            let data = json!({
                "schema": 1,
                "revision": record.revision,
                "at": record.at,
                "author": record.who(),
                "reason": record.reason,
                "action": record.action.word(),
                "routes": record.changes,
            });
            self.push(Seen { revision: record.revision, ..from }, "revision", data);
        }
        if self.last().revision < current {
            // It is not on record yet, or not any more.
            let seen = Seen { revision: current, ..from };
            self.push(seen, "revision", json!({ "schema": 1, "revision": current }));
        }
    }

    fn incidents(&mut self) {
        let from = self.last();
        let mut incidents = self.admin.kept.incidents.all();
        incidents.retain(|incident| incident.id > from.incident);
        let skipped = incidents.len().saturating_sub(PAST as usize);
        for incident in incidents.into_iter().skip(skipped) {
            let data = json!({
                "schema": 1,
                "incident": incident.id,
                "at": incident.at,
                "route": incident.route,
                "fault": incident.fault,
                "sentence": incident.sentence,
                "action": incident.action,
                "became": incident.became,
            });
            self.push(Seen { incident: incident.id, ..self.last() }, "incident", data);
        }
    }

    /// What has no number: said once at the beginning, and whenever it is another.
    fn health(&mut self) {
        let backends = self.admin.backends.health();
        let health: Vec<(String, bool)> = backends.iter().map(|b| (b.name.clone(), b.is_up())).collect();
        if self.health.as_ref() != Some(&health) {
            let (ready, why) = (self.admin.unready().is_none(), self.admin.unready());
            let backends = backend_lines(&backends);
            let data = json!({ "schema": 1, "ready": ready, "unready_because": why, "backends": backends });
            self.push(self.last(), "health", data);
            self.health = Some(health);
        }
        let store = self.admin.control.status().store;
        if self.store != Some(store.up) {
            self.store = Some(store.up);
            self.push(self.last(), "store", json!({ "schema": 1, "store": store }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let seen = Seen { revision: 12, incident: 3 };
        assert_eq!(Seen::from_id(&seen.id()), Some(seen));
        for wrong in ["", "12", "-", "a-b", "12-", "-3", "12-3-4"] {
            assert_eq!(Seen::from_id(wrong), None, "{wrong}");
        }
    }
}
