//! Clones of a PostgreSQL database, and the rows of their tables: what `ficus twin` compares.
//!
//! A clone is made by `CREATE DATABASE .. TEMPLATE`, which needs that nobody is connected to the original, and is dropped
//! with force. Tables are read whole, as `to_jsonb` writes their rows. What rows mean is not here.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::{Map, Value};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};

/// A table, as far as comparing needs it.
#[derive(Debug, Clone, Default)]
pub struct TableShape {
    /// Its name, with its schema unless that is `public`.
    pub name: String,
    /// The columns of its primary key.
    pub key: Vec<String>,
    /// Columns that the database fills with an id of its own.
    pub generated: Vec<String>,
    /// Column, table it refers to, column there.
    pub references: Vec<(String, String, String)>,
    /// As SQL writes it.
    quoted: String,
}

/// The rows of tables, by the tables' names.
pub type TableRows = BTreeMap<String, Vec<Map<String, Value>>>;

/// A database that others are cloned from.
#[derive(Debug, Clone)]
pub struct Original {
    url: String,
    name: String,
}

impl Original {
    /// From the URL of the database; a driver as SQLAlchemy names it (`postgresql+psycopg2`) may stand in it.
    ///
    /// # Errors
    /// When it is no URL of PostgreSQL, or names no database.
    pub fn new(url: &str) -> Result<Self, String> {
        let no = || "the URL of the database is no `postgresql://HOST/NAME`".to_owned();
        let (scheme, rest) = url.split_once("://").ok_or_else(no)?;
        if !scheme.starts_with("postgres") {
            return Err(no());
        }
        let path = rest.split('?').next().unwrap_or_default();
        let (_, name) = path.rsplit_once('/').ok_or_else(no)?;
        if name.is_empty() {
            return Err("the URL of the database names no database: it ends with `/NAME`".to_owned());
        }
        Ok(Self { url: url.to_owned(), name: name.to_owned() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same URL for another database.
    pub fn url_of(&self, name: &str) -> String {
        let (before, query) =
            self.url.split_once('?').map_or((self.url.as_str(), ""), |(url, query)| (url, query));
        let head = before.rsplit_once('/').map_or(before, |(head, _)| head);
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{head}/{name}{mark}{query}")
    }

    async fn connect(&self, name: &str) -> Result<PgConnection, String> {
        let url = self.url_of(name);
        let (scheme, rest) = url.split_once("://").unwrap_or(("postgresql", &url));
        // An empty host, with the folder of a socket in the query, is known to libpq and not to URLs.
        let rest = if rest.starts_with('/') {
            format!("localhost{rest}")
        } else {
            rest.replacen("@/", "@localhost/", 1)
        };
        let plain = format!("{}://{rest}", scheme.split('+').next().unwrap_or(scheme));
        let options = PgConnectOptions::from_str(&plain)
            .map_err(|error| format!("the URL of the database: {error}"))?;
        PgConnection::connect_with(&options.database(name))
            .await
            .map_err(|error| format!("cannot connect to the database `{name}`: {error}"))
    }

    /// A connection that is not to the original: nobody may be there while it is cloned.
    async fn beside(&self) -> Result<PgConnection, String> {
        match self.connect("postgres").await {
            Ok(connection) => Ok(connection),
            Err(_) => self.connect("template1").await,
        }
    }

    /// Makes a clone.
    ///
    /// # Errors
    /// When it cannot be made: somebody is connected to the original, or the role may not create databases.
    pub async fn clone_as(&self, name: &str) -> Result<(), String> {
        let mut connection = self.beside().await?;
        let sql = format!("CREATE DATABASE {} TEMPLATE {}", quote(name), quote(&self.name));
        let made = connection.execute(AssertSqlSafe(sql)).await;
        made.map(drop).map_err(|error| format!("cannot clone the database `{}`: {error}", self.name))
    }

    /// Drops a clone, whoever is connected to it.
    ///
    /// # Errors
    /// When it cannot be dropped.
    pub async fn drop_clone(&self, name: &str) -> Result<(), String> {
        let mut connection = self.beside().await?;
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(name));
        let gone = connection.execute(AssertSqlSafe(sql)).await;
        gone.map(drop).map_err(|error| format!("cannot drop the database `{name}`: {error}"))
    }

    /// All tables of the original or of a clone, and all their rows.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn rows(&self, name: &str) -> Result<(Vec<TableShape>, TableRows), String> {
        let mut connection = self.connect(name).await?;
        let read = async {
            // One moment for all tables.
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let tables = shapes(&mut connection).await?;
            let mut rows = BTreeMap::new();
            for table in &tables {
                rows.insert(table.name.clone(), content(&mut connection, table).await?);
            }
            connection.execute("ROLLBACK").await?;
            Ok::<_, sqlx::Error>((tables, rows))
        };
        let result = read.await.map_err(|error| format!("cannot read the tables of `{name}`: {error}"));
        let _ = connection.close().await;
        result
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

const TABLES: &str = "
    SELECT c.oid::bigint AS id, n.nspname::text AS schema, c.relname::text AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT LIKE 'ficus%'
    ORDER BY 2, 3";
const KEYS: &str = "
    SELECT k.conrelid::bigint AS id, a.attname::text AS column
    FROM pg_constraint k CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS part (number, place)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = part.number
    WHERE k.contype = 'p' ORDER BY k.conrelid, part.place";
const REFERENCES: &str = "
    SELECT k.conrelid::bigint AS id, a.attname::text AS column, k.confrelid::bigint AS target, b.attname::text AS there
    FROM pg_constraint k CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS part (number, target)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = part.number
    JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = part.target
    WHERE k.contype = 'f'";
const GENERATED: &str = "
    SELECT a.attrelid::bigint AS id, a.attname::text AS column
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND (a.attidentity <> ''
      OR pg_get_expr(d.adbin, d.adrelid) ~ '^(nextval|gen_random_uuid|uuid_generate|uuidv)')";

async fn shapes(connection: &mut PgConnection) -> Result<Vec<TableShape>, sqlx::Error> {
    let mut tables: BTreeMap<i64, TableShape> = BTreeMap::new();
    for row in sqlx::query(TABLES).fetch_all(&mut *connection).await? {
        let (schema, name): (String, String) = (row.try_get("schema")?, row.try_get("name")?);
        let quoted = format!("{}.{}", quote(&schema), quote(&name));
        let name = if schema == "public" { name } else { format!("{schema}.{name}") };
        tables.insert(row.try_get("id")?, TableShape { name, quoted, ..TableShape::default() });
    }
    let names: BTreeMap<i64, String> = tables.iter().map(|(id, table)| (*id, table.name.clone())).collect();
    let column = |row: &PgRow| -> Result<(i64, String), sqlx::Error> {
        Ok((row.try_get("id")?, row.try_get("column")?))
    };
    for row in sqlx::query(KEYS).fetch_all(&mut *connection).await? {
        let (id, column) = column(&row)?;
        tables.entry(id).and_modify(|table| table.key.push(column));
    }
    for row in sqlx::query(GENERATED).fetch_all(&mut *connection).await? {
        let (id, column) = column(&row)?;
        tables.entry(id).and_modify(|table| table.generated.push(column));
    }
    for row in sqlx::query(REFERENCES).fetch_all(&mut *connection).await? {
        let (id, column) = column(&row)?;
        let (target, there): (i64, String) = (row.try_get("target")?, row.try_get("there")?);
        if let Some(target) = names.get(&target) {
            let reference = (column, target.clone(), there);
            tables.entry(id).and_modify(|table| table.references.push(reference));
        }
    }
    Ok(tables.into_values().collect())
}

async fn content(
    connection: &mut PgConnection,
    table: &TableShape,
) -> Result<Vec<Map<String, Value>>, sqlx::Error> {
    let sql = format!("SELECT to_jsonb(t)::text AS row FROM {} t", table.quoted);
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await?;
    let read = |row: &PgRow| {
        let text: String = row.try_get("row")?;
        serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_another_database() {
        for (url, other) in [
            ("postgresql://ana:secret@db:5432/crm", "postgresql://ana:secret@db:5432/x"),
            (
                "postgresql+psycopg2://u@/crm?host=/run/pg&port=1",
                "postgresql+psycopg2://u@/x?host=/run/pg&port=1",
            ),
        ] {
            let original = Original::new(url).unwrap();
            assert_eq!((original.name(), original.url_of("x")), ("crm", other.to_owned()));
        }
        for wrong in ["crm", "mysql://a/b", "postgresql://db:5432", "postgresql://db/"] {
            let error = Original::new(wrong).unwrap_err();
            assert!(!error.contains("db:5432"), "{error}");
        }
    }
}
