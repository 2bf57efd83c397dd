//! The store in SQLite. Rows are only ever added; triggers refuse everything else.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{Connection, Row};

use super::{Action, Record, RouteChange};

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

/// An open database.
#[derive(Debug)]
pub(super) struct Sqlite {
    connection: SqliteConnection,
}

impl Sqlite {
    /// Opens the database and makes its tables if they are not there.
    pub(super) async fn open(url: &str) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(2));
        if let Some(directory) = options.get_filename().parent() {
            std::fs::create_dir_all(directory).map_err(sqlx::Error::Io)?;
        }
        let mut connection = SqliteConnection::connect_with(&options).await?;
        for statement in SCHEMA {
            sqlx::query(*statement).execute(&mut connection).await?;
        }
        Ok(Self { connection })
    }

    /// Closes it properly, so that another process finds nothing half done.
    pub(super) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database did not close well");
        }
    }

    /// Adds a record; one that is already there is left alone.
    pub(super) async fn append(&mut self, record: &Record) -> Result<(), sqlx::Error> {
        let mut transaction = self.connection.begin().await?;
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
            return Ok(());
        };
        let id: i64 = row.try_get("id")?;
        if let Some(text) = &record.text {
            sqlx::query("INSERT INTO routing_file (hash, text) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING")
                .bind(&record.hash)
                .bind(text)
                .execute(&mut *transaction)
                .await?;
        }
        for change in &record.changes {
            sqlx::query("INSERT INTO audit (revision, route, before, after) VALUES (?, ?, ?, ?)")
                .bind(id)
                .bind(&change.route)
                .bind(&change.before)
                .bind(&change.after)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await
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
        let rows = sqlx::query(
            "SELECT id, number, made_at, author, reason, action, hash FROM revision
             WHERE ?1 IS NULL OR id IN (SELECT revision FROM audit WHERE route = ?1)
             ORDER BY id DESC LIMIT ?2",
        )
        .bind(route)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        let mut records = Vec::new();
        for row in rows {
            let id: i64 = row.try_get("id")?;
            let number: i64 = row.try_get("number")?;
            let at: DateTime<Utc> = row.try_get("made_at")?;
            let action: String = row.try_get("action")?;
            records.push(Record {
                revision: u64::try_from(number).unwrap_or_default(),
                at,
                author: row.try_get("author")?,
                reason: row.try_get("reason")?,
                action: Action::from_word(&action),
                changes: self.changes(id, route).await?,
                hash: row.try_get("hash")?,
                text: None,
            });
        }
        Ok(records)
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
        let change = |row: sqlx::sqlite::SqliteRow| {
            Ok(RouteChange {
                route: row.try_get("route")?,
                before: row.try_get("before")?,
                after: row.try_get("after")?,
            })
        };
        rows.into_iter().map(change).collect()
    }
}
