//! The first look at the routing file, and where the last run stopped.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::Utc;

use crate::diagnostic::{Report, Source};
use crate::route::{Context, Live, Routing, Serve, Table, read};
use crate::settings::Settings;
use crate::store::{Action, Record, Recorder};

use super::handover::Owner;
use super::state::{LastChange, State, StateFile};
use super::{Control, Failure, ReloadState, Running, agrees, effective, file, standing};

/// Why there is no control.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The routing file is wrong, and no earlier good one is remembered.
    #[error("{message}\n{errors}")]
    BadFile {
        /// What is wrong with it, in one line.
        message: String,
        /// All errors, as text for people.
        errors: String,
    },
    /// The machine refused something.
    #[error("cannot start the store: {0}")]
    System(#[from] std::io::Error),
}

impl Control {
    /// Reads the routing file and what this node remembers, and starts the store.
    ///
    /// # Errors
    /// When the routing file is bad and no earlier good one is remembered.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let directory = &settings.store.directory;
        if let Err(error) = std::fs::DirBuilder::new().recursive(true).mode(0o750).create(directory) {
            tracing::error!(path = %directory.display(), %error, "cannot make the state directory");
        }
        let recorder = Recorder::start(&settings.store.url, directory)?;
        let state_file = StateFile::new(directory);
        let state = state_file.load();
        let context = Context {
            backends: Some(settings.backends.keys().cloned().collect()),
            profile: settings.flask.profile,
        };
        let floor = recorder.latest().unwrap_or_default().max(state.revision);
        let running = match &settings.routes {
            None => without_file(floor),
            Some(path) => {
                file::sweep(path);
                with_file(path, &context, state, floor, &recorder)?
            }
        };
        let routing =
            Routing { revision: running.state.revision, table: effective(&running.base, &running.state) };
        let control = Self {
            live: Arc::new(Live::new(routing)),
            path: settings.routes.clone(),
            context,
            state_file,
            recorder,
            running: Mutex::new(running),
            settled: std::sync::Condvar::new(),
        };
        control.say_how_it_started();
        Ok(control)
    }

    fn say_how_it_started(&self) {
        let running = self.lock();
        let Some(path) = &self.path else {
            tracing::info!("there is no routing file: everything goes to legacy");
            return;
        };
        if self.state_file.save(&running.state).is_err() {
            tracing::error!("this node will not remember its revision and its overrides");
        }
        let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        if file::is_mount_point(path, &mountinfo) {
            tracing::warn!(
                path = %path.display(),
                "the routing file is a mount point of its own: edits from outside may not be seen and flips cannot \
                 be written; mount its directory"
            );
        }
        for finding in running.warnings.findings() {
            tracing::warn!("{finding}");
        }
        tracing::info!(
            path = %path.display(),
            revision = running.state.revision,
            routes = running.base.routes().len(),
            overrides = running.state.overrides.len(),
            "routing loaded"
        );
    }
}

fn without_file(floor: u64) -> Running {
    Running {
        base: Table::empty(Serve::Backend("legacy".to_owned())),
        hash: String::new(),
        state: State { revision: floor.max(1), ..State::default() },
        reload: ReloadState::default(),
        warnings: Report::default(),
        owner: Owner::default(),
    }
}

fn with_file(
    path: &Path,
    context: &Context,
    state: State,
    floor: u64,
    recorder: &Recorder,
) -> Result<Running, StartError> {
    let name = path.display().to_string();
    let (text, failure) = match file::read(path) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(unreadable(path, &error))),
    };
    if let Some(text) = text {
        let (table, report) = read(&Source::new(name, text.as_str()), context);
        if let Some(base) = table {
            return Ok(good(base, text, report, state, (floor, recorder)));
        }
        let failure = bad(path, Some(file::hash(&text)), report);
        return last_good(path, context, state, floor, failure);
    }
    last_good(path, context, state, floor, failure.unwrap_or_else(|| bad(path, None, Report::default())))
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("cannot read `{}`: {error}", path.display());
    Failure { at: Utc::now(), hash: None, message, report: Report::default() }
}

pub(super) fn bad(path: &Path, hash: Option<String>, report: Report) -> Failure {
    let message = format!("`{}` has {}", path.display(), report.summary());
    Failure { at: Utc::now(), hash, message, report }
}

/// The file is good: it is the revision that the last run ended with, or one that was made since.
fn good(base: Table, text: String, warnings: Report, mut state: State, past: (u64, &Recorder)) -> Running {
    let (floor, recorder) = past;
    let hash = file::hash(&text);
    let unfinished = settle_journal(recorder, &state, &hash);
    let same = state.revision > 0 && file::hash(&state.text) == hash;
    if let Some(record) = unfinished {
        state.revision = record.revision.max(floor);
        state.last = Some(LastChange::from(&record));
    } else if !same || state.revision < floor {
        let record = Record {
            revision: floor + 1,
            at: Utc::now(),
            author: "file".to_owned(),
            reason: (state.revision > 0)
                .then(|| "the file was edited while ficus was not running".to_owned()),
            action: Action::File,
            changes: standing::differences(&before(&state, &base), &effective(&base, &state)),
            hash: hash.clone(),
            text: Some(text.clone()),
        };
        state.revision = record.revision;
        state.last = Some(LastChange::from(&record));
        log_intent(recorder, &record);
        recorder.confirm(record);
    }
    state.text = text;
    state.overrides.retain(|name, _| !agrees(&base, name));
    let reload = ReloadState { last_success: Some(Utc::now()), failure: None };
    Running { base, hash, state, reload, warnings, owner: Owner::default() }
}

/// The table of the last run, to say what changed since; on the very first start nothing did.
fn before(state: &State, base: &Table) -> Table {
    let source = Source::new("last good routes", state.text.as_str());
    let table = if state.text.is_empty() { None } else { read(&source, &Context::default()).0 };
    table.map_or_else(|| effective(base, state), |table| effective(&table, state))
}

/// Records that were on their way when the last run ended. One that belongs to a revision which the state file does
/// not know yet happened if the routing file is as it says, else it was never written.
fn settle_journal(recorder: &Recorder, state: &State, hash: &str) -> Option<Record> {
    let mut unfinished = None;
    for record in recorder.left_over() {
        if record.revision <= state.revision {
            recorder.confirm(record);
        } else if record.hash == hash {
            recorder.confirm(record.clone());
            unfinished = Some(record);
        } else {
            recorder.withdraw(&record);
        }
    }
    unfinished
}

pub(super) fn log_intent(recorder: &Recorder, record: &Record) {
    if let Err(error) = recorder.intend(record) {
        tracing::error!(%error, revision = record.revision, "cannot write the journal; the revision holds anyway");
    }
}

/// A bad file never keeps the proxy from serving what it served before.
fn last_good(
    path: &Path,
    context: &Context,
    mut state: State,
    floor: u64,
    failure: Failure,
) -> Result<Running, StartError> {
    let errors = failure.report.render(false);
    let refused = StartError::BadFile { message: failure.message.clone(), errors: errors.clone() };
    if state.text.is_empty() {
        return Err(refused);
    }
    let source = Source::new(PathBuf::from("last good routes").display().to_string(), state.text.as_str());
    let (Some(base), warnings) = read(&source, context) else {
        return Err(refused);
    };
    state.revision = state.revision.max(floor);
    tracing::error!(
        path = %path.display(),
        revision = state.revision,
        "{}; serving the last good routes instead\n{errors}",
        failure.message
    );
    let hash = file::hash(&state.text);
    let reload =
        ReloadState { last_success: state.last.as_ref().map(|last| last.at), failure: Some(failure) };
    Ok(Running { base, hash, state, reload, warnings, owner: Owner::default() })
}
