//! Comparison of what two sides did to a database: row changes, or the rows of whole tables. Pure.
//!
//! `compare` is the way through: what happened to one row becomes one change (`net`), changes of both sides that belong
//! together are paired, whatever their order (`pair`), ids that both sides made anew are renamed consistently (`ids`),
//! and what is left of two values is compared by meaning (`value`). Differences have paths such as
//! `rows.customers[insert 1].name` and obey the same rules as those of answers. The content of a table is a list of inserts.
//! Who captures changes, and when, is not here.

mod ids;
mod net;
mod pair;
mod sketch;
mod tables;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use flask_compat::fernet::MultiFernet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compare::{Difference, Findings, Path, Step};
use crate::route::IgnoreRule;

use ids::Ids;
use pair::Pair;
use value::{Place, Sameness};

pub use tables::changes;

/// A row: its columns, as `to_jsonb(row)` writes them.
pub type Row = serde_json::Map<String, Value>;

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// It is new.
    Insert,
    /// It is another one.
    Update,
    /// It is gone.
    Delete,
}

impl Op {
    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowChange {
    /// The table, with its schema unless that is `public`.
    pub table: String,
    /// What happened.
    pub op: Op,
    /// The columns of the primary key, as they were before an update; empty if the table has none.
    pub key: Row,
    /// The row before: all columns, or those that an update changed.
    pub before: Option<Row>,
    /// The row after: all columns, or those that an update changed.
    pub after: Option<Row>,
}

/// What is known about the tables. Nothing known is allowed: then every number in a key counts as made by the database.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Foreign keys: the column, and the column it refers to.
    pub references: BTreeMap<(String, String), (String, String)>,
    /// Columns that the database or the application fills with an id of its own, if that is known.
    pub generated: Option<BTreeSet<(String, String)>>,
}

impl Schema {
    /// How many steps lead from a table along its foreign keys; circles end somewhere.
    fn depth(&self, table: &str) -> usize {
        let mut depth = 0;
        let mut tables: BTreeSet<&str> = BTreeSet::from([table]);
        while depth < DEEPEST_REFERENCES {
            let next: BTreeSet<&str> = self
                .references
                .iter()
                .filter(|((from, _), (to, _))| tables.contains(from.as_str()) && from != to)
                .map(|(_, (to, _))| to.as_str())
                .collect();
            if next.is_empty() {
                return depth;
            }
            (tables, depth) = (next, depth + 1);
        }
        depth
    }
}

/// Longer chains of foreign keys are circles.
const DEEPEST_REFERENCES: usize = 16;

/// How the clocks of both sides compare.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    /// How many seconds later the candidate ran.
    pub apart: f64,
    /// How far two times may be from that, in seconds.
    pub within: f64,
}

/// What may differ.
#[derive(Debug, Clone, Copy)]
pub struct RowRules<'r> {
    /// Because somebody said so.
    pub ignore: &'r [IgnoreRule],
    /// Rules expire.
    pub today: NaiveDate,
    /// Because time passed.
    pub clock: Clock,
    /// The keys of encrypted columns: with them texts are compared, without them only that both sides encrypted.
    pub keys: Option<&'r MultiFernet>,
    /// What refers to what.
    pub schema: &'r Schema,
}

/// What a comparison of rows found.
#[derive(Debug, Clone, Default)]
pub struct RowComparison {
    /// What differs and is not allowed to, most important first within a table.
    pub differences: Vec<Difference>,
    /// Differences beyond the most that are kept.
    pub more: usize,
    /// How often each rule was needed: the path of a rule, or `built-in NAME`.
    pub ignored: BTreeMap<String, u64>,
    /// Changes of the reference that were looked at.
    pub rows: usize,
}

/// Compares what the reference (left) and the candidate (right) did.
pub fn compare(left: &[RowChange], right: &[RowChange], rules: &RowRules<'_>) -> RowComparison {
    let (left, right) = (net::net(left), net::net(right));
    let pairs = pair::pairs(&left, &right, rules);
    let mut ids = Ids::of(&left, &right, &pairs, rules.schema);
    let mut findings = Findings::of_rows(rules.ignore, rules.today);
    for pair in &pairs {
        match *pair {
            Pair::Both(i, j) => both(&left[i], &right[j], rules, &mut ids, &mut findings),
            Pair::Left(i) => {
                let content = Some(shown(&left[i]));
                findings.report(Difference::one_sided(path(&left[i], None), content, None));
            }
            Pair::Right(j) => {
                let content = Some(shown(&right[j]));
                findings.report(Difference::one_sided(path(&right[j], None), None, content));
            }
        }
    }
    let Findings { differences, more, ignored, .. } = findings;
    RowComparison { differences, more, ignored, rows: left.len() }
}

/// A change after `net`, with its number among those of its table and kind.
#[derive(Debug)]
struct Change {
    number: usize,
    change: RowChange,
}

impl Change {
    /// What is compared: the row after, or the one that is gone.
    fn content(&self) -> Option<&Row> {
        self.change.after.as_ref().or(self.change.before.as_ref())
    }

    /// Inserts, and changes of rows without a key, are known by their content only.
    fn is_known_by_content(&self) -> bool {
        self.change.op == Op::Insert || self.change.key.is_empty()
    }

    /// What a column held before.
    fn was(&self, column: &str) -> Option<&Value> {
        self.change.before.as_ref()?.get(column)
    }

    /// A capture may keep all columns of a changed row, or only those that changed.
    fn changes(&self, column: &str, value: &Value) -> bool {
        self.was(column) != Some(value)
    }

    fn place<'a>(&'a self, column: &'a str) -> Place<'a> {
        let key = self.change.key.contains_key(column);
        Place { table: &self.change.table, column, key, new: self.change.op == Op::Insert }
    }

    /// `1`, or `id=7`.
    fn name(&self) -> String {
        if self.is_known_by_content() {
            return self.number.to_string();
        }
        let parts = self.change.key.iter().map(|(column, value)| format!("{column}={}", value::text(value)));
        parts.collect::<Vec<_>>().join(",")
    }
}

fn both(left: &Change, right: &Change, rules: &RowRules<'_>, ids: &mut Ids<'_>, findings: &mut Findings<'_>) {
    let empty = Row::new();
    let (one, other) = (left.content().unwrap_or(&empty), right.content().unwrap_or(&empty));
    if left.change.op == Op::Delete && !left.change.key.is_empty() {
        return;
    }
    for (column, value) in one {
        let place = left.place(column);
        let steps = vec![Step::Key(column.clone())];
        let Some(counterpart) = other.get(column) else {
            if left.changes(column, value) && right.was(column) != Some(value) {
                let steps = Some(steps);
                findings.report(Difference::one_sided(path(left, steps), Some(value::text(value)), None));
            }
            continue;
        };
        value::compare(&place, (value, counterpart), rules, ids, &mut |found| match found {
            (_, Sameness::ByDesign(rule)) => findings.by_design(rule),
            (below, Sameness::Different(difference)) => {
                let steps = steps.iter().cloned().chain(below).collect();
                findings.report(Difference { path: path(left, Some(steps)), ..difference });
            }
        });
    }
    for (column, value) in other.iter().filter(|(column, _)| !one.contains_key(*column)) {
        if right.changes(column, value) && left.was(column) != Some(value) {
            let place = path(left, Some(vec![Step::Key(column.clone())]));
            findings.report(Difference::one_sided(place, None, Some(value::text(value))));
        }
    }
}

fn path(change: &Change, steps: Option<Vec<Step>>) -> Path {
    Path::Rows {
        table: change.change.table.clone(),
        op: change.change.op.word(),
        row: change.name(),
        steps: steps.unwrap_or_default(),
    }
}

fn shown(change: &Change) -> String {
    change.content().map(|row| Value::Object(row.clone()).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod properties;
