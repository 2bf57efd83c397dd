//! Takes records and answers questions about the past; the work is done by `worker`, on a thread of its own.
//!
//! A flip hands its record over and goes on. While the database cannot be reached, records wait in memory and in
//! the journal file, and it is tried again every few seconds.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use super::audit::Audit;
use super::chain::Chain;
use super::database::Place;
use super::fleet::Member;
use super::journal::Journal;
use super::worker::{Command, Question, Worker};
use super::{Link, Record, Refusal};

const PATIENCE: Duration = Duration::from_secs(5);

/// How the database is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StoreHealth {
    /// Whether the last attempt to use it worked.
    pub up: bool,
    /// Why not.
    pub error: Option<String>,
    /// Why the audit on this node's disk cannot be written; absent: it can.
    pub audit: Option<String>,
    /// Records that wait for it.
    pub pending: usize,
}

/// Takes records and answers questions about the past.
#[derive(Debug)]
pub struct Recorder {
    commands: Option<Sender<Command>>,
    journal: Arc<Mutex<Journal>>,
    chain: Chain,
    health: Arc<Mutex<StoreHealth>>,
    /// Confirmed records that have not reached the database.
    pending: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
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

/// The routing file of a revision and of the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// How the revision came to be.
    pub record: Record,
    /// The file before; absent: there was none, or it is not kept.
    pub before: Option<String>,
    /// The file since; absent: it is not kept.
    pub after: Option<String>,
}

impl Recorder {
    /// Starts the thread. A database that cannot be opened is reported by [`Recorder::health`] and tried again.
    ///
    /// # Errors
    /// When the machine refuses a thread.
    pub fn start(url: &str, directory: &Path) -> std::io::Result<Self> {
        Self::keeping(Place::File(url.to_owned()), directory)
    }

    /// The same for a node of a fleet, whose database is the fleet's.
    ///
    /// # Errors
    /// When the machine refuses a thread.
    pub fn in_fleet(member: &Member, directory: &Path) -> std::io::Result<Self> {
        Self::keeping(Place::Fleet(Box::new(member.clone())), directory)
    }

    fn keeping(place: Place, directory: &Path) -> std::io::Result<Self> {
        let journal = Arc::new(Mutex::new(Journal::new(directory)));
        let health = Arc::new(Mutex::new(StoreHealth::default()));
        let pending = Arc::new(AtomicUsize::new(0));
        let (commands, inbox) = channel();
        let chain = Chain::new(directory);
        let shared = (Arc::clone(&journal), Arc::clone(&health), Arc::clone(&pending));
        let worker = Worker::new(place, chain.clone(), shared)?;
        let thread =
            std::thread::Builder::new().name("store".to_owned()).spawn(move || worker.run(&inbox))?;
        Ok(Self { commands: Some(commands), journal, chain, health, pending, thread: Some(thread) })
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

    /// Hands an intended record over to the audit and the database.
    pub fn confirm(&self, record: Record) {
        self.pending.fetch_add(1, Ordering::SeqCst);
        self.send(Command::Record(Box::new(record), None));
    }

    /// Hands over that somebody was refused; how much of it gets into the audit is bounded.
    pub fn refused(&self, refusal: Refusal) {
        self.send(Command::Refused(refusal));
    }

    /// Hands over a record of an earlier process, which may have got half way: in the audit, but not in the database.
    pub fn confirm_again(&self, record: Record) {
        self.pending.fetch_add(1, Ordering::SeqCst);
        let link = self.link_of(&record);
        self.send(Command::Record(Box::new(record), link));
    }

    /// The place of a record in the audit, if it has one.
    fn link_of(&self, record: &Record) -> Option<Link> {
        let links = self.chain.links().unwrap_or_default();
        links.into_iter().rev().flatten().find(|link| {
            link.read().is_some_and(|other| (other.revision, other.at) == (record.revision, record.at))
        })
    }

    /// Records of an earlier process that have not reached the database yet.
    pub fn left_over(&self) -> Vec<Record> {
        lock(&self.journal).read()
    }

    /// Whether the audit knows another record of this revision, made later.
    pub fn superseded(&self, record: &Record) -> bool {
        let links = self.chain.links().unwrap_or_default();
        let mut others = links.into_iter().flatten().filter_map(|link| link.read());
        others.any(|other| other.revision == record.revision && other.at > record.at)
    }

    /// The last record of this node's audit, else the last one that the database knows.
    pub fn last(&self) -> Option<Record> {
        let own = self.chain.links().unwrap_or_default().into_iter().rev().flatten();
        own.filter_map(|link| link.read()).next().or_else(|| self.ask(Question::Last).flatten())
    }

    /// The highest revision the database knows; `None` also when it cannot be asked.
    pub fn latest(&self) -> Option<u64> {
        self.ask(Question::Latest).flatten()
    }

    /// The last revisions, newest first; while the database is away, those that wait for it.
    pub fn history(&self, route: Option<&str>, limit: u32) -> Vec<Record> {
        let route = route.map(str::to_owned);
        self.ask(|answer| Question::History { route, limit, answer }).unwrap_or_default()
    }

    /// The routing files around a revision; `None` also when the database cannot be asked.
    pub fn texts(&self, revision: u64) -> Option<Texts> {
        self.ask(|answer| Question::Texts { revision, answer }).flatten()
    }

    /// The routing file of a hash; `None` also when the database cannot be asked.
    pub fn text(&self, hash: &str) -> Option<String> {
        let hash = hash.to_owned();
        self.ask(|answer| Question::Text { hash, answer }).flatten()
    }

    /// The audit, both copies checked.
    pub fn audit(&self, limit: u32) -> Option<Audit> {
        self.ask(|answer| Question::Audit { limit, answer })
    }

    fn ask<T>(&self, question: impl FnOnce(Sender<T>) -> Question) -> Option<T> {
        let (answer, receive) = channel();
        self.send(Command::Ask(question(answer)));
        receive.recv_timeout(PATIENCE).ok()
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

/// A panic elsewhere leaves the data as it was: each lock covers whole steps only.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::{Action, RouteChange};

    pub(in crate::store) fn record(revision: u64) -> Record {
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
            hash: format!("abc{revision}"),
            text: Some(format!("version = 1\n# {revision}\n")),
            undoes: None,
            node: None,
            cut_off: false,
            pins: serde_json::Value::Null,
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
            recorder.confirm_again(left);
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

    #[test]
    fn the_texts_around_a_revision_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        store(&recorder, 1);
        store(&recorder, 2);
        let texts = recorder.texts(2).unwrap();
        assert_eq!(texts.before.as_deref(), Some("version = 1\n# 1\n"));
        assert_eq!(texts.after.as_deref(), Some("version = 1\n# 2\n"));
        assert_eq!(recorder.texts(1).unwrap().before, None);
        assert_eq!(recorder.texts(3), None);
        assert_eq!(recorder.last().unwrap().revision, 2);
    }

    #[test]
    fn both_copies_of_the_audit_are_checked_against_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        (1..=4).for_each(|revision| store(&recorder, revision));
        let audit = recorder.audit(10).unwrap();
        assert_eq!((audit.records, audit.broken), (4, None));
        let path = directory.path().join("audit.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        let short: Vec<&str> = text.lines().take(3).collect();
        std::fs::write(&path, short.join("\n") + "\n").unwrap();
        let broken = recorder.audit(10).unwrap().broken.unwrap();
        assert_eq!(broken.seq, 4, "{}", broken.why);
        std::fs::write(&path, text).unwrap();
        assert_eq!(recorder.audit(10).unwrap().broken, None);
    }

    #[test]
    fn a_lost_database_is_filled_again_from_the_audit() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        (1..=3).for_each(|revision| store(&recorder, revision));
        assert_eq!(recorder.latest(), Some(3));
        drop(recorder);
        for name in ["ficus.db", "ficus.db-wal", "ficus.db-shm"] {
            let _ = std::fs::remove_file(directory.path().join(name));
        }
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        assert_eq!(recorder.latest(), Some(3));
        assert_eq!(recorder.history(None, 10).len(), 3);
        let audit = recorder.audit(10).unwrap();
        assert_eq!((audit.records, audit.broken), (3, None));
    }

    /// Tables and rows as ficus wrote them before the audit was a chain.
    const OLD_STORE: &str = "
        CREATE TABLE revision (id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL, made_at TEXT NOT NULL,
            author TEXT NOT NULL, reason TEXT, action TEXT NOT NULL, hash TEXT NOT NULL, UNIQUE (number, made_at));
        CREATE TABLE routing_file (hash TEXT PRIMARY KEY, text TEXT NOT NULL);
        CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, revision INTEGER NOT NULL REFERENCES revision (id),
            route TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL);
        INSERT INTO revision (number, made_at, author, reason, action, hash) VALUES
            (1, '2026-11-20T10:00:00.123456789+00:00', 'file', NULL, 'file', 'aaaa'),
            (2, '2026-11-20T10:05:00.000000001+00:00', 'ana', 'CRM-812', 'flip', 'bbbb');
        INSERT INTO routing_file VALUES ('aaaa', 'version = 1'), ('bbbb', 'version = 1 # 2');
        INSERT INTO audit (revision, route, before, after) VALUES (2, 'customers.list', 'legacy', 'rust');";

    #[test]
    fn a_store_from_before_the_chain_is_taken_over() {
        use sqlx::{Connection, Executor};
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut old = sqlx::SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
            old.execute(OLD_STORE).await.unwrap();
            old.close().await.unwrap();
        });
        for _ in 0..2 {
            let recorder = Recorder::start(&url, directory.path()).unwrap();
            assert_eq!(recorder.latest(), Some(2));
            let audit = recorder.audit(10).unwrap();
            assert_eq!((audit.records, audit.broken), (2, None));
            assert_eq!(audit.links[0].record["reason"], "CRM-812");
            assert_eq!(recorder.texts(2).unwrap().before.as_deref(), Some("version = 1"));
        }
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        store(&recorder, 3);
        let audit = recorder.audit(10).unwrap();
        assert_eq!((audit.records, audit.broken), (3, None));
        drop(recorder);
        // Somebody goes back to the older ficus for one change.
        runtime.block_on(async {
            let mut old = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let row = "INSERT INTO revision (number, made_at, author, action, hash)
                VALUES (4, '2026-11-25T10:05:00+00:00', 'ana', 'flip', 'cccc')";
            old.execute(row).await.unwrap();
            old.close().await.unwrap();
        });
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        assert_eq!(recorder.latest(), Some(4));
        let audit = recorder.audit(10).unwrap();
        assert_eq!((audit.records, audit.broken), (4, None));
    }

    #[test]
    fn a_store_of_a_newer_ficus_is_left_alone() {
        use sqlx::{Connection, Executor};
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut new = sqlx::SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
            new.execute("PRAGMA user_version = 99").await.unwrap();
            new.close().await.unwrap();
        });
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        assert_eq!(recorder.latest(), None);
        let error = recorder.health().error.unwrap();
        assert!(error.contains("written by a newer ficus"), "{error}");
    }
}
