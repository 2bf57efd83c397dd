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
pub(super) mod tests;
