//! Properties: a side agrees with itself under other ids and in another order, and no change of a value goes unseen.

use proptest::prelude::*;
use serde_json::json;

use super::RowChange;
use super::cases::{found, insert};

/// Customers with contacts: for each customer its name and the names of its contacts; names may repeat.
fn family() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    prop::collection::vec((0u8..6, prop::collection::vec(0u8..4, 0..4)), 1..8)
}

/// Their rows, with ids counted from `start`.
fn rows(family: &[(u8, Vec<u8>)], start: i64) -> Vec<RowChange> {
    let mut out = Vec::new();
    let mut contact = start;
    for (index, (name, contacts)) in family.iter().enumerate() {
        let id = start + index as i64;
        out.push(insert(
            "customers",
            json!({ "id": id, "name": format!("customer {name}"), "at": "2026-06-01T10:00:00" }),
        ));
        for name in contacts {
            contact += 1;
            out.push(insert(
                "contacts",
                json!({ "id": contact, "customer_id": id, "name": format!("contact {name}") }),
            ));
        }
    }
    out
}

/// The same families in an order that `seed` chooses, and their rows as well.
fn shuffled<T: Clone>(items: &[T], seed: u64) -> Vec<T> {
    let mut rest = items.to_vec();
    let (mut out, mut state) = (Vec::new(), seed);
    while !rest.is_empty() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.push(rest.remove((state >> 33) as usize % rest.len()));
    }
    out
}

proptest! {
    #[test]
    fn other_ids_and_another_order_change_nothing(family in family(), seed: u64, start in 1i64..500) {
        let left = rows(&family, 1);
        let right = shuffled(&rows(&shuffled(&family, seed), start), seed);
        prop_assert_eq!(found(&left, &right), Vec::<String>::new());
    }

    #[test]
    fn one_changed_value_is_seen(family in family(), seed: u64, start in 1i64..500, place: prop::sample::Index) {
        let left = rows(&family, 1);
        let mut right = rows(&shuffled(&family, seed), start);
        let index = place.index(right.len());
        let row = right[index].after.as_mut().unwrap();
        row.insert("name".to_owned(), json!("somebody else"));
        prop_assert!(!found(&left, &shuffled(&right, seed)).is_empty());
    }

    #[test]
    fn a_row_more_or_less_is_seen(family in family(), seed: u64, start in 1i64..500, place: prop::sample::Index) {
        let left = rows(&family, 1);
        let mut right = rows(&shuffled(&family, seed), start);
        right.remove(place.index(right.len()));
        prop_assert!(!found(&left, &right).is_empty());
        prop_assert!(!found(&right, &left).is_empty());
    }

    #[test]
    fn a_child_that_changed_parents_is_seen(start in 1i64..500, many in 2usize..7, from: prop::sample::Index) {
        // All customers differ, and so do their contacts.
        let family: Vec<(u8, Vec<u8>)> = (0..many).map(|index| (index as u8, vec![index as u8])).collect();
        let left = rows(&family, 1);
        let mut right = rows(&family, start);
        let from = from.index(many);
        let to = start + ((from + 1) % many) as i64;
        let row = right[from * 2 + 1].after.as_mut().unwrap();
        row.insert("customer_id".to_owned(), json!(to));
        prop_assert!(!found(&left, &right).is_empty());
    }
}
