//! The one door through which the routing changes.
//!
//! A flip: work out what it comes to (`plan`), edit the text of routes.toml (`edit`, `undo`), check it (`route`), number a
//! revision, lay the text beside the file (`file`), record it (`store`), swap the live table, replace the file: `apply`; on the
//! way to safety the table is swapped first. A hand edit comes in through
//! `watch` and ends in the same swap. A rollback that cannot be written is laid over the file, and a person's hold keeps
//! a route from getting more (`pins`). The request path knows nothing of this room: it sees the live table change. Who
//! may ask for a change is decided in `admin`. In a fleet a change holds when the shared store has taken it: `fleet`.

mod apply;
mod approvals;
mod change;
mod diff;
mod edit;
mod excerpt;
mod expiry;
mod file;
mod fleet;
mod handover;
mod on_record;
mod person;
mod pins;
mod plan;
mod reload;
mod shadow;
mod standing;
mod start;
mod state;
mod status;
mod told;
mod undo;
mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::diagnostic::Report;
use crate::route::{Context, Live, Routing, Table};
use crate::store::{Audit, Broken, Record, Recorder, Refusal};

pub use approvals::Approval;
pub use change::{Applied, Change, Changed, Crowd, Edit, Preview, Refused, Took};
pub use diff::unified;
pub use file::{WriteError, replace as replace_file};
pub use fleet::{Confirmation, FleetStatus, Keeper, Missing};
pub use handover::HandOver;
pub use person::{person, token_author};
pub use pins::{Hold, Override};
pub use reload::Reloaded;
pub use shadow::{NewRule, ShadowEdit};
pub use standing::{Standing, serve_word, share};
pub use start::StartError;
pub use state::LastChange;
pub use status::{Difference, Drift, FileStatus, Finding, HoldStatus, Status};
pub use watch::Watch;

use state::{State, StateFile};

/// Holds the routing of this node and changes it.
#[derive(Debug)]
pub struct Control {
    live: Arc<Live>,
    path: Option<PathBuf>,
    context: Context,
    state_file: StateFile,
    recorder: Recorder,
    /// The other nodes; absent: this one is alone.
    fleet: Option<fleet::Fleet>,
    /// How long a rollback lies over a file that cannot be written.
    override_lasts: Option<std::time::Duration>,
    running: Mutex<Running>,
    /// Told when it is settled who makes changes.
    settled: Condvar,
}

/// What holds now. Only one change at a time.
#[derive(Debug)]
struct Running {
    /// What the last good file says.
    base: Table,
    /// Hash of that file.
    hash: String,
    /// Revision, last change, holds, overrides, text.
    state: State,
    /// How the last look at the file went.
    reload: ReloadState,
    /// Warnings of the last good file.
    warnings: Report,
    /// What was wrong when this process started; shown until the next one.
    notices: Vec<String>,
    /// Whether it is this process that makes changes.
    owner: handover::Owner,
    /// The state could not be written; it is tried again.
    unsaved: bool,
    /// This node remembers nothing and has not heard its fleet: what was taken away from candidates is not known.
    blind: bool,
}

/// How the last look at the routing file went.
#[derive(Debug, Clone, Default)]
struct ReloadState {
    /// When a file was last taken.
    last_success: Option<DateTime<Utc>>,
    /// Why the file on disk was not taken; absent: it was.
    failure: Option<Failure>,
}

#[derive(Debug, Clone)]
struct Failure {
    at: DateTime<Utc>,
    /// Hash of the bad text; absent: it could not be read.
    hash: Option<String>,
    message: String,
    report: Report,
    /// It is good, and waits for the shared store.
    waits: bool,
}

impl Control {
    /// The table that requests read.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// The routing file.
    pub fn path(&self) -> Option<&PathBuf> {
        self.path.as_ref()
    }

    /// The audit, checked: both copies, and that it ends with what is running.
    pub fn audit(&self, limit: u32) -> Option<Audit> {
        let running = self.path.is_some().then(|| self.lock().state.revision);
        let mut audit = self.recorder.audit(limit)?;
        let recorded = audit.revision;
        if let Some(running) = running.filter(|running| *running > recorded)
            && audit.broken.is_none()
            && self.recorder.health().pending == 0
        {
            let why = format!("revision {running} is running, and the last one on record is {recorded}");
            audit.broken = Some(Broken { seq: audit.records + 1, why });
        }
        Some(audit)
    }

    /// The revision that holds, when a change that is being made has come to its end: it is on record then. Waits for disks.
    pub fn settled_revision(&self) -> u64 {
        self.lock().state.revision
    }

    /// Puts on record that somebody was refused.
    pub fn refused(&self, refusal: Refusal) {
        self.recorder.refused(refusal);
    }

    /// What changed lately, newest first.
    pub fn history(&self, route: Option<&str>, limit: u32) -> Vec<Record> {
        self.recorder.history(route, limit)
    }

    /// What a revision changed in the routing file, as a unified diff; `None`: the texts around it are not kept.
    pub fn diff_of(&self, revision: u64) -> Option<String> {
        let texts = self.recorder.texts(revision)?;
        Some(unified(&texts.before?, &texts.after?))
    }

    /// The nearest names to one that is not there; empty if it is.
    pub fn nearest_routes(&self, name: &str) -> Vec<String> {
        let running = self.lock();
        if running.base.route(name).is_some() { Vec::new() } else { near(&running.base, name) }
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        // A panic elsewhere leaves the running state whole: it is replaced field by field after all checks.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what has to survive the end of this process.
    fn save(&self, running: &mut Running) -> Result<(), String> {
        let saved = self.state_file.save(&running.state);
        running.unsaved = saved.is_err();
        saved
    }

    /// Lets requests see what holds now.
    fn swap(&self, running: &Running) {
        self.live.store(Routing { revision: running.state.revision, table: running.effective() });
    }
}

impl Running {
    /// The file's table with the overrides laid over it.
    fn effective(&self) -> Table {
        let table = self.state.pins.over(&self.base);
        if self.blind { pins::nothing_tried(&table) } else { table }
    }
}

/// Now, as exactly as every store keeps it.
fn moment() -> DateTime<Utc> {
    use chrono::SubsecRound;
    Utc::now().trunc_subsecs(6)
}

fn near(table: &Table, name: &str) -> Vec<String> {
    let names: Vec<&str> = table.routes().iter().map(|route| route.name.as_str()).collect();
    crate::diagnostic::nearest(name, &names).into_iter().map(str::to_owned).collect()
}
