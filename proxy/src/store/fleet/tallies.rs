//! How often each route was asked on each node: every node tells what it counted, and any of them can read the sum.
//!
//! A node's own tally, on its disk, is what counts; here is a copy of it. What is told is told as it stands, so that it may be
//! told twice; where less is told than before, what was more stays: a node that lost its disk takes nothing back.

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::revisions::{signed, unsigned};
use super::{Away, Shared};
use crate::store::tally::{Book, Daily, KEPT_DAYS, Known, Sums, Tallied};

/// So many rows in one question.
const PIECE: usize = 500;

const TELL: &str = "INSERT INTO ficus.tally (node, route, backend, day, calls, errors, fallbacks, defers, writes, sessions,
        micros, last_at)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::date[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::bigint[], $10::bigint[], $11::bigint[], $12::timestamptz[])
    ON CONFLICT (node, route, backend, day) DO UPDATE SET
        calls = greatest(tally.calls, excluded.calls), errors = greatest(tally.errors, excluded.errors),
        fallbacks = greatest(tally.fallbacks, excluded.fallbacks), defers = greatest(tally.defers, excluded.defers),
        writes = greatest(tally.writes, excluded.writes), sessions = greatest(tally.sessions, excluded.sessions),
        micros = greatest(tally.micros, excluded.micros), last_at = greatest(tally.last_at, excluded.last_at)";

const SUMS: &str = "SELECT route, backend, max(last_at) AS last_at,
        coalesce(sum(calls) FILTER (WHERE day >= $1), 0)::bigint AS calls,
        coalesce(sum(errors) FILTER (WHERE day >= $1), 0)::bigint AS errors,
        coalesce(sum(fallbacks) FILTER (WHERE day >= $1), 0)::bigint AS fallbacks,
        coalesce(sum(defers) FILTER (WHERE day >= $1), 0)::bigint AS defers,
        coalesce(sum(writes) FILTER (WHERE day >= $1), 0)::bigint AS writes,
        coalesce(sum(sessions) FILTER (WHERE day >= $1), 0)::bigint AS sessions,
        coalesce(sum(micros) FILTER (WHERE day >= $1), 0)::bigint AS micros
    FROM ficus.tally GROUP BY route, backend ORDER BY route, backend";

const TELLERS: &str = "SELECT coalesce(told.node, node.name) AS name,
        (extract(epoch FROM clock_timestamp() - told.told) * 1000)::bigint AS told_ms,
        (extract(epoch FROM clock_timestamp() - node.heard) * 1000)::bigint AS heard_ms
    FROM ficus.tally_node AS told FULL JOIN ficus.node AS node ON node.name = told.node ORDER BY 1";

/// A node, and how fresh what it told is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Teller {
    /// Its name.
    pub name: String,
    /// How long ago it told what it counted; absent: it never did.
    pub told_ms: Option<u64>,
    /// How long ago it was heard of at all; absent: it left, and may be elsewhere.
    pub heard_ms: Option<u64>,
}

/// What all nodes counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetBook {
    /// The sum.
    pub book: Book,
    /// Who is in it, and who is not.
    pub tellers: Vec<Teller>,
}

impl Shared {
    /// Up to when this node told what it counted, by its own clock; absent: never.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn tally_mark(&self) -> Result<Option<DateTime<Utc>>, Away> {
        self.ask(async |connection| {
            let sql = "SELECT mark FROM ficus.tally_node WHERE node = $1";
            let row = sqlx::query(sql).bind(self.node()).fetch_optional(&mut *connection).await?;
            row.map(|row| row.try_get("mark")).transpose()
        })
    }

    /// Tells what this node counted, up to `mark`. `known`: the store has what was counted before; whether that was so.
    ///
    /// # Errors
    /// When the store cannot be asked; it may have a part then.
    pub fn tell_tally(
        &self,
        (rows, days): (&[Daily], &[NaiveDate]),
        mark: DateTime<Utc>,
        known: bool,
    ) -> Result<bool, Away> {
        for piece in rows.chunks(PIECE) {
            self.tell_piece(piece)?;
        }
        let oldest = mark.date_naive().checked_sub_days(Days::new(KEPT_DAYS)).unwrap_or_default();
        self.ask(async |connection| {
            if !days.is_empty() {
                let sql = "INSERT INTO ficus.tally_day (node, day) SELECT $1, unnest($2::date[]) ON CONFLICT DO NOTHING";
                sqlx::query(sql).bind(self.node()).bind(days).execute(&mut *connection).await?;
            }
            if known {
                let sql =
                    "UPDATE ficus.tally_node SET mark = $2, told = clock_timestamp() WHERE node = $1";
                let done = sqlx::query(sql).bind(self.node()).bind(mark).execute(&mut *connection).await?;
                return Ok(done.rows_affected() > 0);
            }
            let sql = "INSERT INTO ficus.tally_node (node, mark, told) VALUES ($1, $2, clock_timestamp())
                ON CONFLICT (node) DO UPDATE SET mark = $2, told = clock_timestamp()";
            sqlx::query(sql).bind(self.node()).bind(mark).execute(&mut *connection).await?;
            for sql in [
                "DELETE FROM ficus.tally WHERE day < $1",
                "DELETE FROM ficus.tally_day WHERE day < $1",
            ] {
                sqlx::query(sql).bind(oldest).execute(&mut *connection).await?;
            }
            Ok(true)
        })
    }

    fn tell_piece(&self, piece: &[Daily]) -> Result<(), Away> {
        let texts =
            |read: fn(&Daily) -> &str| piece.iter().map(|row| read(row).to_owned()).collect::<Vec<_>>();
        let sums = |read: fn(&Sums) -> u64| {
            piece.iter().map(|row| signed(read(&row.tallied.sums))).collect::<Vec<_>>()
        };
        let days: Vec<NaiveDate> = piece.iter().map(|row| row.day).collect();
        let last: Vec<DateTime<Utc>> = piece.iter().map(|row| row.last_at).collect();
        self.ask(async |connection| {
            sqlx::query(TELL)
                .bind(self.node())
                .bind(texts(|row| &row.tallied.route))
                .bind(texts(|row| &row.tallied.backend))
                .bind(&days)
                .bind(sums(|sums| sums.calls))
                .bind(sums(|sums| sums.errors))
                .bind(sums(|sums| sums.fallbacks))
                .bind(sums(|sums| sums.defers))
                .bind(sums(|sums| sums.writes))
                .bind(sums(|sums| sums.sessions))
                .bind(sums(|sums| sums.micros))
                .bind(&last)
                .execute(&mut *connection)
                .await
        })?;
        Ok(())
    }

    /// What all nodes counted from a day on, and how fresh that is.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn fleet_book(&self, from: NaiveDate) -> Result<FleetBook, Away> {
        self.ask(async |connection| {
            let sql = "SELECT min(day) AS since, count(DISTINCT day) FILTER (WHERE day >= $1) AS watched FROM ficus.tally_day";
            let days = sqlx::query(sql).bind(from).fetch_one(&mut *connection).await?;
            let sums = sqlx::query(SUMS).bind(from).fetch_all(&mut *connection).await?;
            let tellers = sqlx::query(TELLERS).fetch_all(&mut *connection).await?;
            Ok(FleetBook {
                book: Book {
                    since: days.try_get("since")?,
                    watched: unsigned(days.try_get("watched")?),
                    known: sums.iter().map(known).collect::<Result<_, _>>()?,
                },
                tellers: tellers.iter().map(teller).collect::<Result<_, _>>()?,
            })
        })
    }
}

fn known(row: &PgRow) -> Result<Known, sqlx::Error> {
    let sums = Sums::of_row(|name| Ok(unsigned(row.try_get(name)?)))?;
    let tallied = Tallied { route: row.try_get("route")?, backend: row.try_get("backend")?, sums };
    Ok(Known { tallied, last_at: row.try_get("last_at")? })
}

fn teller(row: &PgRow) -> Result<Teller, sqlx::Error> {
    let (told, heard): (Option<i64>, Option<i64>) = (row.try_get("told_ms")?, row.try_get("heard_ms")?);
    Ok(Teller { name: row.try_get("name")?, told_ms: told.map(unsigned), heard_ms: heard.map(unsigned) })
}
