//! The store in SQLite. Rows are only ever added; triggers refuse everything else.
//!
//! `PRAGMA user_version` counts the forms that the tables have had: 0 the first, without the audit's chain; 1 with it. A
//! store of an older form is brought up when it is opened: its revisions become the first links of the chain.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow};
use sqlx::{Connection, Row};

use super::chain::{Chain, Link, written};
use super::recorder::Texts;
use super::{Action, Record, RouteChange};

/// The form that this version writes.
const FORM: i64 = 1;

const SCHEMA: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS revision (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        number INTEGER NOT NULL,
        made_at TEXT NOT NULL,
        author TEXT NOT NULL,
        reason TEXT,
        action TEXT NOT NULL,
        hash TEXT NOT NULL,
        UNIQUE (number, made_at)
    )",
    "CREATE TABLE IF NOT EXISTS routing_file (
        hash TEXT PRIMARY KEY,
        text TEXT NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        revision INTEGER NOT NULL REFERENCES revision (id),
        route TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS chain (
        seq INTEGER PRIMARY KEY,
        prev TEXT NOT NULL,
        digest TEXT NOT NULL,
        record TEXT NOT NULL
    )",
    "CREATE TRIGGER IF NOT EXISTS chain_stays BEFORE UPDATE ON chain
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS chain_remains BEFORE DELETE ON chain
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE INDEX IF NOT EXISTS audit_route ON audit (route, revision)",
    "CREATE TRIGGER IF NOT EXISTS revision_stays BEFORE UPDATE ON revision
        BEGIN SELECT RAISE(ABORT, 'revisions are append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS revision_remains BEFORE DELETE ON revision
        BEGIN SELECT RAISE(ABORT, 'revisions are append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS audit_remains BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS routing_file_stays BEFORE UPDATE ON routing_file
        BEGIN SELECT RAISE(ABORT, 'routing files are append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS routing_file_remains BEFORE DELETE ON routing_file
        BEGIN SELECT RAISE(ABORT, 'routing files are append-only'); END",
];

const BY_NUMBER: &str = "SELECT id, number, made_at, author, reason, action, hash FROM revision
    WHERE number = ? ORDER BY id DESC LIMIT 1";
const LATEST: &str = "SELECT id, number, made_at, author, reason, action, hash FROM revision
    WHERE ?1 IS NULL OR id IN (SELECT revision FROM audit WHERE route = ?1) ORDER BY id DESC LIMIT ?2";

/// A row of the chain; a record that cannot be read is a finding, not an error.
fn link_of(row: &SqliteRow) -> Result<Result<Link, String>, sqlx::Error> {
    let seq: i64 = row.try_get("seq")?;
    let record: String = row.try_get("record")?;
    let Ok(record) = serde_json::from_str(&record) else {
        return Ok(Err("it cannot be read".to_owned()));
    };
    let seq = u64::try_from(seq).unwrap_or_default();
    Ok(Ok(Link { seq, prev: row.try_get("prev")?, digest: row.try_get("digest")?, record }))
}

async fn add_link(connection: &mut SqliteConnection, link: &Link) -> Result<(), sqlx::Error> {
    let sql =
        "INSERT INTO chain (seq, prev, digest, record) VALUES (?, ?, ?, ?) ON CONFLICT (seq) DO NOTHING";
    sqlx::query(sql)
        .bind(i64::try_from(link.seq).unwrap_or(i64::MAX))
        .bind(&link.prev)
        .bind(&link.digest)
        .bind(link.record.to_string())
        .execute(connection)
        .await
        .map(drop)
}

/// An open database.
#[derive(Debug)]
pub(super) struct Sqlite {
    connection: SqliteConnection,
}

impl Sqlite {
    /// Opens the database, makes its tables if they are not there, and takes over from the audit on this node's disk
    /// what it lacks.
    pub(super) async fn open(url: &str, chain: &Chain) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(2));
        if let Some(directory) = options.get_filename().parent() {
            std::fs::create_dir_all(directory).map_err(sqlx::Error::Io)?;
        }
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let form: i64 =
            sqlx::query("PRAGMA user_version").fetch_one(&mut connection).await?.try_get("user_version")?;
        if form > FORM {
            let message =
                format!("the store was written by a newer ficus (form {form}, this one knows {FORM})");
            return Err(sqlx::Error::Configuration(message.into()));
        }
        for statement in SCHEMA {
            sqlx::query(*statement).execute(&mut connection).await?;
        }
        let mut open = Self { connection };
        open.restore(chain).await?;
        open.catch_up(chain).await?;
        open.chain_the_past(chain).await?;
        if form < FORM {
            sqlx::query("PRAGMA user_version = 1").execute(&mut open.connection).await?;
        }
        Ok(open)
    }

    /// Closes it properly, so that another process finds nothing half done.
    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database did not close well");
        }
    }

    /// Revisions that a ficus of an older form wrote become links: all of them in its store, the last ones after somebody
    /// went back to it for a while.
    async fn chain_the_past(&mut self, chain: &Chain) -> Result<(), sqlx::Error> {
        let last = self.last_link().await?;
        let chained = self.last_record().await?.map_or(0, |record| record.revision);
        if self.latest().await?.is_none_or(|latest| latest <= chained) {
            return Ok(());
        }
        let mut records = self.history(None, u32::MAX).await?;
        records.reverse();
        let mut tip = last.map(|link| link.tip());
        for record in records.iter().filter(|record| record.revision > chained) {
            let written = written(record).map_err(|error| sqlx::Error::Encode(error.into()))?;
            let link = chain.append(written, tip.as_ref()).map_err(sqlx::Error::Io)?;
            self.append(record, &link).await?;
            tip = Some(link.tip());
        }
        Ok(())
    }

    /// An audit on disk that is gone altogether is written again, so that there are two copies; it is said aloud.
    async fn restore(&mut self, chain: &Chain) -> Result<(), sqlx::Error> {
        if !chain.links().map_err(sqlx::Error::Io)?.is_empty() {
            return Ok(());
        }
        let links: Vec<Link> = self.links(0).await?.into_iter().flatten().collect();
        if !links.is_empty() {
            chain.restore(&links).map_err(sqlx::Error::Io)?;
            tracing::error!(
                records = links.len(),
                "audit.jsonl was gone and was written again from the store"
            );
        }
        Ok(())
    }

    /// Links that the audit on disk has and the store lacks, after the store was away or lost.
    async fn catch_up(&mut self, chain: &Chain) -> Result<(), sqlx::Error> {
        let last = self.last_link().await?.map_or(0, |link| link.seq);
        let links = chain.links().map_err(sqlx::Error::Io)?;
        for link in links.into_iter().flatten().filter(|link| link.seq > last) {
            match link.read() {
                Some(record) => self.append(&record, &link).await?,
                None => self.append_link(&link).await?,
            }
        }
        Ok(())
    }

    /// Adds a record and its place in the audit; what is already there is left alone.
    pub(super) async fn append(&mut self, record: &Record, link: &Link) -> Result<(), sqlx::Error> {
        // Others write to this file too: whoever begins as a reader cannot wait for them later.
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        add_link(&mut transaction, link).await?;
        if let Some(text) = &record.text {
            sqlx::query("INSERT INTO routing_file (hash, text) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING")
                .bind(&record.hash)
                .bind(text)
                .execute(&mut *transaction)
                .await?;
        }
        let row = sqlx::query(
            "INSERT INTO revision (number, made_at, author, reason, action, hash)
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (number, made_at) DO NOTHING RETURNING id",
        )
        .bind(i64::try_from(record.revision).unwrap_or(i64::MAX))
        .bind(record.at)
        .bind(&record.author)
        .bind(&record.reason)
        .bind(record.action.word())
        .bind(&record.hash)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else {
            return transaction.commit().await;
        };
        let id: i64 = row.try_get("id")?;
        for change in &record.changes {
            sqlx::query("INSERT INTO audit (revision, route, before, after) VALUES (?, ?, ?, ?)")
                .bind(id)
                .bind(&change.route)
                .bind(&change.before)
                .bind(&change.after)
                .execute(&mut *transaction)
                .await?;
        }
        super::step("before_commit");
        transaction.commit().await
    }

    /// Adds a place in the audit that belongs to no revision.
    pub(super) async fn append_link(&mut self, link: &Link) -> Result<(), sqlx::Error> {
        add_link(&mut self.connection, link).await
    }

    /// The links after a number, in order.
    pub(super) async fn links(&mut self, after: u64) -> Result<Vec<Result<Link, String>>, sqlx::Error> {
        let rows = sqlx::query("SELECT seq, prev, digest, record FROM chain WHERE seq > ? ORDER BY seq")
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter().map(link_of).collect()
    }

    /// The last record of a revision.
    pub(super) async fn last_record(&mut self) -> Result<Option<Record>, sqlx::Error> {
        // Quotation marks within a text are escaped: this is the key itself.
        let sql =
            "SELECT seq, prev, digest, record FROM chain WHERE record NOT LIKE '%\"action\":\"refused\"%'
                   ORDER BY seq DESC LIMIT 1";
        let row = sqlx::query(sql).fetch_optional(&mut self.connection).await?;
        let link = row.as_ref().map(link_of).transpose()?.and_then(Result::ok);
        Ok(link.and_then(|link| link.read()))
    }

    /// The last link.
    pub(super) async fn last_link(&mut self) -> Result<Option<Link>, sqlx::Error> {
        let row = sqlx::query("SELECT seq, prev, digest, record FROM chain ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(row.as_ref().map(link_of).transpose()?.and_then(Result::ok))
    }

    /// The routing file of a hash.
    pub(super) async fn text(&mut self, hash: &str) -> Result<Option<String>, sqlx::Error> {
        let row = sqlx::query("SELECT text FROM routing_file WHERE hash = ?")
            .bind(hash)
            .fetch_optional(&mut self.connection)
            .await?;
        row.map(|row| row.try_get("text")).transpose()
    }

    /// The routing files around a revision.
    pub(super) async fn texts(&mut self, revision: u64) -> Result<Option<Texts>, sqlx::Error> {
        let number = i64::try_from(revision).unwrap_or(i64::MAX);
        let row = sqlx::query(BY_NUMBER).bind(number).fetch_optional(&mut self.connection).await?;
        let Some(row) = row else { return Ok(None) };
        let record = self.record(&row, None).await?;
        let id: i64 = row.try_get("id")?;
        let earlier = sqlx::query("SELECT hash FROM revision WHERE id < ? ORDER BY id DESC LIMIT 1")
            .bind(id)
            .fetch_optional(&mut self.connection)
            .await?;
        let before = match earlier {
            Some(earlier) => self.text(&earlier.try_get::<String, _>("hash")?).await?,
            None => None,
        };
        let after = self.text(&record.hash).await?;
        Ok(Some(Texts { record, before, after }))
    }

    /// The highest revision.
    pub(super) async fn latest(&mut self) -> Result<Option<u64>, sqlx::Error> {
        let row =
            sqlx::query("SELECT max(number) AS number FROM revision").fetch_one(&mut self.connection).await?;
        let number: Option<i64> = row.try_get("number")?;
        Ok(number.and_then(|number| u64::try_from(number).ok()))
    }

    /// The last revisions, newest first: all, or those that changed one route.
    pub(super) async fn history(
        &mut self,
        route: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Record>, sqlx::Error> {
        let rows = sqlx::query(LATEST).bind(route).bind(limit).fetch_all(&mut self.connection).await?;
        let mut records = Vec::new();
        for row in rows {
            records.push(self.record(&row, route).await?);
        }
        Ok(records)
    }

    async fn record(&mut self, row: &SqliteRow, route: Option<&str>) -> Result<Record, sqlx::Error> {
        let id: i64 = row.try_get("id")?;
        let number: i64 = row.try_get("number")?;
        let at: DateTime<Utc> = row.try_get("made_at")?;
        let action: String = row.try_get("action")?;
        Ok(Record {
            revision: u64::try_from(number).unwrap_or_default(),
            at,
            author: row.try_get("author")?,
            reason: row.try_get("reason")?,
            action: Action::from_word(&action),
            changes: self.changes(id, route).await?,
            hash: row.try_get("hash")?,
            text: None,
            undoes: None,
            node: None,
            cut_off: false,
            pins: serde_json::Value::Null,
        })
    }

    async fn changes(&mut self, revision: i64, route: Option<&str>) -> Result<Vec<RouteChange>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT route, before, after FROM audit
             WHERE revision = ?1 AND (?2 IS NULL OR route = ?2) ORDER BY id",
        )
        .bind(revision)
        .bind(route)
        .fetch_all(&mut self.connection)
        .await?;
        let change = |row: SqliteRow| {
            Ok(RouteChange {
                route: row.try_get("route")?,
                before: row.try_get("before")?,
                after: row.try_get("after")?,
            })
        };
        rows.into_iter().map(change).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::recorder::tests::record;

    fn add(url: &str, directory: &std::path::Path, numbers: impl Iterator<Item = u64>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut store = Sqlite::open(url, &Chain::new(directory)).await.unwrap();
            for number in numbers {
                let record = record(number);
                let (prev, digest) = (String::new(), number.to_string());
                let link = Link { seq: number, prev, digest, record: written(&record).unwrap() };
                store.append(&record, &link).await.unwrap();
            }
            store.close().await;
        });
    }

    /// A process and its successor, or an offline rollback beside a running ficus.
    #[test]
    fn two_writers_wait_for_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
        add(&url, &directory.path().join("one"), std::iter::empty());
        std::thread::scope(|scope| {
            for first in [1, 2] {
                let (url, nowhere) = (&url, directory.path().join("one"));
                scope.spawn(move || add(url, &nowhere, (first..=100).step_by(2)));
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut store = Sqlite::open(&url, &Chain::new(directory.path())).await.unwrap();
            let seqs: Vec<u64> =
                store.links(0).await.unwrap().into_iter().map(|link| link.unwrap().seq).collect();
            assert_eq!(seqs, (1..=100).collect::<Vec<_>>());
            assert_eq!(store.history(None, 1_000).await.unwrap().len(), 100);
        });
    }
}
