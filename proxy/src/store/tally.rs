//! How often each route was asked, day by day and backend by backend: what a report of the migration is made of, and what
//! proves that nobody needs a view any more.
//!
//! A small database of this node, beside its other files, so that it is there whatever the store of the fleet is. Numbers
//! are only ever added to, in one transaction, so that a process and its successor may both write. Nothing personal is in
//! it: a route's name, a backend's name, a day, sums. Who counts is in `observe`, who asks in `rollout`.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};

use super::local::Local;

/// Days that are kept.
pub const KEPT_DAYS: u64 = 400;

/// The tables; a later form adds others beside them.
const TABLES: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS tally (
        route TEXT NOT NULL,
        backend TEXT NOT NULL,
        day TEXT NOT NULL,
        calls INTEGER NOT NULL,
        errors INTEGER NOT NULL,
        fallbacks INTEGER NOT NULL,
        defers INTEGER NOT NULL,
        writes INTEGER NOT NULL,
        sessions INTEGER NOT NULL,
        micros INTEGER NOT NULL,
        last_at TEXT NOT NULL,
        PRIMARY KEY (route, backend, day)
    ) WITHOUT ROWID",
    // Days on which this node looked, whether or not anybody came.
    "CREATE TABLE IF NOT EXISTS tally_day (day TEXT PRIMARY KEY) WITHOUT ROWID",
];

/// What requests of one route did, answered by one backend.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Requests.
    pub calls: u64,
    /// Of these, answered with a status of 500 or more.
    pub errors: u64,
    /// Of these, answered in place of the backend first chosen.
    pub fallbacks: u64,
    /// Of these, because a handler handed them back.
    pub defers: u64,
    /// Of these, with a method that may change something.
    pub writes: u64,
    /// Of these, with a session cookie.
    pub sessions: u64,
    /// Time until they were answered, in microseconds.
    pub micros: u64,
}

impl Sums {
    /// From a row of either store; `sum` reads the column of this name.
    pub(super) fn of_row(sum: impl Fn(&str) -> Result<u64, sqlx::Error>) -> Result<Self, sqlx::Error> {
        Ok(Self {
            calls: sum("calls")?,
            errors: sum("errors")?,
            fallbacks: sum("fallbacks")?,
            defers: sum("defers")?,
            writes: sum("writes")?,
            sessions: sum("sessions")?,
            micros: sum("micros")?,
        })
    }
}

impl std::ops::AddAssign<&Sums> for Sums {
    fn add_assign(&mut self, other: &Sums) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.fallbacks += other.fallbacks;
        self.defers += other.defers;
        self.writes += other.writes;
        self.sessions += other.sessions;
        self.micros += other.micros;
    }
}

/// Sums of a route and a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tallied {
    /// The route.
    pub route: String,
    /// The backend that answered.
    pub backend: String,
    /// Its sums.
    pub sums: Sums,
}

/// The same for one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daily {
    /// Route, backend and sums.
    pub tallied: Tallied,
    /// The day.
    pub day: NaiveDate,
    /// The last request of that day.
    pub last_at: DateTime<Utc>,
}

/// What is known about a route and a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The sums of the days that were asked for.
    pub tallied: Tallied,
    /// When it last answered, in those days or before.
    pub last_at: Option<DateTime<Utc>>,
}

/// What is known about all routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    /// The first day on which this node counted.
    pub since: Option<NaiveDate>,
    /// On how many of the days that were asked for it counted.
    pub watched: u64,
    /// Routes and backends.
    pub known: Vec<Known>,
}

/// Keeps the tally.
#[derive(Debug)]
pub struct Tally(Mutex<Local>);

impl Tally {
    /// In this directory; opened when it is needed.
    pub fn new(directory: &Path) -> Self {
        let place = SqliteConnectOptions::new().filename(directory.join("tally.db"));
        Self(Mutex::new(Local::new(place, &TABLES)))
    }

    /// Adds to what is there, for the day of `at`. Waits for the disk.
    ///
    /// # Errors
    /// When the disk does not take it; nothing was added then.
    pub fn add(&self, at: DateTime<Utc>, more: &[Tallied]) -> Result<(), String> {
        self.ask(async |connection| add(connection, at, more).await)
    }

    /// The sums from a day on, and when each backend last answered each route.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn book(&self, from: NaiveDate) -> Result<Book, String> {
        self.ask(async |connection| book(connection, from).await)
    }

    /// What was added to since then, as it is now, and the days since on which this node looked.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn changed(&self, since: DateTime<Utc>) -> Result<(Vec<Daily>, Vec<NaiveDate>), String> {
        self.ask(async |connection| changed(connection, since).await)
    }

    fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ask(question)
    }
}

async fn add(
    connection: &mut SqliteConnection,
    at: DateTime<Utc>,
    more: &[Tallied],
) -> Result<(), sqlx::Error> {
    let day = at.date_naive();
    let mut transaction = connection.begin().await?;
    let new = sqlx::query("INSERT INTO tally_day (day) VALUES (?) ON CONFLICT DO NOTHING")
        .bind(day)
        .execute(&mut *transaction)
        .await?;
    if new.rows_affected() > 0 {
        let oldest = day.checked_sub_days(Days::new(KEPT_DAYS)).unwrap_or(day);
        for table in ["DELETE FROM tally WHERE day < ?", "DELETE FROM tally_day WHERE day < ?"] {
            sqlx::query(table).bind(oldest).execute(&mut *transaction).await?;
        }
    }
    for Tallied { route, backend, sums } in more {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        sqlx::query(
            "INSERT INTO tally (route, backend, day, calls, errors, fallbacks, defers, writes, sessions, micros, last_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (route, backend, day) DO UPDATE SET
                calls = calls + excluded.calls, errors = errors + excluded.errors,
                fallbacks = fallbacks + excluded.fallbacks, defers = defers + excluded.defers,
                writes = writes + excluded.writes, sessions = sessions + excluded.sessions,
                micros = micros + excluded.micros, last_at = max(last_at, excluded.last_at)",
        )
        .bind(route)
        .bind(backend)
        .bind(day)
        .bind(number(sums.calls))
        .bind(number(sums.errors))
        .bind(number(sums.fallbacks))
        .bind(number(sums.defers))
        .bind(number(sums.writes))
        .bind(number(sums.sessions))
        .bind(number(sums.micros))
        .bind(at)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

async fn book(connection: &mut SqliteConnection, from: NaiveDate) -> Result<Book, sqlx::Error> {
    let days = sqlx::query("SELECT min(day) AS since, coalesce(sum(day >= ?), 0) AS watched FROM tally_day")
        .bind(from)
        .fetch_one(&mut *connection)
        .await?;
    let rows = sqlx::query(
        "SELECT route, backend, max(last_at) AS last_at,
            sum(CASE WHEN day >= ?1 THEN calls ELSE 0 END) AS calls,
            sum(CASE WHEN day >= ?1 THEN errors ELSE 0 END) AS errors,
            sum(CASE WHEN day >= ?1 THEN fallbacks ELSE 0 END) AS fallbacks,
            sum(CASE WHEN day >= ?1 THEN defers ELSE 0 END) AS defers,
            sum(CASE WHEN day >= ?1 THEN writes ELSE 0 END) AS writes,
            sum(CASE WHEN day >= ?1 THEN sessions ELSE 0 END) AS sessions,
            sum(CASE WHEN day >= ?1 THEN micros ELSE 0 END) AS micros
         FROM tally GROUP BY route, backend ORDER BY route, backend",
    )
    .bind(from)
    .fetch_all(&mut *connection)
    .await?;
    let watched: i64 = days.try_get("watched")?;
    Ok(Book {
        since: days.try_get("since")?,
        watched: u64::try_from(watched).unwrap_or_default(),
        known: rows.iter().map(known).collect::<Result<_, _>>()?,
    })
}

async fn changed(
    connection: &mut SqliteConnection,
    since: DateTime<Utc>,
) -> Result<(Vec<Daily>, Vec<NaiveDate>), sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM tally WHERE last_at >= ? ORDER BY day, route, backend")
        .bind(since)
        .fetch_all(&mut *connection)
        .await?;
    let daily = |row| -> Result<Daily, sqlx::Error> {
        let Known { tallied, .. } = known(row)?;
        Ok(Daily { tallied, day: row.try_get("day")?, last_at: row.try_get("last_at")? })
    };
    let days = sqlx::query("SELECT day FROM tally_day WHERE day >= ? ORDER BY day")
        .bind(since.date_naive())
        .fetch_all(&mut *connection)
        .await?;
    let days = days.iter().map(|row| row.try_get("day")).collect::<Result<_, _>>()?;
    Ok((rows.iter().map(daily).collect::<Result<_, _>>()?, days))
}

fn known(row: &SqliteRow) -> Result<Known, sqlx::Error> {
    let sums = Sums::of_row(|name| {
        let value: i64 = row.try_get(name)?;
        Ok(u64::try_from(value).unwrap_or_default())
    })?;
    let tallied = Tallied { route: row.try_get("route")?, backend: row.try_get("backend")?, sums };
    Ok(Known { tallied, last_at: row.try_get("last_at")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tallied(route: &str, backend: &str, calls: u64) -> Tallied {
        let sums = Sums { calls, micros: calls * 1_000, ..Sums::default() };
        Tallied { route: route.to_owned(), backend: backend.to_owned(), sums }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn days_are_summed_and_outlive_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let tally = Tally::new(directory.path());
        tally.add(at("2026-11-01T10:00:00Z"), &[tallied("a", "legacy", 5)]).unwrap();
        tally.add(at("2026-11-02T10:00:00Z"), &[tallied("a", "legacy", 2), tallied("a", "rust", 1)]).unwrap();
        // A process and its successor write to the same one.
        let successor = Tally::new(directory.path());
        successor.add(at("2026-11-02T11:00:00Z"), &[tallied("a", "rust", 3)]).unwrap();
        tally.add(at("2026-11-04T10:00:00Z"), &[]).unwrap();

        let book = tally.book("2026-11-02".parse().unwrap()).unwrap();
        assert_eq!((book.since, book.watched), ("2026-11-01".parse().ok(), 2));
        let calls: Vec<_> = book
            .known
            .iter()
            .map(|known| (known.tallied.backend.as_str(), known.tallied.sums.calls, known.last_at.unwrap()))
            .collect();
        assert_eq!(
            calls,
            [("legacy", 2, at("2026-11-02T10:00:00Z")), ("rust", 4, at("2026-11-02T11:00:00Z"))]
        );
        // What has changed since.
        let (rows, days) = tally.changed(at("2026-11-02T10:30:00Z")).unwrap();
        let rows: Vec<_> = rows.iter().map(|row| (row.tallied.sums.calls, row.day, row.last_at)).collect();
        assert_eq!(rows, [(4, "2026-11-02".parse().unwrap(), at("2026-11-02T11:00:00Z"))]);
        assert_eq!(days, ["2026-11-02".parse::<NaiveDate>().unwrap(), "2026-11-04".parse().unwrap()]);
        // What is older is not in the sums, but is remembered.
        let later = tally.book("2026-11-03".parse().unwrap()).unwrap();
        assert_eq!(later.known[0].tallied.sums, Sums::default());
        assert_eq!(later.known[0].last_at, Some(at("2026-11-02T10:00:00Z")));
    }

    #[test]
    fn old_days_go() {
        let directory = tempfile::tempdir().unwrap();
        let tally = Tally::new(directory.path());
        tally.add(at("2024-01-01T10:00:00Z"), &[tallied("a", "legacy", 5)]).unwrap();
        tally.add(at("2026-01-01T10:00:00Z"), &[tallied("b", "legacy", 5)]).unwrap();
        let book = tally.book("2020-01-01".parse().unwrap()).unwrap();
        assert_eq!(book.since, "2026-01-01".parse().ok());
        assert_eq!(book.known.len(), 1);
    }

    #[test]
    fn a_disk_that_is_not_there_is_told() {
        let tally = Tally::new(Path::new("/proc/nowhere"));
        assert!(tally.add(Utc::now(), &[]).is_err());
        assert!(tally.book(Utc::now().date_naive()).is_err());
    }
}
