//! Ids that both sides made for the same new row, where they show in answers: `/customers/412` and `/customers/413`.

use crate::shadow::compare::Difference;
use crate::shadow::rows::{Op, RowChange};

/// Pairs of ids: the reference's, the candidate's.
pub(super) type Pairs = Vec<(String, String)>;

/// The ids of new rows, table by table in the order in which they were made; tables that got another number of rows on
/// the other side say nothing.
pub(super) fn pairs(reference: &[RowChange], candidate: &[RowChange]) -> Pairs {
    let made = |changes: &[RowChange], table: &str| -> Vec<String> {
        let new = changes.iter().filter(|change| change.op == Op::Insert && change.table == table);
        new.filter_map(|change| match change.key.values().next() {
            Some(serde_json::Value::String(text)) if change.key.len() == 1 => Some(text.clone()),
            Some(value) if change.key.len() == 1 => Some(value.to_string()),
            _ => None,
        })
        .collect()
    };
    let mut tables: Vec<&str> = reference.iter().map(|change| change.table.as_str()).collect();
    tables.sort_unstable();
    tables.dedup();
    let mut pairs = Pairs::new();
    for table in tables {
        let (one, other) = (made(reference, table), made(candidate, table));
        if one.len() == other.len() {
            pairs.extend(one.into_iter().zip(other).filter(|(one, other)| one != other));
        }
    }
    pairs
}

/// Whether a difference of answers is nothing but another id of the same row.
pub(super) fn explain(difference: &Difference, pairs: &Pairs) -> bool {
    let (Some(one), Some(other)) = (&difference.reference, &difference.candidate) else { return false };
    let mut renamed = other.clone();
    for (left, right) in pairs {
        renamed = replaced(&renamed, right, left);
        if renamed == *one {
            return true;
        }
    }
    false
}

/// With every `from` that stands alone written as `to`.
fn replaced(text: &str, from: &str, to: &str) -> String {
    if from.is_empty() {
        return text.to_owned();
    }
    let (mut out, mut rest, mut before) = (String::new(), text, None);
    while let Some(start) = rest.find(from) {
        let (head, tail) = (&rest[..start], &rest[start + from.len()..]);
        let alone = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let stands_alone = alone(head.chars().next_back().or(before)) && alone(tail.chars().next());
        out.push_str(head);
        out.push_str(if stands_alone { to } else { from });
        before = from.chars().next_back();
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn insert(table: &str, id: &serde_json::Value) -> RowChange {
        let change = json!({ "table": table, "op": "insert", "key": { "id": id }, "before": null, "after": { "id": id } });
        serde_json::from_value(change).unwrap()
    }

    #[test]
    fn new_rows_are_paired_in_their_order() {
        let reference = [
            insert("a", &json!(12)),
            insert("b", &json!("x")),
            insert("c", &json!(1)),
            insert("d", &json!(5)),
        ];
        let candidate = [insert("b", &json!("y")), insert("a", &json!(13)), insert("d", &json!(5))];
        let expected = [("12", "13"), ("x", "y")].map(|(one, other)| (one.to_owned(), other.to_owned()));
        assert_eq!(pairs(&reference, &candidate), expected);
    }

    #[test]
    fn an_id_is_replaced_where_it_stands_alone() {
        assert_eq!(replaced("/customers/13?next=/13", "13", "12"), "/customers/12?next=/12");
        assert_eq!(replaced("/customers/130/x13/13a", "13", "12"), "/customers/130/x13/13a");
        assert_eq!(replaced("1313", "13", "12"), "1313");
    }
}
