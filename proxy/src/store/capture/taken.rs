//! The captured rows of Flask, taken away as soon as they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{Error, Row};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::{options, sql};

/// Longest wait for the database.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads and removes captured rows. They hold people's data: they stay in memory until they are compared, and never get
/// into a store of ours as they are.
pub struct Captured {
    url: String,
    pool: OnceCell<PgPool>,
}

/// The address, which may hold a password, stays out of dumps.
impl std::fmt::Debug for Captured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Captured").finish_non_exhaustive()
    }
}

/// The rows of one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Taken {
    /// The changes, in their order.
    pub changes: Vec<Value>,
    /// Whether all of them are there.
    pub complete: bool,
}

/// What the database knows about ids. Tables have their schema in front unless it is `public`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Foreign keys: table and column, and table and column that they refer to.
    pub references: BTreeMap<(String, String), (String, String)>,
    /// Columns that the database fills.
    pub generated: BTreeSet<(String, String)>,
    /// All tables: of one that is not among them nothing is known yet.
    pub tables: BTreeSet<String>,
}

impl Captured {
    /// Of the database at this address; nothing is connected to yet.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), pool: OnceCell::new() }
    }

    /// Takes the rows of a request away.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn take(&self, request: &str) -> Result<Taken, String> {
        let rows: Vec<PgRow> =
            self.ask(async |pool| sqlx::query(sql::TAKE).bind(request).fetch_all(pool).await).await?;
        let mut changes: Vec<(i64, Option<String>)> = Vec::new();
        for row in &rows {
            let read = || Ok::<_, Error>((row.try_get("id")?, row.try_get("change")?));
            changes.push(read().map_err(|error| error.to_string())?);
        }
        changes.sort_unstable_by_key(|(id, _)| *id);
        let complete = changes.iter().all(|(_, change)| change.is_some());
        let texts = changes.iter().filter_map(|(_, change)| change.as_deref());
        let changes: Result<Vec<Value>, _> = texts.map(serde_json::from_str).collect();
        Ok(Taken { changes: changes.map_err(|error| error.to_string())?, complete })
    }

    /// Removes rows that are older, and were never taken. How many there were.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn sweep(&self, age: Duration) -> Result<u64, String> {
        let age = age.as_secs_f64();
        self.ask(async |pool| sqlx::query(sql::SWEEP).bind(age).execute(pool).await)
            .await
            .map(|done| done.rows_affected())
    }

    /// What the database knows about ids.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn catalogue(&self) -> Result<Catalogue, String> {
        let references: Vec<(String, String, String, String, String, String)> =
            self.ask(async |pool| sqlx::query_as(sql::REFERENCES).fetch_all(pool).await).await?;
        let generated: Vec<(String, String, String)> =
            self.ask(async |pool| sqlx::query_as(sql::GENERATED).fetch_all(pool).await).await?;
        let names: Vec<(String, String)> =
            self.ask(async |pool| sqlx::query_as(sql::NAMES).fetch_all(pool).await).await?;
        let place = |schema: String, table: String, column: String| (named(&schema, &table), column);
        Ok(Catalogue {
            references: references
                .into_iter()
                .map(|(schema, table, column, to_schema, to_table, to_column)| {
                    (place(schema, table, column), place(to_schema, to_table, to_column))
                })
                .collect(),
            generated: generated
                .into_iter()
                .map(|(schema, table, column)| place(schema, table, column))
                .collect(),
            tables: names.into_iter().map(|(schema, table)| named(&schema, &table)).collect(),
        })
    }

    async fn ask<T>(&self, question: impl AsyncFnOnce(&PgPool) -> Result<T, Error>) -> Result<T, String> {
        let pool = self
            .pool
            .get_or_try_init(async || {
                let options = options(&self.url)?;
                let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(PATIENCE);
                Ok::<_, String>(pool.connect_lazy_with(options))
            })
            .await?;
        match timeout(PATIENCE, question(pool)).await {
            Ok(answer) => answer.map_err(|error| super::failed("the captured rows cannot be read", &error)),
            Err(_) => Err("the database of the captured rows does not answer".to_owned()),
        }
    }
}

/// A table, with its schema unless that is `public`.
fn named(schema: &str, table: &str) -> String {
    if schema == "public" { table.to_owned() } else { format!("{schema}.{table}") }
}
