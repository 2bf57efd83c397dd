//! Tables before and after as row changes.

use std::collections::BTreeMap;

use super::net::identity;
use super::{Op, Row, RowChange};

/// What happened to a table between two moments: rows are known by their key, or as a whole if it has none.
pub fn changes(table: &str, key: &[String], before: &[Row], after: &[Row]) -> Vec<RowChange> {
    let key_of = |row: &Row| -> Row {
        key.iter().filter_map(|column| Some((column.clone(), row.get(column)?.clone()))).collect()
    };
    let mark = |row: &Row| match identity("", &key_of(row)) {
        Some((_, key)) => key,
        None => serde_json::Value::Object(row.clone()).to_string(),
    };
    let mut old: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in before {
        old.entry(mark(row)).or_default().push(row);
    }
    let change = |op: Op, before: Option<&Row>, after: Option<&Row>| RowChange {
        table: table.to_owned(),
        op,
        key: before.or(after).map(&key_of).unwrap_or_default(),
        before: before.cloned(),
        after: after.cloned(),
    };
    let mut out = Vec::new();
    for row in after {
        match old.get_mut(&mark(row)).and_then(Vec::pop) {
            Some(was) if was == row => {}
            Some(was) => out.push(change(Op::Update, Some(was), Some(row))),
            None => out.push(change(Op::Insert, None, Some(row))),
        }
    }
    let gone = old.into_values().flatten();
    out.extend(gone.map(|row| change(Op::Delete, Some(row), None)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rows(values: &Value) -> Vec<Row> {
        values.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect()
    }

    #[test]
    fn what_happened_to_a_table() {
        let before = rows(&json!([{"id": 1, "a": 1}, {"id": 2, "a": 2}, {"id": 3, "a": 3}]));
        let after = rows(&json!([{"id": 3, "a": 3}, {"id": 1, "a": 9}, {"id": 4, "a": 4}]));
        let found = changes("t", &["id".to_owned()], &before, &after);
        let words: Vec<(Op, i64)> = found.iter().map(|c| (c.op, c.key["id"].as_i64().unwrap())).collect();
        assert_eq!(words, [(Op::Update, 1), (Op::Insert, 4), (Op::Delete, 2)]);
        let found =
            changes("t", &[], &rows(&json!([{"a": 1}, {"a": 1}])), &rows(&json!([{"a": 1}, {"a": 2}])));
        let words: Vec<Op> = found.iter().map(|c| c.op).collect();
        assert_eq!(words, [Op::Insert, Op::Delete]);
    }
}
