//! The first look at the routing file, and where the last run stopped.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::Utc;

use crate::diagnostic::{Report, Source};
use crate::route::{Context, Live, Routing, Serve, Table, read};
use crate::settings::Settings;
use crate::store::{Action, Record, Recorder};

use super::apply::snapshot;
use super::fleet::Fleet;
use super::handover::Owner;
use super::state::{LastChange, Loaded, State, StateFile};
use super::{Control, Failure, ReloadState, Running, file, standing};

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
    /// The nodes of a fleet share a routing file.
    #[error(
        "a node of a fleet needs a routing file: set `routes`, or start ficus with `--routes routes.toml`"
    )]
    NoFile,
    /// The address of the shared store makes no sense.
    #[error("{0}")]
    Store(String),
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
        let fleet = Fleet::new(settings).map_err(StartError::Store)?;
        let recorder = match &fleet {
            Some(fleet) => Recorder::in_fleet(fleet.member(), directory)?,
            None => Recorder::start(&settings.store.url, directory)?,
        };
        let state_file = StateFile::new(directory);
        state_file.sweep();
        let (state, notices) = recover(&state_file, &recorder, settings.routes.as_deref());
        let context = Context {
            backends: Some(settings.backends.keys().cloned().collect()),
            profile: settings.flask.profile,
            today: Some(|| Utc::now().date_naive()),
        };
        let mut running = match &settings.routes {
            None if fleet.is_some() => return Err(StartError::NoFile),
            None => without_file(recorder.latest().unwrap_or_default().max(state.revision)),
            Some(path) => {
                file::sweep(path);
                if fleet.is_some() {
                    of_fleet(path, &context, state, &recorder)
                } else {
                    let floor = recorder.latest().unwrap_or_default().max(state.revision);
                    with_file(path, &context, state, floor, &recorder)?
                }
            }
        };
        running.notices = notices;
        let routing = Routing { revision: running.state.revision, table: running.effective() };
        let control = Self {
            live: Arc::new(Live::new(routing)),
            path: settings.routes.clone(),
            context,
            state_file,
            recorder,
            fleet,
            override_lasts: settings.control.override_expires,
            running: Mutex::new(running),
            settled: std::sync::Condvar::new(),
        };
        control.join()?;
        control.say_how_it_started();
        Ok(control)
    }

    /// Looks at the fleet before anybody is answered. A store that is away is no reason to wait for long.
    fn join(&self) -> Result<(), StartError> {
        if self.fleet.is_none() {
            return Ok(());
        }
        if let Err(away) = self.catch_up() {
            tracing::error!(%away, "this node starts without its fleet");
        }
        let running = self.lock();
        match &running.reload.failure {
            Some(failure) if running.blind && running.state.text.is_empty() => Err(StartError::BadFile {
                message: failure.message.clone(),
                errors: failure.report.render(false),
            }),
            _ => Ok(()),
        }
    }

    fn say_how_it_started(&self) {
        let mut running = self.lock();
        let Some(path) = &self.path else {
            tracing::info!("there is no routing file: everything goes to legacy");
            return;
        };
        if self.save(&mut running).is_err() {
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
            holds = running.state.pins.holds.len(),
            overrides = running.state.pins.overrides.len(),
            "routing loaded"
        );
    }
}

/// What the last run left. If that is lost, damaged or older than the audit, it is what the audit says: a hold or an
/// override that is forgotten would give traffic back that somebody took away.
fn recover(state_file: &StateFile, recorder: &Recorder, path: Option<&Path>) -> (State, Vec<String>) {
    let last = recorder.last();
    let (trouble, first) = match state_file.load() {
        Loaded::Good(state) if last.as_ref().is_none_or(|last| last.revision <= state.revision) => {
            return (*state, Vec::new());
        }
        Loaded::Good(state) => {
            (format!("what this node remembers ends with revision {}", state.revision), false)
        }
        Loaded::Missing => ("what this node remembers was gone at start".to_owned(), true),
        Loaded::Damaged(trouble) => {
            state_file.put_aside();
            (trouble, false)
        }
    };
    let Some(record) = last else {
        if first {
            return (State::default(), Vec::new());
        }
        let notice =
            format!("{trouble}; there is no audit to restore it from: the routing file counts as it is");
        tracing::error!("{notice}");
        return (State::default(), vec![notice]);
    };
    let notice = format!("{trouble}; restored from the audit: revision {}", record.revision);
    tracing::error!("{notice}");
    let on_disk = path.and_then(|path| file::read(path).ok()).filter(|text| file::hash(text) == record.hash);
    let text = on_disk.or_else(|| recorder.text(&record.hash)).unwrap_or_default();
    let pins = serde_json::from_value(record.pins.clone()).unwrap_or_default();
    let last = Some(LastChange::from(&record));
    (State { revision: record.revision, last, pins, text, fleet: None }, vec![notice])
}

fn without_file(floor: u64) -> Running {
    Running {
        base: Table::empty(Serve::Backend("legacy".to_owned())),
        hash: String::new(),
        state: State { revision: floor.max(1), ..State::default() },
        reload: ReloadState::default(),
        warnings: Report::default(),
        notices: Vec::new(),
        owner: Owner::default(),
        unsaved: false,
        blind: false,
    }
}

/// In a fleet the file is a copy of what the fleet runs: a node goes on with what it remembers, and an edit of the file is
/// offered to the others as soon as they can hear it. One that remembers nothing waits for them.
fn of_fleet(path: &Path, context: &Context, mut state: State, recorder: &Recorder) -> Running {
    let read_text = |name: String, text: &str| read(&Source::new(name, text), context);
    let on_disk = file::read(path);
    if let Some(record) =
        on_disk.as_ref().ok().and_then(|text| settle_journal(recorder, &state, &file::hash(text)))
        && record.revision > state.revision
    {
        // The end came between the file and the memory of it.
        state.text = on_disk.as_ref().map(Clone::clone).unwrap_or_default();
        state.revision = record.revision;
        state.pins = serde_json::from_value(record.pins.clone()).unwrap_or_default();
        state.last = Some(LastChange::from(&record));
        let known = state.fleet.take().unwrap_or_default();
        state.fleet = Some(super::state::InFleet { apart: true, ..known });
    }
    let (notices, unsaved, owner) = (Vec::new(), false, Owner::default());
    let remembered = read_text("last good routes".to_owned(), &state.text);
    if let (true, (Some(base), warnings)) = (state.revision > 0 && !state.text.is_empty(), remembered) {
        let (hash, reload) = (file::hash(&state.text), ReloadState::default());
        return Running { base, hash, state, reload, warnings, notices, unsaved, owner, blind: false };
    }
    let mut running = without_file(state.revision);
    running.blind = state.revision == 0;
    running.state = State { text: String::new(), ..state };
    let failure = match on_disk {
        Err(error) => unreadable(path, &error),
        Ok(text) => match read_text(path.display().to_string(), &text) {
            (Some(base), warnings) => {
                let nothing = Table::empty(Serve::Backend(base.defaults().fallback.clone()));
                running.state.pins.stand_against(&nothing, &base, super::moment());
                (running.base, running.warnings) = (base, warnings);
                running.hash = file::hash(&text);
                running.state.text = text;
                return running;
            }
            (None, report) => bad(path, Some(file::hash(&text)), report),
        },
    };
    running.reload.failure = Some(failure);
    running
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
    Failure { at: Utc::now(), hash: None, message, report: Report::default(), waits: false }
}

pub(super) fn bad(path: &Path, hash: Option<String>, report: Report) -> Failure {
    let message = format!("`{}` has {}", path.display(), report.summary());
    Failure { at: Utc::now(), hash, message, report, waits: false }
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
        state.pins = serde_json::from_value(record.pins.clone()).unwrap_or_default();
    } else if !same || state.revision < floor {
        let before = before(&state, &base);
        if !same {
            state.pins.stand_against(&before, &base, Utc::now());
        }
        state.pins.forget_agreed(&base);
        let record = Record {
            revision: floor + 1,
            at: Utc::now(),
            author: "file".to_owned(),
            reason: (state.revision > 0)
                .then(|| "the file was edited while ficus was not running".to_owned()),
            action: Action::File,
            changes: standing::differences(&before, &state.pins.over(&base)),
            hash: hash.clone(),
            text: Some(text.clone()),
            undoes: None,
            node: None,
            cut_off: false,
            pins: snapshot(&state.pins),
        };
        state.revision = record.revision;
        state.last = Some(LastChange::from(&record));
        log_intent(recorder, &record);
        recorder.confirm(record);
    }
    state.text = text;
    state.pins.forget_agreed(&base);
    let reload = ReloadState { last_success: Some(Utc::now()), failure: None };
    let (notices, unsaved, owner) = (Vec::new(), false, Owner::default());
    Running { base, hash, state, reload, warnings, notices, unsaved, owner, blind: false }
}

/// The table of the last run, to say what changed since; on the very first start nothing did. If it is not known any
/// more although something is held, nothing is known about the routes either.
fn before(state: &State, base: &Table) -> Table {
    let source = Source::new("last good routes", state.text.as_str());
    let table = if state.text.is_empty() { None } else { read(&source, &Context::default()).0 };
    match table {
        Some(table) => state.pins.over(&table),
        None if state.pins.holds.is_empty() => state.pins.over(base),
        None => Table::empty(Serve::Backend(base.defaults().fallback.clone())),
    }
}

/// Records that were on their way when the last run ended. One of a revision that the state file does not know yet
/// happened if the routing file is as it says, else it was never written. One of an older revision happened, unless
/// another record of that revision was made after it: then it was refused by a disk that could not even note that.
fn settle_journal(recorder: &Recorder, state: &State, hash: &str) -> Option<Record> {
    let mut unfinished = None;
    let left = recorder.left_over();
    for record in &left {
        let later = |other: &Record| other.revision == record.revision && other.at > record.at;
        if record.revision <= state.revision {
            let own = state.last.as_ref().is_some_and(|last| last.at == record.at);
            if !own && (left.iter().any(later) || recorder.superseded(record)) {
                recorder.withdraw(record);
            } else {
                recorder.confirm_again(record.clone());
            }
        } else if record.hash == hash {
            recorder.confirm_again(record.clone());
            unfinished = Some(record.clone());
        } else {
            recorder.withdraw(record);
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
    let (notices, unsaved, owner) = (Vec::new(), false, Owner::default());
    Ok(Running { base, hash, state, reload, warnings, notices, unsaved, owner, blind: false })
}
