//! Who is there: each node says now and then which revision it runs. Ages are measured by the clock of the store alone.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row;

use super::news::NODES;
use super::revisions::{signed, unsigned};
use super::{Away, Shared};

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence<'a> {
    /// The version of its program.
    pub version: &'a str,
    /// The revision that it runs.
    pub running: u64,
    /// The digest of that revision; empty: one that the fleet does not know.
    pub digest: &'a str,
    /// What somebody should look at there.
    pub trouble: Option<&'a str>,
    /// When its process started.
    pub started: DateTime<Utc>,
    /// How often it will be heard.
    pub poll: Duration,
    /// It runs another revision than when it was heard last: somebody may wait for that.
    pub new: bool,
}

/// A node of the fleet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// The revision that it runs.
    pub revision: u64,
    /// Whether it was heard lately: a flip waits for it.
    pub live: bool,
    /// How long ago it was heard.
    pub heard_ms: u64,
    /// When its process started.
    pub started: DateTime<Utc>,
    /// What somebody should look at there.
    pub drift: Option<String>,
    /// Digest of the revision that it runs.
    #[serde(skip)]
    pub digest: String,
}

impl Shared {
    /// Says that this node is there.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn report(&self, presence: &Presence<'_>) -> Result<(), Away> {
        let poll = i64::try_from(presence.poll.as_millis()).unwrap_or(i64::MAX);
        let said = self.ask(async |connection| {
            sqlx::query(
                "WITH said AS (
                    INSERT INTO ficus.node (name, version, running, digest, trouble, started, heard, poll_ms)
                    VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), $7)
                    ON CONFLICT (name) DO UPDATE SET version = $2, running = $3, digest = $4, trouble = $5, started = $6,
                    heard = clock_timestamp(), poll_ms = $7 RETURNING name
                 )
                 SELECT pg_notify($9, name) FROM said WHERE $8",
            )
            .bind(self.node())
            .bind(presence.version)
            .bind(signed(presence.running))
            .bind(presence.digest)
            .bind(presence.trouble)
            .bind(presence.started)
            .bind(poll)
            .bind(presence.new)
            .bind(NODES)
            .execute(&mut *connection)
            .await
        });
        said?;
        Ok(())
    }

    /// This node stops: nobody waits for it any more.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn leave(&self) -> Result<(), Away> {
        self.ask(async |connection| {
            sqlx::query("DELETE FROM ficus.node WHERE name = $1")
                .bind(self.node())
                .execute(&mut *connection)
                .await
        })?;
        Ok(())
    }

    /// Everybody who was heard within the last day, by name. One that missed three of its own reports is not live.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn nodes(&self) -> Result<Vec<Node>, Away> {
        self.ask(async |connection| {
            sqlx::query(
                "SELECT name, version, running, digest, trouble, started, poll_ms,
                    greatest(0, (extract(epoch FROM clock_timestamp() - heard) * 1000)::bigint) AS age
                 FROM ficus.node WHERE heard > clock_timestamp() - interval '1 day' ORDER BY name",
            )
            .fetch_all(&mut *connection)
            .await?
            .iter()
            .map(|row| {
                let (age, poll): (i64, i64) = (row.try_get("age")?, row.try_get("poll_ms")?);
                Ok(Node {
                    name: row.try_get("name")?,
                    version: row.try_get("version")?,
                    revision: unsigned(row.try_get("running")?),
                    live: age <= poll.saturating_mul(3).max(5_000),
                    heard_ms: unsigned(age),
                    started: row.try_get("started")?,
                    drift: row.try_get("trouble")?,
                    digest: row.try_get("digest")?,
                })
            })
            .collect::<Result<Vec<_>, sqlx::Error>>()
        })
    }
}
