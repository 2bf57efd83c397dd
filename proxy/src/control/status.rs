//! What the control has to say about itself, for the admin API and for metrics.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::diagnostic::{Diagnostic, Report};
use crate::store::StoreHealth;

use super::state::LastChange;
use super::{Control, Standing, serve_word, standing};

/// Everything about the routing of this node but the routes themselves.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The revision that holds.
    pub revision: u64,
    /// How it came to be.
    pub last: Option<LastChange>,
    /// The routing file; absent: there is none.
    pub file: Option<FileStatus>,
    /// Where the running routes differ from the file.
    pub drift: Vec<Drift>,
    /// How the store is.
    pub store: StoreHealth,
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

/// A rollback that lies over the file.
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
    /// Who rolled back.
    pub author: String,
    /// Why.
    pub reason: Option<String>,
}

impl Control {
    /// Everything about the routing of this node but the routes themselves.
    pub fn status(&self) -> Status {
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
        let drift = running.state.overrides.iter().filter_map(|(route, over)| {
            let (file, running) = if route == standing::DEFAULTS {
                let defaults = running.base.defaults();
                (serve_word(&defaults.serve).to_owned(), defaults.fallback.clone())
            } else {
                let standing = Standing::of(running.base.route(route)?);
                (standing.words(), standing.fallback)
            };
            let (author, reason) = (over.author.clone(), over.reason.clone());
            Some(Drift { route: route.clone(), file, running, since: over.since, author, reason })
        });
        Status {
            revision: running.state.revision,
            last: running.state.last.clone(),
            file,
            drift: drift.collect(),
            store: self.recorder.health(),
        }
    }

    /// Whether the last look at the routing file ended well, and when a text was last taken: for metrics.
    pub fn reload_state(&self) -> (bool, Option<DateTime<Utc>>) {
        let running = self.lock();
        (running.reload.failure.is_none(), running.reload.last_success)
    }
}
