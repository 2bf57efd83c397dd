//! The one door through which the routing changes.
//!
//! A flip: edit the text of routes.toml (`edit`), check it (`route`), number a revision, write the file (`file`), swap
//! the live table, record it (`store`). A hand edit comes in through `watch` and ends in the same swap. A
//! rollback that cannot be written is laid over the file (`state`). The request path knows nothing of this room: it
//! sees the live table change. Who may ask for a change is decided in `admin`.

mod apply;
mod change;
mod edit;
mod file;
mod handover;
mod reload;
mod standing;
mod start;
mod state;
mod status;
mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::diagnostic::Report;
use crate::route::{Context, Live, Routing, Serve, Table};
use crate::store::{Record, Recorder};

pub use change::{Applied, Change, Changed, Edit, Refused};
pub use file::WriteError;
pub use handover::HandOver;
pub use reload::Reloaded;
pub use standing::{Standing, serve_word, share};
pub use start::StartError;
pub use state::{LastChange, Override};
pub use status::{Drift, FileStatus, Finding, Status};
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
    /// Revision, last change, overrides, text.
    state: State,
    /// How the last look at the file went.
    reload: ReloadState,
    /// Warnings of the last good file.
    warnings: Report,
    /// Whether it is this process that makes changes.
    owner: handover::Owner,
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

    /// What changed lately, newest first.
    pub fn history(&self, route: Option<&str>, limit: u32) -> Vec<Record> {
        self.recorder.history(route, limit)
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

    /// Lets requests see what holds now.
    fn swap(&self, running: &Running) {
        self.live.store(Routing { revision: running.state.revision, table: running.effective() });
    }
}

impl Running {
    /// The file's table with the overrides laid over it.
    fn effective(&self) -> Table {
        effective(&self.base, &self.state)
    }
}

fn effective(base: &Table, state: &State) -> Table {
    let overrides = &state.overrides;
    let default =
        overrides.contains_key(standing::DEFAULTS).then(|| Serve::Backend(base.defaults().fallback.clone()));
    base.changed(default, |route| overrides.contains_key(&route.name).then(|| standing::rolled_back(route)))
}

/// Whether the file itself says what an override was for.
fn agrees(base: &Table, name: &str) -> bool {
    if name == standing::DEFAULTS {
        return serve_word(base.default_serve()) == base.defaults().fallback;
    }
    base.route(name).is_some_and(|route| Standing::of(route).is_safe())
}

fn near(table: &Table, name: &str) -> Vec<String> {
    let names: Vec<&str> = table.routes().iter().map(|route| route.name.as_str()).collect();
    crate::diagnostic::nearest(name, &names).into_iter().map(str::to_owned).collect()
}
