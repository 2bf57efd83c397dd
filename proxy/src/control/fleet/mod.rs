//! This node among others: one store, one routing for all.
//!
//! A change holds when the shared store has taken it as the next revision on top of the one that this node runs
//! (`change`); the others hear of it and follow, or look for it every few seconds (`keep`, `follow`). A node that cannot
//! reach the store serves what it has; it makes only changes that send nobody to a candidate, and when it is back they are
//! brought together with what the others did (`merge`, pure). No node is more than another.

mod change;
mod disk;
mod edit;
mod follow;
mod keep;
mod merge;
#[cfg(test)]
mod simulation;
mod view;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::settings::Settings;
use crate::store::{Away, Member, Node, Shared};

pub use keep::Keeper;
pub use view::{Confirmation, FleetStatus, Missing};

/// What a node knows of its fleet.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) shared: Arc<Shared>,
    member: Member,
    poll: Duration,
    wait: Duration,
    started: DateTime<Utc>,
    seen: Mutex<Seen>,
    steps: Steps,
    /// Changes that wait until all live nodes run them.
    waiting: AtomicUsize,
}

/// Counts how often a node said that it runs another revision; somebody may wait for the next time.
#[derive(Debug, Default)]
struct Steps {
    count: Mutex<u64>,
    one_more: Condvar,
}

impl Steps {
    fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn another(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.one_more.notify_all();
    }

    /// Waits until there was one more than `seen`, or for so long.
    fn wait(&self, seen: u64, longest: Duration) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        // Whether it was one or the time is seen by whoever looks next.
        let _ = self.one_more.wait_timeout_while(count, longest, |count| *count == seen);
    }
}

/// What was seen at the last look.
#[derive(Debug, Default)]
struct Seen {
    /// Since when, and why, the store cannot be reached.
    away: Option<(DateTime<Utc>, String)>,
    /// Why this node does not run what the fleet runs.
    trouble: Option<String>,
    /// The revision of which this node said last that it runs it.
    reported: u64,
    nodes: Vec<Node>,
    /// When the store answered last.
    heard: Option<DateTime<Utc>>,
    /// How often this node has looked at what holds, and done what follows.
    looks: u64,
}

impl Fleet {
    /// As the settings say; `None`: this node is alone.
    pub(super) fn new(settings: &Settings) -> Result<Option<Self>, String> {
        if !settings.store.is_shared() {
            return Ok(None);
        }
        let password = settings.store.password.as_ref().map(|password| password.0.as_str());
        let member = Member::new(&settings.store.url, password, &settings.fleet.node)?;
        let shared = Shared::new(member.clone()).map_err(|error| error.to_string())?;
        Ok(Some(Self {
            shared: Arc::new(shared),
            member,
            poll: settings.fleet.poll,
            wait: settings.fleet.wait,
            started: super::moment(),
            seen: Mutex::default(),
            steps: Steps::default(),
            waiting: AtomicUsize::new(0),
        }))
    }

    pub(super) fn member(&self) -> &Member {
        &self.member
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whether the store answered; a change of that is told once.
    fn heard<T>(&self, outcome: &Result<T, Away>) {
        let mut seen = self.seen();
        if outcome.is_ok() {
            seen.heard = Some(Utc::now());
        }
        match (outcome, seen.away.take()) {
            (Ok(_), Some((since, _))) => tracing::info!(%since, "the shared store can be reached again"),
            (Ok(_), None) => {}
            (Err(Away(why)), Some((since, _))) => seen.away = Some((since, why.clone())),
            (Err(Away(why)), None) => {
                tracing::error!(
                    error = why,
                    "the shared store cannot be reached: this node serves what it has"
                );
                seen.away = Some((Utc::now(), why.clone()));
            }
        }
    }

    /// Notes why this node does not run what the fleet runs; whether that is new.
    fn trouble(&self, message: Option<&str>) -> bool {
        let mut seen = self.seen();
        let new = seen.trouble.as_deref() != message;
        seen.trouble = message.map(str::to_owned);
        new
    }
}
