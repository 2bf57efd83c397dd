//! What a change looks like when everything is left out that two sides make anew: ids, times, cipher texts, salts.
//!
//! Its colour also tells what it refers to and what refers to it, a few steps far: two equal parents with different
//! children are told apart, and children find the right parent, before any id is known to be another's.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use serde_json::Value;
use siphasher::sip::SipHasher13;

use super::ids::is_generated;
use super::value;
use super::{Change, Op, RowRules};

/// How far colours spread along foreign keys.
const STEPS: usize = 4;

/// Of all changes of one side.
#[derive(Debug)]
pub(super) struct Sketches {
    /// Column by column, without ids of their own; what refers to a new row has no look.
    columns: Vec<BTreeMap<String, Option<Look>>>,
    /// The columns alone.
    owns: Vec<u64>,
    colours: Vec<u64>,
    /// What each row refers to, and what refers to it.
    around: Vec<Vec<(Link, usize)>>,
}

/// What a column looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Look {
    /// With its numbers.
    pub(super) fine: u64,
    /// Numbers in texts may be ids of new rows: without them.
    pub(super) coarse: u64,
}

/// A reference, seen from one of its ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The column that refers.
    pub(super) column: String,
    /// It leads away from here.
    pub(super) is_to: bool,
}

impl Sketches {
    pub(super) fn colour(&self, index: usize) -> u64 {
        self.colours[index]
    }

    pub(super) fn own(&self, index: usize) -> u64 {
        self.owns[index]
    }

    /// What each column looks like.
    pub(super) fn columns(&self, index: usize) -> &BTreeMap<String, Option<Look>> {
        &self.columns[index]
    }

    /// What a row refers to, and what refers to it.
    pub(super) fn around(&self, index: usize) -> &[(Link, usize)] {
        &self.around[index]
    }
}

/// Sketches the changes of one side.
pub(super) fn sketches(changes: &[Change], rules: &RowRules<'_>) -> Sketches {
    // The new rows, by the columns that others may refer to.
    let mut new: BTreeMap<(&str, &str, String), usize> = BTreeMap::new();
    for (index, change) in changes.iter().enumerate().filter(|(_, change)| change.change.op == Op::Insert) {
        for (column, value) in change.content().into_iter().flatten() {
            new.insert((&change.change.table, column, value::text(value)), index);
        }
    }
    let mut columns = Vec::new();
    let mut links: Vec<(usize, usize, &str)> = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        let mut sketched = BTreeMap::new();
        for (column, value) in change.content().into_iter().flatten() {
            let table = change.change.table.as_str();
            let target = rules.schema.references.get(&(table.to_owned(), column.clone()));
            let referred = target
                .and_then(|(table, target)| new.get(&(table.as_str(), target.as_str(), value::text(value))));
            match referred {
                Some(&referred) => {
                    links.push((index, referred, column));
                    sketched.insert(column.clone(), None);
                }
                None if is_generated(&change.place(column), value, rules.schema) => {}
                None => {
                    sketched.insert(column.clone(), Some(sketch(value, rules)));
                }
            }
        }
        columns.push(sketched);
    }
    let owns: Vec<u64> = changes
        .iter()
        .zip(&columns)
        .map(|(change, columns)| {
            let fine: Vec<_> =
                columns.iter().map(|(name, look)| (name, look.map(|look| look.fine))).collect();
            hashed(&(change.change.op.word(), &change.change.table, fine))
        })
        .collect();
    let colours = spread(&owns, &links);
    let mut around = vec![Vec::new(); changes.len()];
    for (from, to, column) in links {
        around[from].push((Link { column: column.to_owned(), is_to: true }, to));
        around[to].push((Link { column: column.to_owned(), is_to: false }, from));
    }
    Sketches { columns, owns, colours, around }
}

/// Lets every row know what is around it.
fn spread(owns: &[u64], links: &[(usize, usize, &str)]) -> Vec<u64> {
    let mut colours = owns.to_vec();
    if links.is_empty() {
        return colours;
    }
    for _ in 0..STEPS {
        let mut around: Vec<Vec<(bool, &str, u64)>> = vec![Vec::new(); colours.len()];
        for &(from, to, column) in links {
            around[from].push((true, column, colours[to]));
            around[to].push((false, column, colours[from]));
        }
        for (colour, mut around) in colours.iter_mut().zip(around) {
            around.sort_unstable();
            *colour = hashed(&(*colour, around));
        }
    }
    colours
}

fn sketch(value: &Value, rules: &RowRules<'_>) -> Look {
    let of = |numbers: bool| hashed(&value::sketch(value, rules.keys, numbers));
    Look { fine: of(true), coarse: of(false) }
}

fn hashed(value: &impl Hash) -> u64 {
    let mut hasher = SipHasher13::new();
    value.hash(&mut hasher);
    hasher.finish()
}
