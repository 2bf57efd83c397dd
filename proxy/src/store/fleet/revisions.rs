//! What holds: revisions of the whole fleet. A new one is made only on top of the one that its author's node runs
//! (compare and set, by number and digest), in one transaction with its place in the audit's chain.

use std::cell::Cell;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use super::super::chain::{Link, Tip, written};
use super::super::{Action, Record, RouteChange};
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

/// What the store has, seen from a revision.
#[derive(Debug, Clone, PartialEq)]
pub enum Since {
    /// That revision holds.
    Same,
    /// Another one does.
    Other {
        /// That one.
        head: Box<Published>,
        /// Whether the store has the first one as well.
        known: bool,
    },
    /// It knows nothing at all.
    Nothing,
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

/// The text is sent only if it is another one.
const SINCE: &str =
    "SELECT r.number, r.made_at, r.node, r.author, r.reason, r.action, r.hash, r.pins, r.digest, f.text,
        EXISTS (SELECT FROM ficus.revision o WHERE o.of_fleet AND o.number = $1 AND o.digest = $2) AS known
    FROM ficus.revision r
    LEFT JOIN ficus.routing_file f ON f.hash = r.hash AND NOT (r.number = $1 AND r.digest = $2)
    WHERE r.of_fleet ORDER BY r.number DESC LIMIT 1";

impl Shared {
    /// What holds, seen from the revision that somebody runs, in one question.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn since(&self, number: u64, digest: &str) -> Result<Since, Away> {
        self.ask(async |connection| {
            let row =
                sqlx::query(SINCE).bind(signed(number)).bind(digest).fetch_optional(&mut *connection).await?;
            let Some(row) = row else { return Ok(Since::Nothing) };
            let head = published(&row)?;
            if (head.record.revision, head.digest.as_str()) == (number, digest) {
                return Ok(Since::Same);
            }
            Ok(Since::Other { head: Box::new(head), known: row.try_get("known")? })
        })
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
            let mut transaction = connection.begin_with(schema::BEGIN_REVISION).await?;
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
    // Each way to the store and back is time in which others run the old revision: there are four with the lock and the end.
    let row = sqlx::query(BEFORE)
        .bind(signed(record.revision))
        .bind(record.at)
        .bind(node)
        .fetch_one(&mut *connection)
        .await?;
    // Asked for the second time, after the connection broke: it may have been made.
    if let Some(own) = row.try_get("own")? {
        return Ok(Some(own));
    }
    let holds: Option<(i64, String)> = row.try_get::<Option<i64>, _>("number")?.zip(row.try_get("digest")?);
    let same = holds.as_ref().map(|(number, digest)| (unsigned(*number), digest.as_str())) == on;
    if !same {
        return Ok(None);
    }
    add_after(connection, tip_of(&row)?.as_ref(), (node, true), record).await.map(Some)
}

/// What must be known before a revision is made: whether it is there already, what holds, where the chain ends.
const BEFORE: &str = "SELECT
    (SELECT digest FROM ficus.revision WHERE number = $1 AND made_at = $2 AND node = $3 AND of_fleet) AS own,
    head.number, head.digest, last.seq AS last_seq, last.digest AS last_digest
    FROM (SELECT 1) AS one
    LEFT JOIN (SELECT number, digest FROM ficus.revision WHERE of_fleet ORDER BY number DESC LIMIT 1) head ON true
    LEFT JOIN (SELECT seq, digest FROM ficus.chain ORDER BY seq DESC LIMIT 1) last ON true";

fn tip_of(row: &PgRow) -> Result<Option<Tip>, sqlx::Error> {
    let seq: Option<i64> = row.try_get("last_seq")?;
    let digest: Option<String> = row.try_get("last_digest")?;
    Ok(seq.zip(digest).map(|(seq, digest)| Tip { seq: unsigned(seq), digest }))
}

/// Adds a record to chain, files, revisions and changes; the revisions must be locked.
pub(super) async fn add(
    connection: &mut PgConnection,
    whose: (&str, bool),
    record: &Record,
) -> Result<String, sqlx::Error> {
    let tip = end_of_chain(connection).await?;
    add_after(connection, tip.as_ref(), whose, record).await
}

/// Where the chain ends; the revisions must be locked.
pub(super) async fn end_of_chain(connection: &mut PgConnection) -> Result<Option<Tip>, sqlx::Error> {
    let sql = "SELECT seq AS last_seq, digest AS last_digest FROM ficus.chain ORDER BY seq DESC LIMIT 1";
    let last = sqlx::query(sql).fetch_optional(connection).await?;
    last.as_ref().map(tip_of).transpose().map(Option::flatten)
}

/// One statement; of a revision of the fleet, the node that made it runs it, and the others hear of it.
const ADD: &str = "WITH link AS (
        INSERT INTO ficus.chain (seq, prev, digest, record) VALUES ($1, $2, $3, $4)
    ), file AS (
        INSERT INTO ficus.routing_file (hash, text) SELECT $11, $15 WHERE $15::text IS NOT NULL ON CONFLICT DO NOTHING
    ), made AS (
        INSERT INTO ficus.revision (number, made_at, node, author, reason, action, hash, pins, digest, of_fleet)
        VALUES ($5, $6, $7, $8, $9, $10, $11, $12, $3, $13) RETURNING id
    ), changed AS (
        INSERT INTO ficus.change (revision, route, before, after)
        SELECT made.id, each.route, each.before, each.after
        FROM made, unnest($16::text[], $17::text[], $18::text[]) WITH ORDINALITY AS each (route, before, after, place)
        ORDER BY each.place
    ), own AS (
        UPDATE ficus.node SET running = $5, digest = $3, heard = clock_timestamp() WHERE $13 AND name = $7
    )
    SELECT pg_notify('ficus_revision', $14) WHERE $13";

async fn add_after(
    connection: &mut PgConnection,
    tip: Option<&Tip>,
    (node, of_fleet): (&str, bool),
    record: &Record,
) -> Result<String, sqlx::Error> {
    let written = written(record).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let link = Link::of_node(tip, written, (node, !of_fleet));
    let column = |field: fn(&RouteChange) -> &str| -> Vec<String> {
        record.changes.iter().map(|change| field(change).to_owned()).collect()
    };
    sqlx::query(ADD)
        .bind(signed(link.seq))
        .bind(&link.prev)
        .bind(&link.digest)
        .bind(link.record.to_string())
        .bind(signed(record.revision))
        .bind(record.at)
        .bind(node)
        .bind(&record.author)
        .bind(&record.reason)
        .bind(record.action.word())
        .bind(&record.hash)
        .bind(record.pins.to_string())
        .bind(of_fleet)
        .bind(record.revision.to_string())
        .bind(&record.text)
        .bind(column(|change| &change.route))
        .bind(column(|change| &change.before))
        .bind(column(|change| &change.after))
        .execute(&mut *connection)
        .await?;
    Ok(link.digest)
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
        node: None,
        cut_off: false,
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
