//! What people see of a fleet, and whether everybody runs a revision.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::store::{Node, Shared};

use super::super::Control;

/// Whoever has not confirmed is looked for so often, also if nobody is heard.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The fleet as this node sees it.
#[derive(Debug, Clone, Serialize)]
pub struct FleetStatus {
    /// The name of this node.
    pub node: String,
    /// Since when the store cannot be reached; absent: it can.
    pub cut_off_since: Option<DateTime<Utc>>,
    /// Why not.
    pub error: Option<String>,
    /// This node has made changes that the others have not heard of.
    pub apart: bool,
    /// This node remembers nothing and has not heard the fleet: it sends nobody to a candidate.
    pub blind: bool,
    /// What somebody should look at on this node.
    pub drift: Option<String>,
    /// When the store answered last; absent: never yet.
    pub heard: Option<DateTime<Utc>>,
    /// How often this node has looked at the store since it started, and done what followed.
    pub looks: u64,
    /// How many changes those are.
    pub unshared: u64,
    /// Changes made here that wait until all live nodes run them.
    pub waiting: usize,
    /// Everybody who was heard within the last day.
    pub nodes: Vec<Node>,
}

/// Who runs a revision.
#[derive(Debug, Clone, Serialize)]
pub struct Confirmation {
    /// Nodes that were there.
    pub nodes: usize,
    /// Those of them that run it.
    pub confirmed: Vec<String>,
    /// Those that do not, yet.
    pub missing: Vec<Missing>,
    /// How long that took.
    pub took_ms: u64,
    /// Why nobody else could be asked; absent: they could.
    pub cut_off: Option<String>,
}

/// A node that has not confirmed.
#[derive(Debug, Clone, Serialize)]
pub struct Missing {
    /// Its name.
    pub node: String,
    /// What it runs.
    pub revision: u64,
    /// How long ago it was heard.
    pub heard_ms: u64,
    /// What somebody should look at there.
    pub drift: Option<String>,
}

impl Control {
    /// The line to the store of the fleet; absent: this node is alone.
    pub fn shared_store(&self) -> Option<std::sync::Arc<Shared>> {
        self.fleet.as_ref().map(|fleet| std::sync::Arc::clone(&fleet.shared))
    }

    /// The fleet as it was seen last; absent: this node is alone.
    pub fn fleet_status(&self) -> Option<FleetStatus> {
        let fleet = self.fleet.as_ref()?;
        let (apart, blind, drift, revision) = {
            let running = self.lock();
            let apart = running.state.fleet.as_ref().filter(|known| known.apart).map(|known| known.number);
            (apart, running.blind, Self::drift_on_disk(&running), running.state.revision)
        };
        let seen = fleet.seen();
        let away = seen.away.clone();
        let mut nodes = seen.nodes.clone();
        for node in nodes.iter_mut().filter(|node| node.name == fleet.shared.node()) {
            node.revision = revision;
        }
        Some(FleetStatus {
            node: fleet.shared.node().to_owned(),
            cut_off_since: away.as_ref().map(|(since, _)| *since),
            error: away.map(|(_, why)| why),
            apart: apart.is_some(),
            blind,
            unshared: apart.map_or(0, |number| revision.saturating_sub(number)),
            waiting: fleet.waiting.load(Ordering::Relaxed),
            drift: seen.trouble.clone().or(drift),
            heard: seen.heard,
            looks: seen.looks,
            nodes,
        })
    }

    /// The same, after another look.
    pub fn fleet_now(&self) -> Option<FleetStatus> {
        let fleet = self.fleet.as_ref()?;
        let nodes = fleet.shared.nodes();
        fleet.heard(&nodes);
        if let Ok(nodes) = nodes {
            fleet.seen().nodes = nodes;
        }
        self.fleet_status()
    }

    /// Waits until every node that is there runs a revision, or for `wait` (else as the settings say). `None`: this node
    /// is alone.
    pub fn confirmed(&self, revision: u64, wait: Option<Duration>) -> Option<Confirmation> {
        let fleet = self.fleet.as_ref()?;
        let began = Instant::now();
        let wait = wait.unwrap_or(fleet.wait);
        let _waiting = Waiting::on(&fleet.waiting);
        let took = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        loop {
            // What is heard from here on is not in what is looked at.
            let heard = fleet.steps.count();
            let apart = self.lock().state.fleet.as_ref().is_some_and(|known| known.apart);
            let asked = if apart { Err(self.cause()) } else { fleet.shared.nodes().map_err(|away| away.0) };
            let nodes = match asked {
                Ok(nodes) => nodes,
                Err(why) => {
                    let confirmed = vec![fleet.shared.node().to_owned()];
                    let (missing, cut_off) = (Vec::new(), Some(why));
                    return Some(Confirmation { nodes: 1, confirmed, missing, took_ms: took(), cut_off });
                }
            };
            let own = fleet.shared.node();
            let live = nodes.iter().filter(|node| node.live);
            let (there, missing): (Vec<&Node>, Vec<&Node>) =
                live.partition(|node| node.revision >= revision || node.name == own);
            if missing.is_empty() || began.elapsed() >= wait {
                return Some(Confirmation {
                    nodes: there.len() + missing.len(),
                    confirmed: there.iter().map(|node| node.name.clone()).collect(),
                    missing: missing.into_iter().map(Missing::from).collect(),
                    took_ms: took(),
                    cut_off: None,
                });
            }
            fleet.steps.wait(heard, LONGEST_PAUSE.min(wait.saturating_sub(began.elapsed())));
        }
    }

    fn cause(&self) -> String {
        let away = self.fleet.as_ref().and_then(|fleet| fleet.seen().away.clone());
        away.map_or_else(|| "not yet brought together with the fleet".to_owned(), |(_, why)| why)
    }
}

/// One more change that waits for other nodes, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn on(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl From<&Node> for Missing {
    fn from(node: &Node) -> Self {
        Self {
            node: node.name.clone(),
            revision: node.revision,
            heard_ms: node.heard_ms,
            drift: node.drift.clone(),
        }
    }
}
