//! What holds: revisions of the whole fleet. A new one is made only on top of the one that its author's node runs
//! (compare and set, by number and digest), in one transaction with its place in the audit's chain.

use std::cell::Cell;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use super::super::chain::{Link, Tip};
use super::super::{Action, Record};
use super::{Away, Shared, schema};

/// A revision of the fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// How it came to be, with its text and what lies over it.
    pub record: Record,
    /// The node that made it.
    pub node: String,
    /// Digest of its place in the audit: two revisions of one number are told apart by it.
    pub digest: String,
}

/// What became of an attempt to make a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// It holds; its digest.
    Made(String),
    /// Somebody else was faster.
    Behind,
    /// The store cannot be reached.
    Away(String),
    /// The store broke off: it may hold or not.
    Unsure(String),
}

/// A number and the digest that belongs to it.
type Named<'a> = Option<(u64, &'a str)>;

const COLUMNS: &str =
    "SELECT r.number, r.made_at, r.node, r.author, r.reason, r.action, r.hash, r.pins, r.digest, f.text
    FROM ficus.revision r LEFT JOIN ficus.routing_file f USING (hash) WHERE r.of_fleet";

impl Shared {
    /// The number and digest of what holds; absent: nobody has made a revision yet.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn tip(&self) -> Result<Option<(u64, String)>, Away> {
        self.ask(async |connection| tip(connection).await)
    }

    /// What holds; absent: nobody has made a revision yet.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn head(&self) -> Result<Option<Published>, Away> {
        self.ask(async |connection| {
            let sql = format!("{COLUMNS} ORDER BY r.number DESC LIMIT 1");
            let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_optional(&mut *connection).await?;
            row.as_ref().map(published).transpose()
        })
    }

    /// A revision by number and digest; absent: this store has never had it.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn known(&self, number: u64, digest: &str) -> Result<Option<Published>, Away> {
        self.ask(async |connection| {
            let sql = format!("{COLUMNS} AND r.number = $1 AND r.digest = $2");
            let row = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(signed(number))
                .bind(digest)
                .fetch_optional(&mut *connection)
                .await?;
            row.as_ref().map(published).transpose()
        })
    }

    /// Whether a routing file is one that a revision of the fleet has, or had.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn has_file(&self, hash: &str) -> Result<bool, Away> {
        self.ask(async |connection| {
            let row = sqlx::query("SELECT 1 AS one FROM ficus.routing_file WHERE hash = $1")
                .bind(hash)
                .fetch_optional(&mut *connection)
                .await?;
            Ok(row.is_some())
        })
    }

    /// The revision that this record of ours became, if the store heard of it before the line broke.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn became(&self, number: u64, at: DateTime<Utc>) -> Result<Option<String>, Away> {
        self.ask(async |connection| {
            let row = sqlx::query(
                "SELECT digest FROM ficus.revision WHERE number = $1 AND made_at = $2 AND node = $3 AND of_fleet",
            )
            .bind(signed(number))
            .bind(at)
            .bind(self.node())
            .fetch_optional(&mut *connection)
            .await?;
            row.map(|row| row.try_get("digest")).transpose()
        })
    }

    /// Makes a revision on top of another one, or of nothing.
    pub fn publish(&self, record: &Record, on: Named<'_>) -> Publication {
        let committing = Cell::new(false);
        let made = self.ask(async |connection| {
            let mut transaction = connection.begin().await?;
            let made = publish(&mut transaction, self.node(), record, on).await?;
            if made.is_some() {
                super::super::step("before_commit");
                committing.set(true);
                transaction.commit().await?;
                super::super::step("published");
            }
            Ok(made)
        });
        match made {
            Ok(Some(digest)) => Publication::Made(digest),
            Ok(None) => Publication::Behind,
            Err(Away(why)) if committing.get() => Publication::Unsure(why),
            Err(Away(why)) => Publication::Away(why),
        }
    }
}

async fn publish(
    connection: &mut PgConnection,
    node: &str,
    record: &Record,
    on: Named<'_>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query(schema::LOCK_REVISIONS).execute(&mut *connection).await?;
    // Asked for the second time, after the connection broke: it may have been made.
    let own = sqlx::query(
        "SELECT digest FROM ficus.revision WHERE number = $1 AND made_at = $2 AND node = $3 AND of_fleet",
    )
    .bind(signed(record.revision))
    .bind(record.at)
    .bind(node)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(own) = own {
        return own.try_get("digest").map(Some);
    }
    let holds = tip(connection).await?;
    let same = holds.as_ref().map(|(number, digest)| (*number, digest.as_str())) == on;
    if !same {
        return Ok(None);
    }
    let digest = add(connection, (node, true), record).await?;
    sqlx::query("UPDATE ficus.node SET running = $2, digest = $3, heard = clock_timestamp() WHERE name = $1")
        .bind(node)
        .bind(signed(record.revision))
        .bind(&digest)
        .execute(&mut *connection)
        .await?;
    sqlx::query("SELECT pg_notify('ficus_revision', $1)")
        .bind(record.revision.to_string())
        .execute(&mut *connection)
        .await?;
    Ok(Some(digest))
}

/// Adds a record to chain, files, revisions and changes; the revisions must be locked.
pub(super) async fn add(
    connection: &mut PgConnection,
    (node, of_fleet): (&str, bool),
    record: &Record,
) -> Result<String, sqlx::Error> {
    let last = sqlx::query("SELECT seq, digest FROM ficus.chain ORDER BY seq DESC LIMIT 1")
        .fetch_optional(&mut *connection)
        .await?;
    let last = last.map(|row| Ok::<_, sqlx::Error>((row.try_get::<i64, _>("seq")?, row.try_get("digest")?)));
    let tip =
        last.transpose()?.map(|(seq, digest)| Tip { seq: u64::try_from(seq).unwrap_or_default(), digest });
    let link = Link::of_node(tip.as_ref(), record, (node, !of_fleet));
    let link = link.map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query("INSERT INTO ficus.chain (seq, prev, digest, record) VALUES ($1, $2, $3, $4)")
        .bind(signed(link.seq))
        .bind(&link.prev)
        .bind(&link.digest)
        .bind(link.record.to_string())
        .execute(&mut *connection)
        .await?;
    if let Some(text) = &record.text {
        sqlx::query("INSERT INTO ficus.routing_file (hash, text) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(&record.hash)
            .bind(text)
            .execute(&mut *connection)
            .await?;
    }
    let row = sqlx::query(
        "INSERT INTO ficus.revision (number, made_at, node, author, reason, action, hash, pins, digest, of_fleet)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
    )
    .bind(signed(record.revision))
    .bind(record.at)
    .bind(node)
    .bind(&record.author)
    .bind(&record.reason)
    .bind(record.action.word())
    .bind(&record.hash)
    .bind(record.pins.to_string())
    .bind(&link.digest)
    .bind(of_fleet)
    .fetch_one(&mut *connection)
    .await?;
    let id: i64 = row.try_get("id")?;
    for change in &record.changes {
        sqlx::query("INSERT INTO ficus.change (revision, route, before, after) VALUES ($1, $2, $3, $4)")
            .bind(id)
            .bind(&change.route)
            .bind(&change.before)
            .bind(&change.after)
            .execute(&mut *connection)
            .await?;
    }
    Ok(link.digest)
}

async fn tip(connection: &mut PgConnection) -> Result<Option<(u64, String)>, sqlx::Error> {
    let row =
        sqlx::query("SELECT number, digest FROM ficus.revision WHERE of_fleet ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *connection)
            .await?;
    row.map(|row| Ok((unsigned(row.try_get("number")?), row.try_get("digest")?))).transpose()
}

fn published(row: &PgRow) -> Result<Published, sqlx::Error> {
    let pins: String = row.try_get("pins")?;
    let action: String = row.try_get("action")?;
    let record = Record {
        revision: unsigned(row.try_get("number")?),
        at: row.try_get("made_at")?,
        author: row.try_get("author")?,
        reason: row.try_get("reason")?,
        action: Action::from_word(&action),
        changes: Vec::new(),
        hash: row.try_get("hash")?,
        text: row.try_get("text")?,
        undoes: None,
        pins: serde_json::from_str(&pins).map_err(|error| sqlx::Error::Decode(error.into()))?,
    };
    Ok(Published { record, node: row.try_get("node")?, digest: row.try_get("digest")? })
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
