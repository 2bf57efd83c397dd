//! What is left when several changes of one row are seen as one: how a side got there does not matter.

use std::collections::BTreeMap;

use super::{Change, Op, Row, RowChange, value};

/// One change for each row that is not as it was, in the order of first changes, numbered by table and kind.
pub(super) fn net(changes: &[RowChange]) -> Vec<Change> {
    let mut out: Vec<Option<RowChange>> = Vec::new();
    let mut last: BTreeMap<(String, String), usize> = BTreeMap::new();
    for change in changes {
        let known = identity(&change.table, &change.key).and_then(|identity| last.get(&identity).copied());
        let slot = known.filter(|slot| out[*slot].is_some());
        let slot = match slot {
            Some(slot) => {
                out[slot] = out[slot].take().and_then(|earlier| merged(earlier, change));
                slot
            }
            None => {
                out.push(Some(change.clone()));
                out.len() - 1
            }
        };
        let renamed = change.after.as_ref().map(|after| renamed(&change.key, after));
        for key in [Some(change.key.clone()), renamed].into_iter().flatten() {
            if let Some(identity) = identity(&change.table, &key) {
                last.insert(identity, slot);
            }
        }
    }
    let mut numbers: BTreeMap<(String, Op), usize> = BTreeMap::new();
    let kept = out.into_iter().flatten().filter(|change| !is_nothing(change));
    kept.map(|change| {
        let number = numbers.entry((change.table.clone(), change.op)).or_default();
        *number += 1;
        Change { number: *number, change }
    })
    .collect()
}

/// The table and the key in a fixed order; `None` for a table without key.
pub(super) fn identity(table: &str, key: &Row) -> Option<(String, String)> {
    if key.is_empty() {
        return None;
    }
    let mut parts: Vec<String> =
        key.iter().map(|(column, value)| format!("{column}={}", value::text(value))).collect();
    parts.sort_unstable();
    Some((table.to_owned(), parts.join("\n")))
}

/// The key as it is after an update.
fn renamed(key: &Row, after: &Row) -> Row {
    key.iter().map(|(column, value)| (column.clone(), after.get(column).unwrap_or(value).clone())).collect()
}

fn merged(earlier: RowChange, later: &RowChange) -> Option<RowChange> {
    let after = || {
        let mut after = earlier.after.clone().unwrap_or_default();
        after.extend(later.after.clone().unwrap_or_default());
        Some(after)
    };
    match (earlier.op, later.op) {
        (Op::Insert, Op::Update) => {
            let after = after();
            let key = after.as_ref().map(|after| renamed(&earlier.key, after)).unwrap_or_default();
            Some(RowChange { after, key, ..earlier })
        }
        (Op::Insert, Op::Delete) => None,
        (Op::Update, Op::Update) => {
            // What the first one said about a column is how it was.
            let mut before = later.before.clone().unwrap_or_default();
            before.extend(earlier.before.clone().unwrap_or_default());
            Some(RowChange { after: after(), before: Some(before), ..earlier })
        }
        (Op::Update, Op::Delete) => Some(RowChange { op: Op::Delete, after: None, ..earlier }),
        (Op::Delete, Op::Insert) => Some(RowChange { op: Op::Update, after: later.after.clone(), ..earlier }),
        (_, _) => Some(later.clone()),
    }
}

/// An update that left the row as it was.
fn is_nothing(change: &RowChange) -> bool {
    let (Op::Update, Some(before), Some(after)) = (change.op, &change.before, &change.after) else {
        return false;
    };
    after.iter().all(|(column, value)| before.get(column) == Some(value))
}
