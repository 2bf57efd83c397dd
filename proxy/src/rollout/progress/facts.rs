//! What is known about each route: its stage, who answered how often, since when it stands so, what is open. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::control::Standing;
use crate::route::{Route, Serve, Table};
use crate::store::{Book, Record, Sums};

use super::super::Incident;
use super::tellers::Tellers;

/// How far a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Python answers, and nothing is tried.
    Legacy,
    /// Python answers, and copies go to the candidate.
    Shadow,
    /// Some users are answered by the candidate.
    Canary,
    /// Rust answers, and Python steps in.
    Rust,
    /// Rust answers, and there is nothing behind it any more.
    Retired,
    /// Nobody answers.
    Off,
}

impl Stage {
    /// All of them, in the order of a migration.
    pub const ALL: [Self; 6] =
        [Self::Legacy, Self::Shadow, Self::Canary, Self::Rust, Self::Retired, Self::Off];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Shadow => "shadow",
            Self::Canary => "canary",
            Self::Rust => "rust",
            Self::Retired => "retired",
            Self::Off => "off",
        }
    }

    /// Of a route; `rust` are the backends behind which there is no Python.
    pub fn of(route: &Route, rust: &BTreeSet<String>) -> Self {
        let Serve::Backend(serve) = &route.serve else { return Self::Off };
        if rust.contains(serve) {
            return if rust.contains(&route.fallback) { Self::Retired } else { Self::Rust };
        }
        if !rust.contains(&route.candidate) {
            return Self::Legacy;
        }
        match (route.active_canary(), &route.shadow) {
            (Some(_), _) => Self::Canary,
            (None, Some(shadow)) if shadow.sample > 0.0 => Self::Shadow,
            _ => Self::Legacy,
        }
    }

    /// Whether Python still answers anybody by design.
    pub fn needs_python(self) -> bool {
        matches!(self, Self::Legacy | Self::Shadow | Self::Canary)
    }
}

/// Sums of some days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Requests, and what became of them.
    #[serde(flatten)]
    pub sums: Sums,
    /// The last one, also before those days.
    pub last_at: Option<DateTime<Utc>>,
}

impl std::ops::Deref for Numbers {
    type Target = Sums;

    fn deref(&self) -> &Sums {
        &self.sums
    }
}

impl Numbers {
    fn add(&mut self, other: &Self) {
        self.sums += &other.sums;
        self.last_at = self.last_at.max(other.last_at);
    }
}

/// What is known about one route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteProgress {
    /// Its name.
    pub name: String,
    /// The Flask endpoint.
    pub endpoint: String,
    /// Its rules.
    pub rules: Vec<String>,
    /// Its methods, as written.
    pub methods: Vec<String>,
    /// How far it is.
    pub stage: Stage,
    /// What answers it, in words.
    pub standing: String,
    /// The backend being tried.
    pub candidate: String,
    /// The backend that is safe.
    pub fallback: String,
    /// When it was last changed, as far as the history goes back; absent: never.
    pub changed_at: Option<DateTime<Utc>>,
    /// Whether a person or a rollback pinned it.
    pub held: bool,
    /// The incident because of which it is held.
    pub incident: Option<u64>,
    /// Groups of differences that nobody has looked at.
    pub mismatches: usize,
    /// What was counted, by the backend that answered.
    pub by_backend: BTreeMap<String, Numbers>,
}

/// What is known about all routes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The revision that is running.
    pub revision: u64,
    /// So many days, today included.
    pub days: u64,
    /// In a fleet: whose requests are in the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<Tellers>,
    /// The first day on which this node counted, or the first one of its fleet.
    pub since: Option<NaiveDate>,
    /// On how many of the days it counted.
    pub watched: u64,
    /// Today, in UTC.
    pub today: NaiveDate,
    /// Backends behind which there is no Python.
    pub rust: BTreeSet<String>,
    /// Routes, in the order of the file.
    pub routes: Vec<RouteProgress>,
    /// Requests that no route matched.
    pub unmatched: BTreeMap<String, Numbers>,
}

impl Progress {
    /// What a route did on one side of the migration: Rust, or Python. What Ficus itself answered is on neither.
    pub fn side(&self, route: &RouteProgress, rust: bool) -> Numbers {
        self.sum(&route.by_backend, rust)
    }

    /// The same for any numbers by backend.
    pub fn sum(&self, by_backend: &BTreeMap<String, Numbers>, rust: bool) -> Numbers {
        let mut sum = Numbers::default();
        let side = by_backend.iter().filter(|(name, _)| *name != crate::observe::NONE);
        for (_, numbers) in side.filter(|(name, _)| self.rust.contains(*name) == rust) {
            sum.add(numbers);
        }
        sum
    }

    /// Who counted.
    pub fn counter(&self) -> &'static str {
        if self.fleet.as_ref().is_some_and(|fleet| fleet.error.is_none()) { "the fleet" } else { "this node" }
    }

    /// Whether the tally goes back as far as it is asked about.
    pub fn goes_back(&self) -> bool {
        let first = self.today.checked_sub_days(chrono::Days::new(self.days.saturating_sub(1)));
        self.since.zip(first).is_some_and(|(since, first)| since <= first)
    }
}

/// Where the facts come from.
#[derive(Debug)]
pub struct Gathered<'g> {
    /// The routes that are running, and their revision.
    pub table: &'g Table,
    /// Its number.
    pub revision: u64,
    /// The tally.
    pub book: &'g Book,
    /// Whose it is.
    pub fleet: Option<Tellers>,
    /// The last changes, newest first.
    pub history: &'g [Record],
    /// Whether there were older ones.
    pub history_is_cut: bool,
    /// Routes that are held.
    pub held: BTreeSet<String>,
    /// What guards did, oldest first.
    pub incidents: &'g [Incident],
    /// Groups of differences, by route.
    pub mismatches: BTreeMap<String, usize>,
    /// Backends behind which there is no Python.
    pub rust: &'g BTreeSet<String>,
}

/// Puts the facts together.
pub fn gather(gathered: &Gathered<'_>, days: u64, today: NaiveDate) -> Progress {
    let routes = gathered.table.routes().iter().map(|route| one(gathered, route)).collect();
    Progress {
        revision: gathered.revision,
        days,
        fleet: gathered.fleet.clone(),
        since: gathered.book.since,
        watched: gathered.book.watched,
        today,
        rust: gathered.rust.clone(),
        routes,
        unmatched: numbers(gathered.book, crate::observe::NONE),
    }
}

fn one(gathered: &Gathered<'_>, route: &Route) -> RouteProgress {
    let held = gathered.held.contains(&route.name);
    let incident = gathered.incidents.iter().rev().find(|incident| incident.route == route.name);
    RouteProgress {
        name: route.name.clone(),
        endpoint: route.endpoint.clone(),
        rules: route.rules.clone(),
        methods: route.methods.clone().unwrap_or_else(|| vec!["GET".to_owned()]),
        stage: Stage::of(route, gathered.rust),
        standing: Standing::of(route).words(),
        candidate: route.candidate.clone(),
        fallback: route.fallback.clone(),
        changed_at: changed_at(gathered, &route.name),
        held,
        incident: incident.filter(|_| held).map(|incident| incident.id),
        mismatches: gathered.mismatches.get(&route.name).copied().unwrap_or_default(),
        by_backend: numbers(gathered.book, &route.name),
    }
}

/// When a route was last changed; if its change is older than what is known of the history, the oldest that is known.
fn changed_at(gathered: &Gathered<'_>, route: &str) -> Option<DateTime<Utc>> {
    let own = |record: &&Record| record.changes.iter().any(|change| change.route == route);
    let oldest = || gathered.history.last().filter(|_| gathered.history_is_cut);
    gathered.history.iter().find(own).or_else(oldest).map(|record| record.at)
}

fn numbers(book: &Book, route: &str) -> BTreeMap<String, Numbers> {
    let own = book.known.iter().filter(|known| known.tallied.route == route);
    own.map(|known| {
        let numbers = Numbers { sums: known.tallied.sums.clone(), last_at: known.last_at };
        (known.tallied.backend.clone(), numbers)
    })
    .collect()
}
