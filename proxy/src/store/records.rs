//! Documents that grow: what was counted for the routes, and what noise was seen. A document belongs to a subject (a
//! route) and has a number; what is in it is none of this room's business.
//!
//! A change reads all documents of a subject and writes what they become, in one transaction, so that two processes
//! (one takes over from the other) add to the same ones. A thread of its own with a connection of its own; whoever changes
//! something waits for it, and is never on the path of a request.

use std::str::FromStr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

use super::local::Local;

/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(5);

const TABLE: &str = "CREATE TABLE IF NOT EXISTS shadow_record (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    number INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, subject, number)
)";

/// One document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its number among those of its subject.
    pub number: u64,
    /// What it says.
    pub text: String,
}

/// What the documents of a subject become. It may be run again if the database had to be opened again.
type Change = Box<dyn FnMut(Vec<Document>) -> Vec<Document> + Send>;

enum Command {
    Change(&'static str, String, Change, Sender<Result<(), String>>),
    All(&'static str, Sender<Result<Vec<(String, Document)>, String>>),
}

/// Keeps documents.
#[derive(Debug)]
pub struct Records {
    commands: Sender<Command>,
}

impl Records {
    /// Starts the thread. A database that cannot be opened is tried again with the next command.
    ///
    /// # Errors
    /// When the machine refuses a thread, or the address is none.
    pub fn start(url: &str) -> std::io::Result<Self> {
        let (commands, inbox) = channel();
        let place = SqliteConnectOptions::from_str(url).map_err(std::io::Error::other)?;
        let database = Local::new(place, &[TABLE]);
        std::thread::Builder::new().name("records".to_owned()).spawn(move || keep(database, &inbox))?;
        Ok(Self { commands })
    }

    /// Changes the documents of a subject, in the order of their numbers, and waits for it.
    ///
    /// # Errors
    /// When the store cannot write; nothing was changed then.
    pub fn change(
        &self,
        kind: &'static str,
        subject: &str,
        change: impl FnMut(Vec<Document>) -> Vec<Document> + Send + 'static,
    ) -> Result<(), String> {
        let (answer, receive) = channel();
        let command = Command::Change(kind, subject.to_owned(), Box::new(change), answer);
        self.commands.send(command).map_err(|_| ended())?;
        // Not given up half way: whoever adds something must know whether it was added.
        receive.recv().map_err(|_| ended())?
    }

    /// All documents of a kind, by subject and number.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn all(&self, kind: &'static str) -> Result<Vec<(String, Document)>, String> {
        let (answer, receive) = channel();
        self.commands.send(Command::All(kind, answer)).map_err(|_| ended())?;
        receive.recv_timeout(PATIENCE).map_err(|_| "the store does not answer".to_owned())?
    }
}

fn ended() -> String {
    "the store has ended".to_owned()
}

fn keep(mut database: Local, inbox: &Receiver<Command>) {
    while let Ok(command) = inbox.recv() {
        match command {
            Command::Change(kind, subject, mut change, answer) => {
                let done =
                    database.ask(async |connection| apply(connection, (kind, &subject), &mut change).await);
                let _ = answer.send(done);
            }
            Command::All(kind, answer) => {
                let _ = answer.send(database.ask(async |connection| all(connection, kind).await));
            }
        }
    }
}

async fn apply(
    connection: &mut SqliteConnection,
    (kind, subject): (&str, &str),
    change: &mut Change,
) -> Result<(), sqlx::Error> {
    // From the first read on: another process must not change what was read.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let select = "SELECT number, document FROM shadow_record WHERE kind = ? AND subject = ? ORDER BY number";
    let rows = sqlx::query(select).bind(kind).bind(subject).fetch_all(&mut *transaction).await?;
    let before = rows.iter().map(document).collect::<Result<Vec<_>, _>>()?;
    let after = change(before.clone());
    for gone in before.iter().filter(|old| after.iter().all(|new| new.number != old.number)) {
        sqlx::query("DELETE FROM shadow_record WHERE kind = ? AND subject = ? AND number = ?")
            .bind(kind)
            .bind(subject)
            .bind(signed(gone.number))
            .execute(&mut *transaction)
            .await?;
    }
    for new in after.iter().filter(|new| !before.contains(new)) {
        sqlx::query(
            "INSERT INTO shadow_record (kind, subject, number, document) VALUES (?, ?, ?, ?)
             ON CONFLICT (kind, subject, number) DO UPDATE SET document = excluded.document",
        )
        .bind(kind)
        .bind(subject)
        .bind(signed(new.number))
        .bind(&new.text)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

async fn all(connection: &mut SqliteConnection, kind: &str) -> Result<Vec<(String, Document)>, sqlx::Error> {
    let select =
        "SELECT subject, number, document FROM shadow_record WHERE kind = ? ORDER BY subject, number";
    let rows = sqlx::query(select).bind(kind).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("subject")?, document(row)?))).collect()
}

fn document(row: &sqlx::sqlite::SqliteRow) -> Result<Document, sqlx::Error> {
    let number: i64 = row.try_get("number")?;
    Ok(Document { number: u64::try_from(number).unwrap_or_default(), text: row.try_get("document")? })
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: u64, text: &str) -> Document {
        Document { number, text: text.to_owned() }
    }

    #[test]
    fn a_change_sees_what_is_there_and_two_processes_add_to_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("state/ficus.db").display());
        let (one, other) = (Records::start(&url).unwrap(), Records::start(&url).unwrap());
        one.change("k", "a", |old| {
            assert!(old.is_empty());
            vec![text(1, "x"), text(2, "y")]
        })
        .unwrap();
        other
            .change("k", "a", |old| {
                assert_eq!(old, [text(1, "x"), text(2, "y")]);
                vec![text(2, "yy"), text(3, "z")]
            })
            .unwrap();
        other.change("k", "b", |_| vec![text(1, "b")]).unwrap();
        one.change("other kind", "a", |old| old).unwrap();
        let all = one.all("k").unwrap();
        let expected = [("a", text(2, "yy")), ("a", text(3, "z")), ("b", text(1, "b"))];
        assert_eq!(all, expected.map(|(subject, document)| (subject.to_owned(), document)));
    }

    #[test]
    fn a_store_that_cannot_be_opened_is_an_error_each_time() {
        let records = Records::start("sqlite:/proc/nowhere/ficus.db").unwrap();
        assert!(records.change("k", "a", |old| old).is_err());
        assert!(records.all("k").is_err());
    }
}
