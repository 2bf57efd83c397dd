//! Answers to changes that may be sent twice, over the end of the process: which keys came, what was asked with each, and what
//! was answered.
//!
//! A small database of this node, beside its other files, and a thread of its own: a disk that hangs holds up nobody for
//! longer than a moment, and what it does not take is forgotten with the process. Bounded in number, size and age. Nothing
//! secret is in it: of a key and a request there are digests, and an answer with a secret is not handed over at all. What
//! follows from an earlier request is decided in `admin`.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};

use super::local::Local;

/// So long an answer is kept.
const LIFE: TimeDelta = TimeDelta::hours(24);
/// So many.
const MOST: i64 = 1_000;
/// So many bytes of answers.
const MOST_BYTES: i64 = 8 * 1024 * 1024;
/// For one question; whoever asks goes on without an answer then.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same on the way to safety, which waits for no disk.
const HASTE: Duration = Duration::from_millis(20);
/// Questions that wait.
const QUEUE: usize = 64;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS answer (
    key BLOB PRIMARY KEY,
    asked BLOB NOT NULL,
    at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    status INTEGER,
    kind TEXT,
    body BLOB
) WITHOUT ROWID";

/// A request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// Digest of the key and whose it is.
    pub key: [u8; 32],
    /// Digest of what was asked.
    pub asked: [u8; 32],
    /// When.
    pub at: DateTime<Utc>,
    /// The revision that held then.
    pub revision: u64,
    /// It is about safety: the disk has only a moment.
    pub urgent: bool,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Its `Content-Type`.
    pub kind: Option<String>,
    /// Its body; absent: it held a secret.
    pub body: Option<Vec<u8>>,
}

/// What became of an earlier request with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The request.
    pub request: Keyed,
    /// Its answer; absent: the process ended before there was one.
    pub answer: Option<Answered>,
}

/// Keeps answers.
#[derive(Debug)]
pub struct Answers {
    questions: SyncSender<Question>,
}

#[derive(Debug)]
enum Question {
    /// Has this key come before? If not, it has now.
    Begin(Keyed, Sender<Result<Option<Earlier>, String>>),
    /// An earlier request with this key came to nothing; this one takes its place.
    Anew(Keyed, Sender<Result<(), String>>),
    /// What was answered; absent: nothing that is to be given again.
    End(Keyed, Option<Answered>, Sender<Result<(), String>>),
}

impl Answers {
    /// In this directory; opened when the first question comes.
    ///
    /// # Errors
    /// When the machine refuses a thread.
    pub fn start(directory: &Path) -> std::io::Result<Self> {
        let (questions, inbox) = sync_channel(QUEUE);
        let place = SqliteConnectOptions::new().filename(directory.join("answers.db"));
        let database = Local::new(place, &[TABLE]).private();
        std::thread::Builder::new().name("answers".to_owned()).spawn(move || keep(database, &inbox))?;
        Ok(Self { questions })
    }

    /// What became of an earlier request with this key, if there was one; otherwise this one is noted.
    ///
    /// # Errors
    /// When the disk does not answer in time.
    pub fn begin(&self, request: Keyed) -> Result<Option<Earlier>, String> {
        let patience = patience(&request);
        self.ask(patience, |answer| Question::Begin(request, answer))
    }

    /// Notes a request in the place of an earlier one with this key.
    ///
    /// # Errors
    /// When the disk does not answer in time.
    pub fn anew(&self, request: Keyed) -> Result<(), String> {
        let patience = patience(&request);
        self.ask(patience, |answer| Question::Anew(request, answer))
    }

    /// Notes what was answered; with `None` the key may be used again.
    ///
    /// # Errors
    /// When the disk does not answer in time.
    pub fn end(&self, request: Keyed, answered: Option<Answered>) -> Result<(), String> {
        let patience = patience(&request);
        self.ask(patience, |answer| Question::End(request, answered, answer))
    }

    fn ask<T>(
        &self,
        patience: Duration,
        question: impl FnOnce(Sender<Result<T, String>>) -> Question,
    ) -> Result<T, String> {
        let (answer, receive) = channel();
        let full = |_| "too many answers wait for the disk".to_owned();
        self.questions.try_send(question(answer)).map_err(full)?;
        receive.recv_timeout(patience).map_err(|_| "the disk takes too long".to_owned())?
    }
}

fn patience(request: &Keyed) -> Duration {
    if request.urgent { HASTE } else { PATIENCE }
}

fn keep(mut database: Local, inbox: &Receiver<Question>) {
    while let Ok(question) = inbox.recv() {
        // Whoever asked may have gone on.
        match question {
            Question::Begin(request, answer) => {
                let _ = answer.send(database.ask(async |open| begin(open, &request).await));
            }
            Question::Anew(request, answer) => {
                let _ = answer.send(database.ask(async |open| put(open, &request, None).await));
            }
            Question::End(request, answered, answer) => {
                let _ = answer.send(database.ask(async |open| end(open, &request, answered.as_ref()).await));
            }
        }
    }
    database.close();
}

async fn begin(open: &mut SqliteConnection, request: &Keyed) -> Result<Option<Earlier>, sqlx::Error> {
    let mut transaction = open.begin_with("BEGIN IMMEDIATE").await?;
    let ended = request.at.checked_sub_signed(LIFE).unwrap_or_default();
    sqlx::query("DELETE FROM answer WHERE at <= ?")
        .bind(ended.timestamp_millis())
        .execute(&mut *transaction)
        .await?;
    let row = sqlx::query("SELECT asked, at, revision, status, kind, body FROM answer WHERE key = ?")
        .bind(&request.key[..])
        .fetch_optional(&mut *transaction)
        .await?;
    let earlier = row.as_ref().map(|row| earlier(row, request.key)).transpose()?;
    if earlier.is_none() {
        put(&mut transaction, request, None).await?;
    }
    transaction.commit().await?;
    Ok(earlier)
}

fn earlier(row: &SqliteRow, key: [u8; 32]) -> Result<Earlier, sqlx::Error> {
    let (at, revision): (i64, i64) = (row.try_get("at")?, row.try_get("revision")?);
    let asked: Vec<u8> = row.try_get("asked")?;
    let request = Keyed {
        key,
        asked: asked.try_into().unwrap_or_default(),
        at: DateTime::from_timestamp_millis(at).unwrap_or_default(),
        revision: u64::try_from(revision).unwrap_or_default(),
        urgent: false,
    };
    let status: Option<i64> = row.try_get("status")?;
    let (kind, body) = (row.try_get("kind")?, row.try_get("body")?);
    let answer =
        status.map(|status| Answered { status: u16::try_from(status).unwrap_or_default(), kind, body });
    Ok(Earlier { request, answer })
}

async fn put(
    open: &mut SqliteConnection,
    request: &Keyed,
    answered: Option<&Answered>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR REPLACE INTO answer (key, asked, at, revision, status, kind, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&request.key[..])
    .bind(&request.asked[..])
    .bind(request.at.timestamp_millis())
    .bind(i64::try_from(request.revision).unwrap_or(i64::MAX))
    .bind(answered.map(|answered| i64::from(answered.status)))
    .bind(answered.and_then(|answered| answered.kind.clone()))
    .bind(answered.and_then(|answered| answered.body.clone()))
    .execute(open)
    .await
    .map(drop)
}

async fn end(
    open: &mut SqliteConnection,
    request: &Keyed,
    answered: Option<&Answered>,
) -> Result<(), sqlx::Error> {
    let mut transaction = open.begin_with("BEGIN IMMEDIATE").await?;
    match answered {
        Some(_) => put(&mut transaction, request, answered).await?,
        None => {
            let sql = "DELETE FROM answer WHERE key = ?";
            sqlx::query(sql).bind(&request.key[..]).execute(&mut *transaction).await?;
        }
    }
    // The oldest make room.
    sqlx::query(
        "DELETE FROM answer WHERE key IN (SELECT key FROM (
            SELECT key, row_number() OVER newest AS number, sum(length(body)) OVER newest AS bytes FROM answer
            WINDOW newest AS (ORDER BY at DESC, key ROWS UNBOUNDED PRECEDING)
         ) WHERE number > ? OR bytes > ?)",
    )
    .bind(MOST)
    .bind(MOST_BYTES)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn start(directory: &Path) -> Answers {
        Answers::start(directory).unwrap()
    }

    fn keyed(number: u64) -> Keyed {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::milliseconds(number as i64);
        Keyed { key, asked: [7; 32], at, revision: number, urgent: false }
    }

    fn answered(body: &[u8]) -> Answered {
        Answered { status: 200, kind: Some("application/json".to_owned()), body: Some(body.to_vec()) }
    }

    #[test]
    fn an_answer_is_there_for_the_next_process_for_a_day() {
        let directory = tempfile::tempdir().unwrap();
        let answers = start(directory.path());
        assert_eq!(answers.begin(keyed(1)), Ok(None));
        answers.end(keyed(1), Some(answered(b"done"))).unwrap();
        let mode = std::fs::metadata(directory.path().join("answers.db")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let successor = start(directory.path());
        let found = Earlier { request: keyed(1), answer: Some(answered(b"done")) };
        assert_eq!(successor.begin(keyed(1)), Ok(Some(found)));
        let later = Keyed { at: keyed(1).at + LIFE, ..keyed(1) };
        assert_eq!(successor.begin(later), Ok(None));
    }

    #[test]
    fn one_that_was_never_answered_is_known_and_one_that_failed_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let answers = start(directory.path());
        answers.begin(keyed(1)).unwrap();
        let unanswered = |request| Ok(Some(Earlier { request, answer: None }));
        let again = Keyed { revision: 9, ..keyed(1) };
        assert_eq!(answers.begin(again.clone()), unanswered(keyed(1)));
        answers.anew(again.clone()).unwrap();
        assert_eq!(answers.begin(keyed(1)), unanswered(again));
        answers.end(keyed(1), None).unwrap();
        assert_eq!(answers.begin(keyed(1)), Ok(None));
    }

    #[test]
    fn the_oldest_make_room_in_number_and_size() {
        let directory = tempfile::tempdir().unwrap();
        let answers = start(directory.path());
        let last = MOST as u64 + 1;
        for number in 1..=last {
            answers.end(keyed(number), Some(answered(b"x"))).unwrap();
        }
        let known = |number| answers.begin(Keyed { at: keyed(last).at, ..keyed(number) }).unwrap().is_some();
        assert!(known(2) && known(last));
        assert!(!known(1));
        let large = Keyed { at: keyed(last).at + TimeDelta::seconds(1), ..keyed(last + 1) };
        answers.end(large, Some(answered(&vec![0; MOST_BYTES as usize]))).unwrap();
        assert!(known(last + 1) && !known(last));
    }

    #[test]
    fn a_disk_that_is_not_there_is_told() {
        let answers = start(Path::new("/proc/nowhere"));
        assert!(answers.begin(keyed(1)).is_err());
    }
}
