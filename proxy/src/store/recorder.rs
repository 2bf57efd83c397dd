//! Carries records into the database, on a thread of its own.
//!
//! A flip hands its record over and goes on. While the database cannot be reached, records wait in memory and in
//! the journal file, and it is tried again every few seconds.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use super::Record;
use super::journal::Journal;
use super::sqlite::Sqlite;

const RETRY: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(5);

/// How the database is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StoreHealth {
    /// Whether the last attempt to use it worked.
    pub up: bool,
    /// Why not.
    pub error: Option<String>,
    /// Records that wait for it.
    pub pending: usize,
}

/// Takes records and answers questions about the past.
#[derive(Debug)]
pub struct Recorder {
    commands: Option<Sender<Command>>,
    journal: Arc<Mutex<Journal>>,
    health: Arc<Mutex<StoreHealth>>,
    /// Confirmed records that have not reached the database.
    pending: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Record(Box<Record>),
    Latest(Sender<Option<u64>>),
    History {
        route: Option<String>,
        limit: u32,
        answer: Sender<Vec<Record>>,
    },
    /// Leave database and journal alone until told to go on; if nobody can any more, for ever.
    Pause {
        paused: Sender<()>,
        resume: Receiver<()>,
    },
}

/// Database and journal belong to somebody else as long as this lives.
#[derive(Debug)]
pub struct Paused(Sender<()>);

impl Paused {
    /// They are ours again.
    pub fn resume(self) {
        let _ = self.0.send(());
    }
}

impl Recorder {
    /// Starts the thread. A database that cannot be opened is reported by [`Recorder::health`] and tried again.
    ///
    /// # Errors
    /// When the machine refuses a thread.
    pub fn start(url: &str, directory: &Path) -> std::io::Result<Self> {
        let journal = Arc::new(Mutex::new(Journal::new(directory)));
        let health = Arc::new(Mutex::new(StoreHealth::default()));
        let pending = Arc::new(AtomicUsize::new(0));
        let (commands, inbox) = channel();
        let worker = Worker {
            url: url.to_owned(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            database: None,
            waiting: VecDeque::new(),
            journal: Arc::clone(&journal),
            health: Arc::clone(&health),
            pending: Arc::clone(&pending),
        };
        let thread =
            std::thread::Builder::new().name("store".to_owned()).spawn(move || worker.run(&inbox))?;
        Ok(Self { commands: Some(commands), journal, health, pending, thread: Some(thread) })
    }

    /// Puts a record on this node's disk, before what it tells of happens.
    ///
    /// # Errors
    /// When the disk refuses; the flip goes on, the caller logs it.
    pub fn intend(&self, record: &Record) -> std::io::Result<()> {
        lock(&self.journal).append(record)
    }

    /// Takes back an intended record: it did not happen.
    pub fn withdraw(&self, record: &Record) {
        let journal = lock(&self.journal);
        let left: Vec<Record> = journal.read().into_iter().filter(|other| other != record).collect();
        if let Err(error) = journal.replace(&left) {
            tracing::error!(%error, revision = record.revision, "cannot take a record back out of the journal");
        }
    }

    /// Hands an intended record over to the database.
    pub fn confirm(&self, record: Record) {
        self.pending.fetch_add(1, Ordering::SeqCst);
        self.send(Command::Record(Box::new(record)));
    }

    /// Records of an earlier process that have not reached the database yet.
    pub fn left_over(&self) -> Vec<Record> {
        lock(&self.journal).read()
    }

    /// The highest revision the database knows; `None` also when it cannot be asked.
    pub fn latest(&self) -> Option<u64> {
        let (answer, receive) = channel();
        self.send(Command::Latest(answer));
        receive.recv_timeout(PATIENCE).ok().flatten()
    }

    /// The last revisions, newest first; while the database is away, those that wait for it.
    pub fn history(&self, route: Option<&str>, limit: u32) -> Vec<Record> {
        let (answer, receive) = channel();
        self.send(Command::History { route: route.map(str::to_owned), limit, answer });
        receive.recv_timeout(PATIENCE).unwrap_or_default()
    }

    /// Stops using database and journal. What has not reached the database waits in the journal, for whoever uses both
    /// next. Dropping the result without a word makes that final.
    pub fn pause(&self) -> Paused {
        let (resume, wait) = channel();
        let (paused, done) = channel();
        self.send(Command::Pause { paused, resume: wait });
        let _ = done.recv_timeout(PATIENCE);
        Paused(resume)
    }

    /// How the database is.
    pub fn health(&self) -> StoreHealth {
        StoreHealth { pending: self.pending.load(Ordering::SeqCst), ..lock(&self.health).clone() }
    }

    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // Fails only when the thread is gone, and then the journal keeps the record.
            let _ = commands.send(command);
        }
    }
}

/// Lets the thread finish what it has.
impl Drop for Recorder {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    url: String,
    runtime: tokio::runtime::Runtime,
    database: Option<Sqlite>,
    waiting: VecDeque<Record>,
    journal: Arc<Mutex<Journal>>,
    health: Arc<Mutex<StoreHealth>>,
    pending: Arc<AtomicUsize>,
}

impl Worker {
    fn run(mut self, inbox: &Receiver<Command>) {
        loop {
            let command = if self.waiting.is_empty() {
                inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                inbox.recv_timeout(RETRY)
            };
            match command {
                Ok(Command::Record(record)) => {
                    self.waiting.push_back(*record);
                    self.store_waiting();
                }
                Ok(Command::Latest(answer)) => {
                    let latest = self.ask(async |database| database.latest().await).flatten();
                    let _ = answer.send(latest);
                }
                Ok(Command::History { route, limit, answer }) => {
                    let _ = answer.send(self.history(route.as_deref(), limit));
                }
                Ok(Command::Pause { paused, resume }) => {
                    if !self.waiting.is_empty() {
                        self.store_waiting();
                    }
                    self.close();
                    let _ = paused.send(());
                    if resume.recv().is_err() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.store_waiting(),
                Err(RecvTimeoutError::Disconnected) => {
                    if !self.waiting.is_empty() {
                        self.store_waiting();
                    }
                    return;
                }
            }
        }
    }

    fn close(&mut self) {
        if let Some(database) = self.database.take() {
            self.runtime.block_on(database.close());
        }
    }

    fn store_waiting(&mut self) {
        while let Some(record) = self.waiting.front().cloned() {
            if self.ask(async |database| database.append(&record).await).is_none() {
                break;
            }
            self.waiting.pop_front();
            self.pending.fetch_sub(1, Ordering::SeqCst);
            self.forget(&record);
        }
    }

    /// Removes a stored record from the journal; records that were only intended so far stay.
    fn forget(&self, record: &Record) {
        let journal = lock(&self.journal);
        let left: Vec<Record> = journal.read().into_iter().filter(|other| other != record).collect();
        if let Err(error) = journal.replace(&left) {
            tracing::warn!(%error, "cannot shorten the journal; its records are stored and will be skipped");
        }
    }

    fn history(&mut self, route: Option<&str>, limit: u32) -> Vec<Record> {
        let mut records: Vec<Record> = self.waiting.iter().rev().cloned().collect();
        records.retain_mut(|record| {
            record.text = None;
            if let Some(route) = route {
                record.changes.retain(|change| change.route == route);
            }
            route.is_none() || !record.changes.is_empty()
        });
        records.extend(self.ask(async |database| database.history(route, limit).await).unwrap_or_default());
        records.truncate(limit as usize);
        records
    }

    /// Opens the database if need be, asks it, and notes how it went.
    fn ask<T>(&mut self, question: impl AsyncFnOnce(&mut Sqlite) -> Result<T, sqlx::Error>) -> Option<T> {
        let database = &mut self.database;
        let url = &self.url;
        let answer = self.runtime.block_on(async {
            let open = match database {
                Some(open) => open,
                None => database.insert(Sqlite::open(url).await?),
            };
            question(open).await
        });
        let mut health = lock(&self.health);
        match answer {
            Ok(answer) => {
                health.up = true;
                health.error = None;
                Some(answer)
            }
            Err(error) => {
                self.database = None;
                let message = error.to_string();
                if health.error.as_ref() != Some(&message) {
                    tracing::error!(error = message, "the store cannot be used; records wait in the journal");
                }
                health.up = false;
                health.error = Some(message);
                None
            }
        }
    }
}

/// A panic elsewhere leaves the data as it was: each lock covers whole steps only.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Action, RouteChange};

    fn record(revision: u64) -> Record {
        Record {
            revision,
            at: chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            author: "ana".to_owned(),
            reason: Some("CRM-812".to_owned()),
            action: Action::Flip,
            changes: vec![RouteChange {
                route: "customers.list".to_owned(),
                before: "legacy".to_owned(),
                after: "rust".to_owned(),
            }],
            hash: "abc".to_owned(),
            text: Some("version = 1\n".to_owned()),
        }
    }

    fn store(recorder: &Recorder, revision: u64) {
        recorder.intend(&record(revision)).unwrap();
        recorder.confirm(record(revision));
    }

    #[test]
    fn what_was_recorded_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        assert_eq!(recorder.latest(), None);
        store(&recorder, 1);
        store(&recorder, 2);
        drop(recorder);
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        assert_eq!(recorder.latest(), Some(2));
        let revisions: Vec<u64> = recorder.history(None, 10).iter().map(|record| record.revision).collect();
        assert_eq!(revisions, [2, 1]);
        assert_eq!(recorder.history(Some("customers.list"), 1).len(), 1);
        assert!(recorder.history(Some("other"), 10).is_empty());
        assert!(recorder.left_over().is_empty());
        assert!(recorder.health().up);
    }

    #[test]
    fn without_a_database_records_wait_in_the_journal() {
        let directory = tempfile::tempdir().unwrap();
        let in_the_way = directory.path().join("file");
        std::fs::write(&in_the_way, "not a directory").unwrap();
        let url = format!("sqlite:{}", in_the_way.join("ficus.db").display());
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        store(&recorder, 7);
        assert_eq!(recorder.history(None, 10).len(), 1);
        let health = recorder.health();
        assert_eq!((health.up, health.pending), (false, 1));
        drop(recorder);
        std::fs::remove_file(&in_the_way).unwrap();
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        for left in recorder.left_over() {
            recorder.confirm(left);
        }
        assert_eq!(recorder.latest(), Some(7));
        assert!(recorder.left_over().is_empty());
    }

    #[test]
    fn a_pause_leaves_the_journal_to_somebody_else() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let old = Recorder::start(&url, directory.path()).unwrap();
        store(&old, 1);
        let paused = old.pause();
        assert!(old.left_over().is_empty(), "all of it is stored");
        // What is confirmed during the pause is written by whoever goes on.
        store(&old, 2);
        let new = Recorder::start(&url, directory.path()).unwrap();
        assert_eq!(new.left_over(), [record(2)]);
        assert_eq!(new.latest(), Some(1));
        drop(new);
        paused.resume();
        assert_eq!(old.latest(), Some(2));
        drop(old.pause());
        store(&old, 3);
        drop(old);
        let last = Recorder::start(&url, directory.path()).unwrap();
        assert_eq!((last.latest(), last.left_over()), (Some(2), vec![record(3)]));
    }

    #[test]
    fn a_withdrawn_record_never_happened() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        recorder.intend(&record(3)).unwrap();
        recorder.withdraw(&record(3));
        assert!(recorder.left_over().is_empty());
        assert_eq!(recorder.latest(), None);
    }
}
