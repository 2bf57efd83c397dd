//! What the control has to say about itself, for the admin API and for metrics.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::diagnostic::{Diagnostic, Report, Source};
use crate::route::{Table, read};
use crate::store::StoreHealth;

use super::change::Changed;
use super::plan::changed;
use super::state::LastChange;
use super::{Control, FleetStatus, Standing, file, serve_word, unified};

/// Everything about the routing of this node but the routes themselves.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The revision that holds.
    pub revision: u64,
    /// How it came to be.
    pub last: Option<LastChange>,
    /// The routing file; absent: there is none.
    pub file: Option<FileStatus>,
    /// What was wrong when this process started.
    pub notices: Vec<String>,
    /// Where the running routes differ from the file.
    pub drift: Vec<Drift>,
    /// Routes that a person pinned.
    pub holds: Vec<HoldStatus>,
    /// How the store is.
    pub store: StoreHealth,
    /// The other nodes; absent: this one is alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetStatus>,
}

/// How the routing file is.
#[derive(Debug, Clone, Serialize)]
pub struct FileStatus {
    /// Where it is.
    pub path: String,
    /// A short hash of the text that is running.
    pub hash: String,
    /// Whether the text on disk is the one that is running.
    pub ok: bool,
    /// When a text was last taken.
    pub last_success: Option<DateTime<Utc>>,
    /// Since when the text on disk is bad.
    pub failed_at: Option<DateTime<Utc>>,
    /// What is wrong with it, in one line.
    pub message: Option<String>,
    /// All errors of the text on disk, or the warnings of the running one.
    pub findings: Vec<Finding>,
}

/// An error or a warning.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do instead.
    pub help: Option<String>,
}

impl From<&Diagnostic> for Finding {
    fn from(diagnostic: &Diagnostic) -> Self {
        let (line, column) = diagnostic.place().line_and_column();
        Self {
            severity: diagnostic.severity().word(),
            file: diagnostic.place().source().name().to_owned(),
            line,
            column,
            message: diagnostic.message().to_owned(),
            help: diagnostic.help_text().map(str::to_owned),
        }
    }
}

/// All findings of a report.
impl Finding {
    /// Of a report, in reading order.
    pub fn all(report: &Report) -> Vec<Self> {
        report.findings().iter().map(Self::from).collect()
    }
}

/// A rollback, or a hold, that lies over the file.
#[derive(Debug, Clone, Serialize)]
pub struct Drift {
    /// The route.
    pub route: String,
    /// What the file says.
    pub file: String,
    /// What is running.
    pub running: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Who rolled back or held.
    pub author: String,
    /// Why.
    pub reason: Option<String>,
    /// Until when; absent: until the file says the same, or somebody resumes the route.
    pub expires: Option<DateTime<Utc>>,
    /// Whether that moment is past: it still lies over the file because the route is held.
    pub overdue: bool,
}

/// A route that a person pinned.
#[derive(Debug, Clone, Serialize)]
pub struct HoldStatus {
    /// The route.
    pub route: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: Option<String>,
    /// Whether a rollback set it.
    pub by_rollback: bool,
    /// Until when; absent: until somebody resumes the route.
    pub expires: Option<DateTime<Utc>>,
}

/// Where the routing file and what is running differ.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The revision that is running.
    pub revision: u64,
    /// What is running, and what the file would make of it: route by route.
    pub routes: Vec<Changed>,
    /// The difference from the running text to the one on disk, as a unified diff; empty: none.
    pub diff: String,
    /// Why the text on disk is not the running one; absent: it is, or nobody has looked yet.
    pub refused: Option<String>,
}

impl Control {
    /// Everything about the routing of this node but the routes themselves.
    pub fn status(&self) -> Status {
        let fleet = self.fleet_status();
        let running = self.lock();
        let file = self.path.as_ref().map(|path| {
            let failure = running.reload.failure.as_ref();
            FileStatus {
                path: path.display().to_string(),
                hash: running.hash.clone(),
                ok: failure.is_none(),
                last_success: running.reload.last_success,
                failed_at: failure.map(|failure| failure.at),
                message: failure.map(|failure| failure.message.clone()),
                findings: Finding::all(failure.map_or(&running.warnings, |failure| &failure.report)),
            }
        });
        let pins = &running.state.pins;
        let effective = running.effective();
        let now = Utc::now();
        let drift = pins.overrides.iter().map(|(route, over)| Drift {
            route: route.clone(),
            file: answered(&running.base, route),
            running: answered(&effective, route),
            since: over.since,
            author: over.author.clone(),
            reason: over.reason.clone(),
            expires: over.expires,
            overdue: over.expires.is_some_and(|at| at <= now),
        });
        let holds = pins.holds.iter().map(|(route, hold)| HoldStatus {
            route: route.clone(),
            since: hold.since,
            author: hold.author.clone(),
            reason: hold.reason.clone(),
            by_rollback: hold.by_rollback,
            expires: hold.expires,
        });
        Status {
            revision: running.state.revision,
            last: running.state.last.clone(),
            file,
            notices: running.notices.clone(),
            drift: drift.collect(),
            holds: holds.collect(),
            store: self.store_health(fleet.as_ref()),
            fleet,
        }
    }

    /// In a fleet the recorder has a line of its own, and may not have noticed that the store is away.
    fn store_health(&self, fleet: Option<&FleetStatus>) -> StoreHealth {
        let health = self.recorder.health();
        match fleet.and_then(|fleet| fleet.error.clone()) {
            Some(error) => StoreHealth { up: false, error: Some(error), ..health },
            None => health,
        }
    }

    /// What differs between the routing that is running and the file on disk as it is now.
    ///
    /// # Errors
    /// When there is no file, or it cannot be read.
    pub fn difference(&self) -> Result<Difference, String> {
        let path = self.path.as_ref().ok_or("there is no routing file")?;
        let name = path.display().to_string();
        let text = file::read(path).map_err(|error| format!("cannot read `{name}`: {error}"))?;
        let running = self.lock();
        let diff = unified(&running.state.text, &text);
        let (table, report) = read(&Source::new(name.clone(), text), &self.context);
        let refused = table.is_none().then(|| format!("`{name}` has {}", report.summary()));
        let routes = table.map(|table| changed(&running.effective(), &table)).unwrap_or_default();
        Ok(Difference { revision: running.state.revision, routes, diff, refused })
    }

    /// Whether the last look at the routing file ended well, and when a text was last taken: for metrics.
    pub fn reload_state(&self) -> (bool, Option<DateTime<Utc>>) {
        let running = self.lock();
        (running.reload.failure.is_none(), running.reload.last_success)
    }
}

/// What answers a route of a table, in words.
fn answered(table: &Table, route: &str) -> String {
    match table.route(route) {
        Some(route) => Standing::of(route).words(),
        None => serve_word(table.default_serve()).to_owned(),
    }
}
