//! The thread that carries records into the audit and the database, in this order, and asks the database.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::Utc;
use serde_json::Value;

use super::audit::{Audit, Copy, audit, audit_of_fleet};
use super::chain::{Chain, written};
use super::database::{Database, Place};
use super::journal::Journal;
use super::recorder::{StoreHealth, Texts, lock};
use super::refusals::{Refusal, Refusals};
use super::{Link, Record, step};

const RETRY: Duration = Duration::from_secs(3);

/// What the thread is told.
pub(super) enum Command {
    /// A record, and its place in the audit if it has one already.
    Record(Box<Record>, Option<Link>),
    /// Somebody was refused.
    Refused(Refusal),
    /// A question.
    Ask(Question),
    /// Leave database, audit and journal alone until told to go on; if nobody can any more, for ever.
    Pause { paused: Sender<()>, resume: Receiver<()> },
}

/// What the thread is asked; each has the way back for its answer.
pub(super) enum Question {
    Latest(Sender<Option<u64>>),
    Last(Sender<Option<Record>>),
    History { route: Option<String>, limit: u32, answer: Sender<Vec<Record>> },
    Texts { revision: u64, answer: Sender<Option<Texts>> },
    Text { hash: String, answer: Sender<Option<String>> },
    Audit { limit: u32, answer: Sender<Audit> },
}

/// What is on its way into the audit.
#[derive(Clone)]
enum Entry {
    /// A revision.
    Made(Record),
    /// An attempt that was refused.
    Refused(Value),
}

pub(super) struct Worker {
    place: Place,
    runtime: tokio::runtime::Runtime,
    database: Option<Database>,
    chain: Chain,
    waiting: VecDeque<(Entry, Option<Link>)>,
    refusals: Refusals,
    journal: Arc<Mutex<Journal>>,
    health: Arc<Mutex<StoreHealth>>,
    pending: Arc<AtomicUsize>,
}

type Shared = (Arc<Mutex<Journal>>, Arc<Mutex<StoreHealth>>, Arc<AtomicUsize>);

impl Worker {
    pub(super) fn new(place: Place, chain: Chain, shared: Shared) -> std::io::Result<Self> {
        let (journal, health, pending) = shared;
        Ok(Self {
            place,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            database: None,
            chain,
            waiting: VecDeque::new(),
            refusals: Refusals::default(),
            journal,
            health,
            pending,
        })
    }

    pub(super) fn run(mut self, inbox: &Receiver<Command>) {
        loop {
            let retry = (!self.waiting.is_empty()).then_some(RETRY);
            let longest = retry.into_iter().chain(self.refusals.rest(Instant::now())).min();
            let command = match longest {
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(longest) => inbox.recv_timeout(longest),
            };
            if self.refusals.rest(Instant::now()).is_some_and(|rest| rest.is_zero()) {
                self.sum_refusals();
            }
            match command {
                Ok(Command::Record(record, link)) => {
                    self.waiting.push_back((Entry::Made(*record), link));
                    self.store_waiting();
                }
                Ok(Command::Refused(refusal)) => {
                    let record = self.refusals.take(refusal, (Instant::now(), Utc::now()));
                    self.put_refused(record);
                }
                Ok(Command::Ask(question)) => self.answer(question),
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
                    self.sum_refusals();
                    if !self.waiting.is_empty() {
                        self.store_waiting();
                    }
                    return;
                }
            }
        }
    }

    fn sum_refusals(&mut self) {
        let record = self.refusals.end(Utc::now());
        self.put_refused(record);
    }

    fn put_refused(&mut self, record: Option<Value>) {
        let Some(record) = record else { return };
        self.pending.fetch_add(1, Ordering::SeqCst);
        self.waiting.push_back((Entry::Refused(record), None));
        self.store_waiting();
    }

    fn close(&mut self) {
        if let Some(database) = self.database.take() {
            self.runtime.block_on(database.close());
        }
    }

    /// Whoever asked may be gone; then nobody misses the answer.
    fn answer(&mut self, question: Question) {
        match question {
            Question::Latest(answer) => {
                let _ = answer.send(self.ask(async |database| database.latest().await).flatten());
            }
            Question::Last(answer) => {
                let _ = answer.send(self.ask(async |database| database.last_record().await).flatten());
            }
            Question::History { route, limit, answer } => {
                let _ = answer.send(self.history(route.as_deref(), limit));
            }
            Question::Texts { revision, answer } => {
                let _ = answer.send(self.ask(async |database| database.texts(revision).await).flatten());
            }
            Question::Text { hash, answer } => {
                let _ = answer.send(self.ask(async |database| database.text(&hash).await).flatten());
            }
            Question::Audit { limit, answer } => {
                let _ = answer.send(self.audit(limit));
            }
        }
    }

    /// First the audit on this node's disk, then the database. A record that cannot be carried on holds up those behind
    /// it: their order is what the audit is about.
    fn store_waiting(&mut self) {
        self.chain_waiting();
        while let Some((entry, Some(link))) = self.waiting.front().cloned() {
            let stored = self.ask(async |database| match &entry {
                Entry::Made(record) => database.append(record, &link).await,
                Entry::Refused(_) => database.append_refusal(&link).await,
            });
            if stored.is_none() {
                break;
            }
            step("stored");
            self.waiting.pop_front();
            self.pending.fetch_sub(1, Ordering::SeqCst);
            if let Entry::Made(record) = &entry {
                self.forget(record);
            }
        }
    }

    fn chain_waiting(&mut self) {
        if self.waiting.iter().all(|(_, link)| link.is_some()) {
            return;
        }
        let known = self.ask(async |database| database.last_link().await).flatten().map(|link| link.tip());
        for (entry, link) in self.waiting.iter_mut().filter(|(_, link)| link.is_none()) {
            step("before_audit");
            let record = match entry {
                Entry::Made(record) => written(record).map_err(std::io::Error::other),
                Entry::Refused(record) => Ok(record.clone()),
            };
            match record.and_then(|record| self.chain.append(record, known.as_ref())) {
                Ok(added) => *link = Some(added),
                Err(error) => {
                    let message = format!("cannot write audit.jsonl: {error}");
                    let mut health = lock(&self.health);
                    if health.audit.as_ref() != Some(&message) {
                        tracing::error!("{message}; records wait in memory and in the journal");
                    }
                    health.audit = Some(message);
                    return;
                }
            }
            step("audited");
        }
        lock(&self.health).audit = None;
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
        let made = |(entry, _): &(Entry, Option<Link>)| match entry {
            Entry::Made(record) => Some(record.clone()),
            Entry::Refused(_) => None,
        };
        let mut records: Vec<Record> = self.waiting.iter().rev().filter_map(made).collect();
        records.retain_mut(|record| {
            record.text = None;
            record.pins = serde_json::Value::Null;
            if let Some(route) = route {
                record.changes.retain(|change| change.route == route);
            }
            route.is_none() || !record.changes.is_empty()
        });
        records.extend(self.ask(async |database| database.history(route, limit).await).unwrap_or_default());
        records.truncate(limit as usize);
        records
    }

    fn audit(&mut self, limit: u32) -> Audit {
        let store = self.ask(async |database| database.links().await);
        let file: Copy = self
            .chain
            .links()
            .unwrap_or_else(|error| vec![Err(format!("audit.jsonl cannot be read: {error}"))]);
        if self.place.copies() {
            audit(&file, store.as_ref(), self.waiting.len(), limit)
        } else {
            audit_of_fleet(&file, store.as_ref(), limit)
        }
    }

    /// Opens the database if need be, asks it, and notes how it went.
    fn ask<T>(&mut self, question: impl AsyncFnOnce(&mut Database) -> Result<T, sqlx::Error>) -> Option<T> {
        let database = &mut self.database;
        let (place, chain) = (&self.place, &self.chain);
        let asked = async {
            let open = match database {
                Some(open) => open,
                None => database.insert(Database::open(place, chain).await?),
            };
            question(open).await
        };
        let answer = self.runtime.block_on(async {
            match place.patience() {
                None => asked.await,
                Some(patience) => tokio::time::timeout(patience, asked)
                    .await
                    .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))),
            }
        });
        match answer {
            Ok(answer) => {
                note(&mut lock(&self.health), None);
                Some(answer)
            }
            Err(error) => {
                self.database = None;
                note(&mut lock(&self.health), Some(error.to_string()));
                None
            }
        }
    }
}

/// Notes how the last attempt went; a new trouble is told once.
fn note(health: &mut StoreHealth, trouble: Option<String>) {
    if let Some(message) = &trouble
        && health.error.as_ref() != Some(message)
    {
        tracing::error!(error = message, "the store cannot be used; records wait in the journal");
    }
    health.up = trouble.is_none();
    health.error = trouble;
}
