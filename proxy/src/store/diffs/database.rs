//! The tables of differences in SQLite, beside those of the history.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{Connection, Row};

use super::{Bounds, DiffGroup, GroupRow, Mismatch, Wanted};

/// Steps from one version of the tables to the next; what is here once never changes.
const MIGRATIONS: &[&[&str]] = &[
    &[
        "CREATE TABLE shadow_group (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        route TEXT NOT NULL,
        signature TEXT NOT NULL,
        kind TEXT NOT NULL,
        rule TEXT,
        count INTEGER NOT NULL,
        first_at TEXT NOT NULL,
        last_at TEXT NOT NULL,
        first_revision INTEGER NOT NULL,
        last_revision INTEGER NOT NULL,
        UNIQUE (route, signature)
    )",
        "CREATE INDEX shadow_group_age ON shadow_group (last_at)",
        "CREATE TABLE shadow_sample (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        shadow_group INTEGER NOT NULL REFERENCES shadow_group (id) ON DELETE CASCADE,
        document TEXT NOT NULL
    )",
        "CREATE INDEX shadow_sample_group ON shadow_sample (shadow_group, id)",
    ],
    &["ALTER TABLE shadow_group ADD COLUMN asked TEXT"],
];

/// Where differences go for which there is no room of their own.
const OTHER: &str = "(other differences)";

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    connection: SqliteConnection,
}

impl Database {
    /// Opens the database and brings its tables up to date.
    pub(super) async fn open(url: &str) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(2));
        if let Some(directory) = options.get_filename().parent() {
            std::fs::create_dir_all(directory).map_err(sqlx::Error::Io)?;
        }
        let mut connection = SqliteConnection::connect_with(&options).await?;
        migrate(&mut connection).await?;
        Ok(Self { connection })
    }

    pub(super) async fn add(&mut self, mismatch: &Mismatch, bounds: Bounds) -> Result<(), sqlx::Error> {
        // From the first read on: what is written elsewhere in this file must not get in between.
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for group in &mismatch.groups {
            let id = count(&mut transaction, mismatch, group, bounds).await?;
            if let Some(case) = &mismatch.case {
                sqlx::query("UPDATE shadow_group SET asked = ? WHERE id = ?")
                    .bind(case)
                    .bind(id)
                    .execute(&mut *transaction)
                    .await?;
            }
            sqlx::query("INSERT INTO shadow_sample (shadow_group, document) VALUES (?, ?)")
                .bind(id)
                .bind(&mismatch.document)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(
                "DELETE FROM shadow_sample WHERE shadow_group = ?1 AND id NOT IN
                 (SELECT id FROM shadow_sample WHERE shadow_group = ?1 ORDER BY id DESC LIMIT ?2)",
            )
            .bind(id)
            .bind(bounds.samples)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await
    }

    /// Without a route: of all, but for what stands under a name that no route can have (blanks: tests of shadowing).
    pub(super) async fn groups(&mut self, wanted: &Wanted) -> Result<Vec<GroupRow>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT id, route, signature, kind, rule, count, first_at, last_at, first_revision, last_revision,
                CASE WHEN ?2 IS NULL THEN NULL ELSE asked END AS asked
             FROM shadow_group WHERE (route = ?1 OR (?1 IS NULL AND route NOT LIKE '% %')) AND (?2 IS NULL OR id = ?2)
             ORDER BY count DESC, id",
        )
        .bind(&wanted.route)
        .bind(wanted.id)
        .fetch_all(&mut self.connection)
        .await?;
        let mut groups = rows.iter().map(group).collect::<Result<Vec<_>, _>>()?;
        if wanted.samples {
            for group in &mut groups {
                group.samples = self.samples(group.id).await?;
            }
        }
        Ok(groups)
    }

    async fn samples(&mut self, group: i64) -> Result<Vec<serde_json::Value>, sqlx::Error> {
        let rows = sqlx::query("SELECT document FROM shadow_sample WHERE shadow_group = ? ORDER BY id DESC")
            .bind(group)
            .fetch_all(&mut self.connection)
            .await?;
        let document = |row: &SqliteRow| {
            let text: String = row.try_get("document")?;
            Ok(serde_json::from_str(&text).unwrap_or_default())
        };
        rows.iter().map(document).collect()
    }

    pub(super) async fn forget(&mut self, id: i64) -> Result<(), sqlx::Error> {
        let delete = sqlx::query("DELETE FROM shadow_group WHERE id = ?").bind(id);
        delete.execute(&mut self.connection).await.map(drop)
    }

    pub(super) async fn sweep(&mut self, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let delete = sqlx::query("DELETE FROM shadow_group WHERE last_at < ?").bind(before);
        delete.execute(&mut self.connection).await.map(drop)
    }
}

async fn migrate(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS shadow_schema (version INTEGER NOT NULL)")
        .execute(&mut *transaction)
        .await?;
    let row =
        sqlx::query("SELECT max(version) AS version FROM shadow_schema").fetch_one(&mut *transaction).await?;
    let version: Option<i64> = row.try_get("version")?;
    let done = version.and_then(|version| usize::try_from(version).ok()).unwrap_or_default();
    for (number, statements) in MIGRATIONS.iter().enumerate().skip(done) {
        for statement in *statements {
            sqlx::query(*statement).execute(&mut *transaction).await?;
        }
        sqlx::query("INSERT INTO shadow_schema (version) VALUES (?)")
            .bind(i64::try_from(number + 1).unwrap_or(i64::MAX))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

/// Counts a mismatch in its group, or among the others if the route has no room for one more group.
async fn count(
    connection: &mut SqliteConnection,
    mismatch: &Mismatch,
    group: &DiffGroup,
    bounds: Bounds,
) -> Result<i64, sqlx::Error> {
    let row = sqlx::query(
        "SELECT count(*) AS groups, coalesce(sum(signature = ?2), 0) AS known FROM shadow_group WHERE route = ?1",
    )
    .bind(&mismatch.route)
    .bind(&group.signature)
    .fetch_one(&mut *connection)
    .await?;
    let (groups, known): (i64, i64) = (row.try_get("groups")?, row.try_get("known")?);
    let fits = known > 0 || groups < i64::from(bounds.groups);
    let (signature, rule) =
        if fits { (group.signature.as_str(), group.rule.as_deref()) } else { (OTHER, None) };
    let revision = i64::try_from(mismatch.revision).unwrap_or(i64::MAX);
    let row = sqlx::query(
        // Tests of shadowing take no numbers that people see.
        "INSERT INTO shadow_group
            (id, route, signature, kind, rule, count, first_at, last_at, first_revision, last_revision)
         VALUES (CASE WHEN ?1 LIKE '% %' THEN (SELECT min(coalesce(min(id), 0), 0) - 1 FROM shadow_group) END,
            ?1, ?2, ?3, ?4, 1, ?5, ?5, ?6, ?6)
         ON CONFLICT (route, signature) DO UPDATE
            SET count = count + 1, last_at = excluded.last_at, last_revision = excluded.last_revision
         RETURNING id",
    )
    .bind(&mismatch.route)
    .bind(signature)
    .bind(&group.kind)
    .bind(rule)
    .bind(mismatch.at)
    .bind(revision)
    .fetch_one(&mut *connection)
    .await?;
    row.try_get("id")
}

fn group(row: &SqliteRow) -> Result<GroupRow, sqlx::Error> {
    Ok(GroupRow {
        id: row.try_get("id")?,
        route: row.try_get("route")?,
        signature: row.try_get("signature")?,
        kind: row.try_get("kind")?,
        rule: row.try_get("rule")?,
        count: row.try_get("count")?,
        first_at: row.try_get("first_at")?,
        last_at: row.try_get("last_at")?,
        first_revision: row.try_get("first_revision")?,
        last_revision: row.try_get("last_revision")?,
        samples: Vec::new(),
        case: row.try_get("asked")?,
    })
}
