//! History and audit of the fleet, as the recorder's thread reads them, and the way of records that a node made while it
//! was cut off: they are on record, but never held for the fleet.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use super::super::chain::Link;
use super::super::recorder::Texts;
use super::super::{Action, Record, RouteChange};
use super::revisions::{add, end_of_chain, signed, unsigned};
use super::{Member, schema};

const COLUMNS: &str =
    "SELECT id, number, made_at, node, author, reason, action, hash, of_fleet FROM ficus.revision";

/// An open database of a fleet.
#[derive(Debug)]
pub(in crate::store) struct Postgres {
    connection: PgConnection,
    node: String,
}

impl Postgres {
    pub(in crate::store) async fn open(member: &Member) -> Result<Self, sqlx::Error> {
        Ok(Self { connection: member.open().await?, node: member.node.clone() })
    }

    pub(in crate::store) async fn close(self) {
        let _ = self.connection.close().await;
    }

    /// Adds a record, unless it is there: as a revision of the fleet, or because this was done before.
    pub(in crate::store) async fn append(&mut self, record: &Record) -> Result<(), sqlx::Error> {
        let mut transaction = self.connection.begin().await?;
        sqlx::query(schema::LOCK_REVISIONS).execute(&mut *transaction).await?;
        // One that another node made has come here as the fleet's.
        let there = sqlx::query(
            "SELECT 1 AS one FROM ficus.revision WHERE number = $1 AND made_at = $2 AND (of_fleet OR node = $3)",
        )
        .bind(signed(record.revision))
        .bind(record.at)
        .bind(&self.node)
        .fetch_optional(&mut *transaction)
        .await?;
        if there.is_none() {
            add(&mut transaction, (&self.node, false), record).await?;
            super::super::step("before_commit");
        }
        transaction.commit().await
    }

    /// Adds to the fleet's audit that somebody was refused on this node.
    pub(in crate::store) async fn append_refusal(
        &mut self,
        record: &serde_json::Value,
    ) -> Result<(), sqlx::Error> {
        let mut transaction = self.connection.begin_with(schema::BEGIN_REVISION).await?;
        let tip = end_of_chain(&mut transaction).await?;
        let link = Link::of_node(tip.as_ref(), record.clone(), (&self.node, false));
        sqlx::query("INSERT INTO ficus.chain (seq, prev, digest, record) VALUES ($1, $2, $3, $4)")
            .bind(signed(link.seq))
            .bind(&link.prev)
            .bind(&link.digest)
            .bind(link.record.to_string())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    pub(in crate::store) async fn links(&mut self) -> Result<Vec<Result<Link, String>>, sqlx::Error> {
        let rows = sqlx::query("SELECT seq, prev, digest, record FROM ficus.chain ORDER BY seq")
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter().map(link_of).collect()
    }

    pub(in crate::store) async fn text(&mut self, hash: &str) -> Result<Option<String>, sqlx::Error> {
        let row = sqlx::query("SELECT text FROM ficus.routing_file WHERE hash = $1")
            .bind(hash)
            .fetch_optional(&mut self.connection)
            .await?;
        row.map(|row| row.try_get("text")).transpose()
    }

    /// The routing files around a revision of the fleet.
    pub(in crate::store) async fn texts(&mut self, revision: u64) -> Result<Option<Texts>, sqlx::Error> {
        let sql = format!("{COLUMNS} WHERE of_fleet AND number <= $1 ORDER BY number DESC LIMIT 2");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(signed(revision))
            .fetch_all(&mut self.connection)
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let record = self.record(row, None).await?;
        if record.revision != revision {
            return Ok(None);
        }
        let before = match rows.get(1) {
            Some(earlier) => self.text(&earlier.try_get::<String, _>("hash")?).await?,
            None => None,
        };
        let after = self.text(&record.hash).await?;
        Ok(Some(Texts { record, before, after }))
    }

    pub(in crate::store) async fn latest(&mut self) -> Result<Option<u64>, sqlx::Error> {
        let row = sqlx::query("SELECT max(number) AS number FROM ficus.revision WHERE of_fleet")
            .fetch_one(&mut self.connection)
            .await?;
        Ok(row.try_get::<Option<i64>, _>("number")?.map(unsigned))
    }

    pub(in crate::store) async fn history(
        &mut self,
        route: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Record>, sqlx::Error> {
        let sql = format!(
            "{COLUMNS} WHERE $1::text IS NULL OR id IN (SELECT revision FROM ficus.change WHERE route = $1)
             ORDER BY id DESC LIMIT $2"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(route)
            .bind(i64::from(limit))
            .fetch_all(&mut self.connection)
            .await?;
        let mut records = Vec::new();
        for row in &rows {
            records.push(self.record(row, route).await?);
        }
        Ok(records)
    }

    async fn record(&mut self, row: &PgRow, route: Option<&str>) -> Result<Record, sqlx::Error> {
        let (action, node): (String, String) = (row.try_get("action")?, row.try_get("node")?);
        let of_fleet: bool = row.try_get("of_fleet")?;
        Ok(Record {
            revision: unsigned(row.try_get("number")?),
            at: row.try_get("made_at")?,
            author: row.try_get("author")?,
            reason: row.try_get("reason")?,
            action: Action::from_word(&action),
            changes: self.changes(row.try_get("id")?, route).await?,
            hash: row.try_get("hash")?,
            text: None,
            undoes: None,
            node: Some(node),
            cut_off: !of_fleet,
            pins: serde_json::Value::Null,
        })
    }

    async fn changes(&mut self, revision: i64, route: Option<&str>) -> Result<Vec<RouteChange>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT route, before, after FROM ficus.change
             WHERE revision = $1 AND ($2::text IS NULL OR route = $2) ORDER BY id",
        )
        .bind(revision)
        .bind(route)
        .fetch_all(&mut self.connection)
        .await?;
        let change = |row: &PgRow| {
            Ok(RouteChange {
                route: row.try_get("route")?,
                before: row.try_get("before")?,
                after: row.try_get("after")?,
            })
        };
        rows.iter().map(change).collect()
    }
}

/// A row of the chain; a record that cannot be read is a finding, not an error.
fn link_of(row: &PgRow) -> Result<Result<Link, String>, sqlx::Error> {
    let record: String = row.try_get("record")?;
    let Ok(record) = serde_json::from_str(&record) else {
        return Ok(Err("it cannot be read".to_owned()));
    };
    let seq = unsigned(row.try_get("seq")?);
    Ok(Ok(Link { seq, prev: row.try_get("prev")?, digest: row.try_get("digest")?, record }))
}
