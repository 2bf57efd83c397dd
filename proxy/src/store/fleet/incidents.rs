//! What guards did, on every node. A node keeps its own incidents in a file, too; here the others can read them.

use serde_json::Value;
use sqlx::Row;

use super::revisions::{signed, unsigned};
use super::{Away, Shared};

/// An incident of some node.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptIncident {
    /// Its number.
    pub number: u64,
    /// Whose guard it was.
    pub node: String,
    /// What is kept of it.
    pub record: Value,
}

impl Shared {
    /// A number that no other node has for an incident.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn incident_number(&self) -> Result<u64, Away> {
        let number = self.ask(async |connection| {
            let row = sqlx::query("SELECT nextval('ficus.incident_number') AS number");
            row.fetch_one(&mut *connection).await?.try_get::<i64, _>("number")
        })?;
        Ok(unsigned(number))
    }

    /// Keeps an incident of this node; one that is there already stays.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn keep_incident(&self, number: u64, record: &Value) -> Result<(), Away> {
        self.ask(async |connection| {
            sqlx::query(
                "INSERT INTO ficus.incident (number, node, record) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            )
            .bind(signed(number))
            .bind(self.node())
            .bind(record.to_string())
            .execute(&mut *connection)
            .await
        })?;
        Ok(())
    }

    /// The last thousand incidents of all nodes.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn incidents(&self) -> Result<Vec<KeptIncident>, Away> {
        self.ask(async |connection| {
            let rows = sqlx::query(
                "SELECT number, node, record FROM ficus.incident ORDER BY number DESC, node LIMIT 1000",
            )
            .fetch_all(&mut *connection)
            .await?;
            let kept = |row: &sqlx::postgres::PgRow| {
                let record: String = row.try_get("record")?;
                Ok(KeptIncident {
                    number: unsigned(row.try_get("number")?),
                    node: row.try_get("node")?,
                    record: serde_json::from_str(&record).unwrap_or(Value::Null),
                })
            };
            rows.iter().map(kept).collect::<Result<Vec<_>, sqlx::Error>>()
        })
    }
}
