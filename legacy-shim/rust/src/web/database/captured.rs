//! Row changes of a dry run: the triggers are turned on for its transaction, and their rows are read before the rollback.
//!
//! The triggers, the table and the function `ficus_capture.rows` come from `ficus capture install`; without them a dry run
//! is rolled back all the same, but nobody knows what it did.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, Row, Transaction, query, query_scalar};

use crate::dry_run::{Mark, SETTING};

/// Longest wait of a dry run for somebody's lock. Well below `deadlock_timeout` (1 s): of two that wait for each other the
/// dry run always gives up first.
const LONGEST_LOCK: Duration = Duration::from_millis(200);

/// What a dry run would have left.
#[derive(Debug)]
pub(super) struct Captured {
    /// The handler opened its transaction.
    pub(super) opened: bool,
    /// There are triggers.
    pub(super) triggers: bool,
    /// The number of the last row that was read.
    pub(super) last: i64,
    complete: bool,
    rows: Vec<Value>,
}

impl Default for Captured {
    fn default() -> Self {
        Self { opened: false, triggers: true, last: 0, complete: true, rows: Vec::new() }
    }
}

/// What was read at one time; `None`: there are no triggers.
pub(super) type Read = Option<Value>;

impl Captured {
    pub(super) fn add(&mut self, read: Read) {
        let Some(read) = read else {
            self.triggers = false;
            return;
        };
        self.last = read["last"].as_i64().unwrap_or(self.last);
        self.complete &= read["complete"].as_bool().unwrap_or(true);
        if let Value::Object(mut read) = read
            && let Some(Value::Array(rows)) = read.remove("rows")
        {
            self.rows.extend(rows);
        }
    }

    /// For the proxy.
    pub(super) fn document(&self) -> String {
        json!({ "complete": self.complete, "rows": self.rows }).to_string()
    }
}

/// Bounds a transaction and turns the triggers on in it. The server keeps the bounds even if this process stands still: a
/// dry run that hangs holds its locks for a moment only.
pub(super) async fn prepare(
    transaction: &mut Transaction<'static, Postgres>,
    mark: &Mark,
) -> sqlx::Result<()> {
    let whole = mark.budget.max(Duration::from_millis(1));
    let milliseconds = |time: Duration| time.as_millis().max(1).to_string();
    query(
        "SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true), \
         set_config('idle_in_transaction_session_timeout', $2, true), set_config($3, $4, true), \
         (SELECT set_config(name, $2, true) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout')",
    )
    .bind(milliseconds((whole / 2).min(LONGEST_LOCK)))
    .bind(milliseconds(whole))
    .bind(SETTING)
    .bind(&mark.id)
    .execute(&mut **transaction)
    .await
    .map(drop)
}

/// The rows after `last`. What is checked at a commit only is checked now: a dry run fails where the real one would.
pub(super) async fn read(connection: &mut PgConnection, last: i64) -> sqlx::Result<Read> {
    query("SET CONSTRAINTS ALL IMMEDIATE").execute(&mut *connection).await?;
    let installed: Option<String> =
        query_scalar("SELECT to_regprocedure('ficus_capture.rows(bigint)')::text")
            .fetch_one(&mut *connection)
            .await?;
    if installed.is_none() {
        return Ok(None);
    }
    let row = query("SELECT ficus_capture.rows($1)").bind(last).fetch_one(connection).await?;
    let text: String = row.try_get(0)?;
    serde_json::from_str(&text).map(Some).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_add_up() {
        let mut captured = Captured::default();
        captured.add(Some(json!({ "last": 7, "complete": true, "rows": [{ "n": 1 }] })));
        captured.add(Some(json!({ "last": null, "complete": null, "rows": null })));
        captured.add(Some(json!({ "last": 9, "complete": false, "rows": [{ "n": 2 }] })));
        assert_eq!(captured.last, 9);
        assert_eq!(captured.document(), r#"{"complete":false,"rows":[{"n":1},{"n":2}]}"#);
        captured.add(None);
        assert!(!captured.triggers);
    }
}
