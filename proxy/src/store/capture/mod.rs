//! Row changes in the application's own database: triggers that write them down for requests that are marked, and nothing
//! else. `install`, `remove` and `status` are what `ficus capture` does; `taken` is how the proxy gets the rows.
//!
//! The triggers look at one setting of the transaction (`ficus.request`) and do nothing where it is not set. The password
//! of the database is in no error and in no log.

mod sql;
mod taken;

use std::str::FromStr;

use serde::Serialize;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};

pub use taken::{Captured, Catalogue, Taken};

/// The name of the trigger; triggers of one kind run in the order of their names, ours after the application's.
const TRIGGER: &str = "zz_ficus_capture";

/// A table of the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CapturedTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The columns of its primary key.
    pub key: Vec<String>,
    /// How it is with its trigger.
    pub state: TriggerState,
}

/// How it is with the trigger of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerState {
    /// It is there.
    Captured,
    /// There is none.
    Missing,
    /// It is switched off, or was made for another primary key.
    Stale,
}

/// The installation of the triggers in one database.
#[derive(Debug)]
pub struct Installation {
    connection: PgConnection,
}

impl Installation {
    /// Connects.
    ///
    /// # Errors
    /// A sentence that says what is wrong; never with the password.
    pub async fn open(url: &str) -> Result<Self, String> {
        let options = options(url)?;
        let connection = PgConnection::connect_with(&options).await;
        Ok(Self {
            connection: connection.map_err(|error| format!("cannot connect to the database: {error}"))?,
        })
    }

    /// Brings everything up to date: the schema, and a trigger on each table. Returns the tables. Each table is locked for
    /// a moment only, one after another; a table that is busy for long ends it, and it may be run again.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn install(&mut self) -> Result<Vec<CapturedTable>, String> {
        self.run("SET lock_timeout = '3s'").await?;
        let mut transaction =
            self.connection.begin().await.map_err(|error| failed("cannot begin a transaction", &error))?;
        for statement in sql::SCHEMA {
            sqlx::query(*statement)
                .execute(&mut *transaction)
                .await
                .map_err(|error| failed("cannot create the schema `ficus_capture`", &error))?;
        }
        transaction.commit().await.map_err(|error| failed("cannot commit", &error))?;
        for table in self.tables().await?.iter().filter(|table| table.state != TriggerState::Captured) {
            let (drop, create) = trigger(table);
            let what = format!("cannot put the trigger on `{}.{}`", table.schema, table.name);
            let mut transaction = self
                .connection
                .begin()
                .await
                .map_err(|error| failed("cannot begin a transaction", &error))?;
            for statement in [drop, create] {
                let done = sqlx::query(AssertSqlSafe(statement)).execute(&mut *transaction).await;
                done.map_err(|error| failed(&what, &error))?;
            }
            transaction.commit().await.map_err(|error| failed(&what, &error))?;
        }
        self.tables().await
    }

    /// Removes all of it. Returns the tables that had a trigger.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn remove(&mut self) -> Result<Vec<CapturedTable>, String> {
        self.run("SET lock_timeout = '3s'").await?;
        let mut tables = self.tables().await?;
        tables.retain(|table| table.state != TriggerState::Missing);
        for table in &tables {
            self.run(trigger(table).0).await?;
        }
        self.run("DROP SCHEMA IF EXISTS ficus_capture CASCADE").await?;
        Ok(tables)
    }

    /// The tables, and how it is with each of them.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn tables(&mut self) -> Result<Vec<CapturedTable>, String> {
        let rows = sqlx::query(sql::TABLES).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| failed("cannot read the catalogue", &error))?;
        let read = |row: &PgRow| table(row).map_err(|error| failed("cannot read the catalogue", &error));
        rows.iter().map(read).collect()
    }

    async fn run(&mut self, statement: impl Into<String>) -> Result<(), String> {
        let statement: String = statement.into();
        let done = sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut self.connection).await;
        done.map(drop).map_err(|error| failed(&format!("`{statement}` failed"), &error))
    }
}

fn failed(what: &str, error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => format!("{what}: {}", error.message()),
        error => format!("{what}: {error}"),
    }
}

fn table(row: &PgRow) -> Result<CapturedTable, sqlx::Error> {
    let key: Vec<String> = row.try_get("key")?;
    let definition: Option<String> = row.try_get("trigger")?;
    let state = match definition {
        None => TriggerState::Missing,
        Some(definition) if row.try_get("enabled")? && definition.ends_with(&call(&key)) => {
            TriggerState::Captured
        }
        Some(_) => TriggerState::Stale,
    };
    Ok(CapturedTable { schema: row.try_get("schema")?, name: row.try_get("name")?, key, state })
}

/// How the database writes the call of the trigger's function.
fn call(key: &[String]) -> String {
    let arguments: Vec<String> =
        key.iter().map(|column| format!("'{}'", column.replace('\'', "''"))).collect();
    format!("ficus_capture.note({})", arguments.join(", "))
}

/// Statements that remove the trigger of a table and create it. Where the setting is not set its condition is all that
/// runs.
fn trigger(table: &CapturedTable) -> (String, String) {
    let name = format!("{}.{}", quoted(&table.schema), quoted(&table.name));
    let drop = format!("DROP TRIGGER IF EXISTS {TRIGGER} ON {name}");
    let create = format!(
        "CREATE TRIGGER {TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON {name} FOR EACH ROW \
         WHEN (coalesce(pg_catalog.current_setting('ficus.request', true), '') <> '') EXECUTE PROCEDURE {}",
        call(&table.key)
    );
    (drop, create)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Reads a database's address, as libpq or SQLAlchemy write it.
fn options(url: &str) -> Result<PgConnectOptions, String> {
    let (scheme, rest) =
        url.split_once("://").ok_or("the address of the database is written as `postgresql://…`")?;
    // SQLAlchemy names the driver behind a plus.
    if !matches!(scheme.split('+').next(), Some("postgresql" | "postgres")) {
        return Err("rows are captured in PostgreSQL only: `postgresql://…`".to_owned());
    }
    // libpq takes `user@/name?host=/directory`; here a host must stand in that place.
    let rest = if rest.contains("host=") && rest.contains("@/") {
        rest.replacen("@/", "@localhost/", 1)
    } else {
        rest.to_owned()
    };
    let options = PgConnectOptions::from_str(&format!("postgresql://{rest}"));
    // The error of a bad address may show parts of it.
    let options = options.map_err(|_| "the address of the database cannot be read".to_owned())?;
    Ok(options.application_name("ficus"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_are_quoted() {
        let table = CapturedTable {
            schema: "public".to_owned(),
            name: "or\"der".to_owned(),
            key: vec!["id".to_owned(), "it's".to_owned()],
            state: TriggerState::Missing,
        };
        let (drop, create) = trigger(&table);
        assert_eq!(drop, "DROP TRIGGER IF EXISTS zz_ficus_capture ON \"public\".\"or\"\"der\"");
        assert!(create.ends_with("ficus_capture.note('id', 'it''s')"), "{create}");
    }

    #[test]
    fn errors_show_no_password() {
        for url in ["mysql://u:geheim@h/d", "geheim", "postgresql://u:geheim@h:port/d"] {
            let error = options(url).unwrap_err();
            assert!(!error.contains("geheim"), "{error}");
        }
        assert!(options("postgresql+psycopg2://u:p@/d?host=/run/postgresql").is_ok());
    }
}
