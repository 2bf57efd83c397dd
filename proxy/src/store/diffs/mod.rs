//! Differences that shadow traffic found, grouped by their signature, with a few masked samples each.
//!
//! A thread of its own with a connection of its own: whoever reports goes on at once, and what cannot be stored in time
//! is counted. Number and age are bounded. What is in a sample was masked before it came here.

mod database;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use database::Database;

/// Most mismatches that wait for the disk.
const QUEUE: usize = 512;
/// How long a question about differences may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often old groups are removed.
const SWEEP: Duration = Duration::from_secs(600);

/// One comparison that found something.
#[derive(Debug, Clone)]
pub struct Mismatch {
    /// The route.
    pub route: String,
    /// The revision of the routing.
    pub revision: u64,
    /// When the request was answered.
    pub at: DateTime<Utc>,
    /// The groups its differences belong to.
    pub groups: Vec<DiffGroup>,
    /// The masked sample, a JSON document.
    pub document: String,
    /// The request and both answers, masked, another document; absent: what the groups have already is good enough.
    pub case: Option<String>,
}

/// What differences of one shape share.
#[derive(Debug, Clone)]
pub struct DiffGroup {
    /// The signature, and what kind of difference it is.
    pub signature: String,
    /// The kind's word.
    pub kind: String,
    /// The path of a rule that would allow it; absent if names in it had to be masked.
    pub rule: Option<String>,
}

/// A group as it is stored.
#[derive(Debug, Clone, Serialize)]
pub struct GroupRow {
    /// Its number.
    pub id: i64,
    /// The route.
    pub route: String,
    /// The signature.
    pub signature: String,
    /// The kind of the differences.
    pub kind: String,
    /// The path of a rule that would allow it.
    pub rule: Option<String>,
    /// In how many comparisons it was seen.
    pub count: i64,
    /// When it was seen first.
    pub first_at: DateTime<Utc>,
    /// When it was seen last.
    pub last_at: DateTime<Utc>,
    /// The revision in which it was seen first.
    pub first_revision: i64,
    /// The revision in which it was seen last.
    pub last_revision: i64,
    /// Samples, newest first; only where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Value>,
    /// The request and both answers, masked; only where one group was asked for.
    #[serde(skip)]
    pub case: Option<String>,
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Groups of a route.
    pub groups: u32,
    /// Samples of a group.
    pub samples: u32,
    /// Time after the last difference of a group.
    pub keep: Duration,
}

/// Which groups are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only this group.
    pub id: Option<i64>,
    /// Only groups of this route.
    pub route: Option<String>,
    /// With their samples.
    pub samples: bool,
}

/// Stores differences and answers questions about them.
#[derive(Debug)]
pub struct Diffs {
    commands: SyncSender<Command>,
    lost: Arc<AtomicU64>,
}

enum Command {
    Add(Box<Mismatch>),
    Groups(Wanted, Sender<Result<Vec<GroupRow>, String>>),
    Forget(i64, Sender<Result<Vec<GroupRow>, String>>),
}

impl Diffs {
    /// Starts the thread. A database that cannot be opened is tried again with the next command.
    ///
    /// # Errors
    /// When the machine refuses a thread.
    pub fn start(url: &str, bounds: Bounds) -> std::io::Result<Self> {
        let (commands, inbox) = sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let worker = Worker {
            url: url.to_owned(),
            bounds,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            database: None,
            lost: Arc::clone(&lost),
            swept: None,
        };
        std::thread::Builder::new().name("diffs".to_owned()).spawn(move || worker.run(&inbox))?;
        Ok(Self { commands, lost })
    }

    /// Takes a mismatch; never waits.
    pub fn add(&self, mismatch: Mismatch) {
        if self.commands.try_send(Command::Add(Box::new(mismatch))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits a moment until everything that was reported is stored: this process is about to end.
    pub fn flush(&self, patience: Duration) {
        let (answer, stored) = channel();
        let nothing = Wanted { id: Some(-1), ..Wanted::default() };
        if self.commands.try_send(Command::Groups(nothing, answer)).is_ok() {
            let _ = stored.recv_timeout(patience);
        }
    }

    /// Mismatches that were not stored since start-up: the disk was too slow or not there.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Groups, those seen most often first.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn groups(&self, wanted: Wanted) -> Result<Vec<GroupRow>, String> {
        self.ask(|answer| Command::Groups(wanted, answer))
    }

    /// Forgets a group and its samples.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn forget(&self, id: i64) -> Result<(), String> {
        self.ask(|answer| Command::Forget(id, answer)).map(drop)
    }

    fn ask(
        &self,
        command: impl FnOnce(Sender<Result<Vec<GroupRow>, String>>) -> Command,
    ) -> Result<Vec<GroupRow>, String> {
        let (answer, receive) = channel();
        self.commands.send(command(answer)).map_err(|_| "the store has ended".to_owned())?;
        receive.recv_timeout(PATIENCE).map_err(|_| "the store does not answer".to_owned())?
    }
}

struct Worker {
    url: String,
    bounds: Bounds,
    runtime: tokio::runtime::Runtime,
    database: Option<Database>,
    lost: Arc<AtomicU64>,
    swept: Option<Instant>,
}

impl Worker {
    fn run(mut self, inbox: &Receiver<Command>) {
        loop {
            match inbox.recv_timeout(SWEEP) {
                Ok(Command::Add(mismatch)) => self.add(&mismatch),
                Ok(Command::Groups(wanted, answer)) => {
                    let groups = self.ask(async |database| database.groups(&wanted).await);
                    let _ = answer.send(groups);
                }
                Ok(Command::Forget(id, answer)) => {
                    let done = self.ask(async |database| database.forget(id).await);
                    let _ = answer.send(done.map(|()| Vec::new()));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.sweep();
        }
    }

    fn add(&mut self, mismatch: &Mismatch) {
        let bounds = self.bounds;
        if let Err(error) = self.ask(async |database| database.add(mismatch, bounds).await)
            && self.lost.fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::error!(error, "differences cannot be stored; they are counted only");
        }
    }

    /// Removes what is too old, now and then.
    fn sweep(&mut self) {
        if self.database.is_none() || self.swept.is_some_and(|swept| swept.elapsed() < SWEEP) {
            return;
        }
        self.swept = Some(Instant::now());
        let before = Utc::now() - self.bounds.keep;
        if let Err(error) = self.ask(async |database| database.sweep(before).await) {
            tracing::warn!(error, "old differences cannot be removed");
        }
    }

    fn ask<T>(
        &mut self,
        question: impl AsyncFnOnce(&mut Database) -> Result<T, sqlx::Error>,
    ) -> Result<T, String> {
        let (database, url) = (&mut self.database, &self.url);
        let answer = self.runtime.block_on(async {
            let open = match database {
                Some(open) => open,
                None => database.insert(Database::open(url).await?),
            };
            question(open).await
        });
        answer.map_err(|error| {
            self.database = None;
            error.to_string()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { groups: 3, samples: 2, keep: Duration::from_secs(3_600) };

    fn mismatch(route: &str, signatures: &[&str], document: &str) -> Mismatch {
        let group = |signature: &&str| DiffGroup {
            signature: (*signature).to_owned(),
            kind: "changed".to_owned(),
            rule: Some((*signature).to_owned()),
        };
        Mismatch {
            route: route.to_owned(),
            revision: 3,
            at: Utc::now(),
            groups: signatures.iter().map(group).collect(),
            document: document.to_owned(),
            case: None,
        }
    }

    fn store() -> (tempfile::TempDir, Diffs) {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let diffs = Diffs::start(&url, BOUNDS).unwrap();
        (directory, diffs)
    }

    fn all(diffs: &Diffs) -> Vec<(String, i64)> {
        let groups = diffs.groups(Wanted::default()).unwrap();
        groups.into_iter().map(|group| (group.signature, group.count)).collect()
    }

    #[test]
    fn differences_are_counted_in_groups() {
        let (_directory, diffs) = store();
        for number in 0..5 {
            diffs.add(mismatch("a", &["html td.x text"], &format!("{{\"n\":{number}}}")));
        }
        diffs.add(mismatch("a", &["html td.x text", "header vary missing"], "{\"n\":5}"));
        diffs.add(mismatch("b", &["status 200/500"], "{}"));
        let expected = [("html td.x text", 6), ("header vary missing", 1), ("status 200/500", 1)];
        assert_eq!(all(&diffs), expected.map(|(text, count)| (text.to_owned(), count)));
        let wanted = Wanted { route: Some("a".into()), samples: true, ..Wanted::default() };
        let groups = diffs.groups(wanted).unwrap();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].samples, [serde_json::json!({"n": 5}), serde_json::json!({"n": 4})]);
    }

    #[test]
    fn tests_of_shadowing_show_up_only_where_they_are_asked_for_and_take_no_numbers() {
        let (_directory, diffs) = store();
        diffs.add(mismatch("a", &["json $.a"], "{}"));
        for _ in 0..2 {
            diffs.add(mismatch("self-test of a", &["json $.x", "html p text"], "{}"));
        }
        diffs.add(mismatch("b", &["json $.b"], "{}"));
        let ids: Vec<i64> = diffs.groups(Wanted::default()).unwrap().iter().map(|group| group.id).collect();
        assert_eq!(ids, [1, 2]);
        let wanted = Wanted { route: Some("self-test of a".into()), ..Wanted::default() };
        let probes = diffs.groups(wanted.clone()).unwrap();
        assert_eq!(probes.iter().map(|group| group.count).collect::<Vec<_>>(), [2, 2]);
        probes.iter().for_each(|group| diffs.forget(group.id).unwrap());
        assert!(diffs.groups(wanted).unwrap().is_empty());
    }

    #[test]
    fn the_number_of_groups_is_bounded() {
        let (_directory, diffs) = store();
        for number in 0..6 {
            diffs.add(mismatch("a", &[&format!("json $.k{number}x")], "{}"));
        }
        let all = all(&diffs);
        assert_eq!(all.len(), 4, "{all:?}");
        assert_eq!(all[0], ("(other differences)".to_owned(), 3));
    }

    #[test]
    fn a_group_can_be_forgotten_and_old_ones_go_by_themselves() {
        let (directory, diffs) = store();
        diffs.add(mismatch("a", &["json $.a"], "{}"));
        diffs.forget(diffs.groups(Wanted::default()).unwrap()[0].id).unwrap();
        assert!(all(&diffs).is_empty());
        let old =
            Mismatch { at: Utc::now() - Duration::from_secs(7_200), ..mismatch("a", &["json $.b"], "{}") };
        diffs.add(old);
        assert_eq!(all(&diffs).len(), 1);
        drop(diffs);
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        let diffs = Diffs::start(&url, BOUNDS).unwrap();
        all(&diffs);
        assert!(all(&diffs).is_empty(), "the first look after a start removes what is too old");
    }

    #[test]
    fn without_a_database_differences_are_lost_and_counted() {
        let diffs = Diffs::start("sqlite:/proc/nowhere/ficus.db", BOUNDS).unwrap();
        diffs.add(mismatch("a", &["json $.a"], "{}"));
        assert!(diffs.groups(Wanted::default()).is_err());
        assert_eq!(diffs.lost(), 1);
    }
}
