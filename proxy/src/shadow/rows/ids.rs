//! Ids that both sides made anew for the same row: one stands for the other, everywhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::pair::Pair;
use super::value::{Place, is_random_id, text};
use super::{Change, Op, Schema};

/// Which id of the candidate stands for which id of the reference.
#[derive(Debug)]
pub(super) struct Ids<'s> {
    schema: &'s Schema,
    /// By table and column: new values of the reference, and those of the candidate in their place.
    columns: BTreeMap<(String, String), Renaming>,
    /// Pairs of any column: for columns that refer without saying so, and for texts.
    anywhere: BTreeSet<(String, String)>,
    /// Random ids outside of keys, as they were met.
    random: BTreeMap<String, String>,
    random_back: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Renaming {
    /// What stands for a new value of the reference; `None` if its row has no partner.
    right_of: BTreeMap<String, Option<String>>,
    /// All new values of the candidate.
    new_right: BTreeSet<String>,
}

impl<'s> Ids<'s> {
    pub(super) fn of(left: &[Change], right: &[Change], pairs: &[Pair], schema: &'s Schema) -> Self {
        let mut ids = Self {
            schema,
            columns: BTreeMap::new(),
            anywhere: BTreeSet::new(),
            random: BTreeMap::new(),
            random_back: BTreeMap::new(),
        };
        let referred: BTreeSet<&(String, String)> = schema.references.values().collect();
        for pair in pairs {
            let (one, other) = match *pair {
                Pair::Both(i, j) => (Some(&left[i]), Some(&right[j])),
                Pair::Left(i) => (Some(&left[i]), None),
                Pair::Right(j) => (None, Some(&right[j])),
            };
            ids.learn(one, other, &referred);
        }
        ids
    }

    fn learn(
        &mut self,
        one: Option<&Change>,
        other: Option<&Change>,
        referred: &BTreeSet<&(String, String)>,
    ) {
        let Some(change) = one.or(other).filter(|change| change.change.op == Op::Insert) else { return };
        for (column, value) in change.content().into_iter().flatten() {
            let place = change.place(column);
            let name = (change.change.table.clone(), column.clone());
            if !is_generated(&place, value, self.schema) && !referred.contains(&name) {
                continue;
            }
            let of = |change: Option<&Change>| change?.content()?.get(column).map(text);
            let (left, right) = (of(one), of(other));
            if let (Some(left), Some(right)) = (&left, &right) {
                self.anywhere.insert((left.clone(), right.clone()));
            }
            let renaming = self.columns.entry(name).or_default();
            if let Some(left) = left {
                renaming.right_of.insert(left, right.clone());
            }
            renaming.new_right.extend(right);
        }
    }

    /// Whether a value that refers to another row refers to the same one on both sides; `None` if it refers to none that
    /// is known.
    pub(super) fn same_reference(&self, place: &Place<'_>, left: &Value, right: &Value) -> Option<bool> {
        let target = self.schema.references.get(&(place.table.to_owned(), place.column.to_owned()))?;
        let (left, right) = (text(left), text(right));
        let Some(renaming) = self.columns.get(target) else { return Some(left == right) };
        Some(match renaming.right_of.get(&left) {
            Some(partner) => partner.as_deref() == Some(&right),
            None => left == right && !renaming.new_right.contains(&right),
        })
    }

    /// Whether a value is an id that its own row got.
    pub(super) fn is_own(&self, place: &Place<'_>, left: &Value) -> bool {
        is_generated(place, left, self.schema)
    }

    /// Whether one text stands for another as an id, in some table.
    pub(super) fn stands_for(&self, left: &str, right: &str) -> bool {
        self.anywhere.contains(&(left.to_owned(), right.to_owned()))
    }

    /// Whether two random ids may stand for each other from now on: each for one only.
    pub(super) fn meet(&mut self, left: &str, right: &str) -> bool {
        let known = self.random.get(left).is_none_or(|known| known == right)
            && self.random_back.get(right).is_none_or(|known| known == left);
        if known {
            self.random.insert(left.to_owned(), right.to_owned());
            self.random_back.insert(right.to_owned(), left.to_owned());
        }
        known
    }
}

/// Whether a column of a new row holds an id that was made for it.
pub(super) fn is_generated(place: &Place<'_>, value: &Value, schema: &Schema) -> bool {
    let name = (place.table.to_owned(), place.column.to_owned());
    if !place.new || schema.references.contains_key(&name) {
        return false;
    }
    match &schema.generated {
        Some(generated) if generated.contains(&name) => true,
        // An application makes random ids itself, and the catalogue does not know it.
        Some(_) => place.key && matches!(value, Value::String(text) if is_random_id(text)),
        None if place.key => match value {
            Value::Number(_) => true,
            Value::String(text) => is_random_id(text),
            _ => false,
        },
        None => false,
    }
}
