//! Tables: two lists of changes, and the paths that differ.

use flask_compat::fernet::{Fernet, MultiFernet};
use serde_json::{Value, json};

use super::*;
use crate::route::{Allows, Pattern};
use crate::shadow::compare::Kind;

const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";

pub(super) fn change(op: &str, table: &str, key: &[&str], before: Value, after: Value) -> RowChange {
    let row = |value: Value| match value {
        Value::Object(row) => Some(row),
        _ => None,
    };
    let (before, after) = (row(before), row(after));
    let source = before.as_ref().or(after.as_ref()).unwrap();
    let key = key.iter().map(|column| ((*column).to_owned(), source[*column].clone())).collect();
    let op = serde_json::from_value(json!(op)).unwrap();
    RowChange { table: table.to_owned(), op, key, before, after }
}

pub(super) fn insert(table: &str, after: Value) -> RowChange {
    change("insert", table, &["id"], Value::Null, after)
}

fn update(table: &str, before: Value, after: Value) -> RowChange {
    change("update", table, &["id"], before, after)
}

fn delete(table: &str, before: Value) -> RowChange {
    change("delete", table, &["id"], before, Value::Null)
}

pub(super) fn schema() -> Schema {
    let name = |table: &str, column: &str| (table.to_owned(), column.to_owned());
    Schema {
        references: [
            (name("contacts", "customer_id"), name("customers", "id")),
            (name("customers", "parent_id"), name("customers", "id")),
        ]
        .into(),
        generated: None,
    }
}

pub(super) fn found(left: &[RowChange], right: &[RowChange]) -> Vec<String> {
    found_with(left, right, None, &[]).0
}

fn found_with(
    left: &[RowChange],
    right: &[RowChange],
    keys: Option<&MultiFernet>,
    ignore: &[IgnoreRule],
) -> (Vec<String>, Vec<String>) {
    let schema = schema();
    let rules = RowRules {
        ignore,
        today: "2026-06-01".parse().unwrap(),
        clock: Clock { apart: 60.0, within: 5.0 },
        keys,
        schema: &schema,
    };
    let compared = compare(left, right, &rules);
    let paths = compared.differences.iter().map(|difference| match difference.kind {
        Kind::Changed => difference.path.text(),
        kind => format!("{} {}", difference.path.text(), kind.word()),
    });
    (paths.collect(), compared.ignored.into_keys().collect())
}

/// A name, what both sides did, and the paths that differ.
type Case = (&'static str, Vec<RowChange>, Vec<RowChange>, &'static [&'static str]);

#[test]
fn what_is_done_is_compared_whatever_its_order() {
    let ana = |id: i64| insert("customers", json!({ "id": id, "name": "Ana", "city": "Bern" }));
    let ben = |id: i64| insert("customers", json!({ "id": id, "name": "Ben", "city": "Zug" }));
    let of = |id: i64, customer: i64, name: &str| {
        insert("contacts", json!({ "id": id, "customer_id": customer, "name": name }))
    };
    let cases: &[Case] = &[
        ("nothing", vec![], vec![], &[]),
        ("the same", vec![ana(1)], vec![ana(1)], &[]),
        ("another id", vec![ana(1)], vec![ana(9)], &[]),
        ("another order", vec![ana(1), ben(2)], vec![ben(1), ana(2)], &[]),
        (
            "another value",
            vec![ana(1), ben(2)],
            vec![ana(1), change_of(&ben(2), "name", json!("Bea"))],
            &["rows.customers[insert 2].name"],
        ),
        ("one is missing", vec![ana(1), ben(2)], vec![ben(1)], &["rows.customers[insert 1] missing"]),
        ("one too many", vec![ana(1)], vec![ana(1), ana(2)], &["rows.customers[insert 2] extra"]),
        ("nothing at all", vec![ana(1)], vec![], &["rows.customers[insert 1] missing"]),
        (
            "children find their parents",
            vec![ana(1), ben(2), of(1, 1, "a"), of(2, 2, "b")],
            vec![ben(5), of(7, 5, "b"), ana(6), of(8, 6, "a")],
            &[],
        ),
        (
            "a child of the wrong parent",
            vec![ana(1), ben(2), of(1, 1, "a"), of(2, 2, "b")],
            vec![ana(5), ben(6), of(7, 5, "a"), of(8, 5, "b")],
            &["rows.contacts[insert 2].customer_id"],
        ),
        (
            "equal parents are told apart by their children",
            vec![ana(1), ana(2), of(1, 1, "a"), of(2, 2, "b")],
            vec![ana(5), ana(6), of(7, 6, "a"), of(8, 5, "b")],
            &[],
        ),
        (
            "a reference to an old row",
            vec![of(1, 3, "a")],
            vec![of(1, 4, "a")],
            &["rows.contacts[insert 1].customer_id"],
        ),
        (
            "the same number is another row",
            vec![ana(7), of(1, 7, "a")],
            vec![ana(8), of(1, 7, "a")],
            &["rows.contacts[insert 1].customer_id"],
        ),
        (
            "the number of a row that only one side made",
            vec![of(1, 7, "a")],
            vec![ana(7), of(1, 7, "a")],
            &["rows.contacts[insert 1].customer_id", "rows.customers[insert 1] extra"],
        ),
    ];
    for (name, left, right, expected) in cases {
        assert_eq!(found(left, right), *expected, "{name}");
    }
}

fn change_of(change: &RowChange, column: &str, value: Value) -> RowChange {
    let mut change = change.clone();
    change.after.as_mut().unwrap().insert(column.to_owned(), value);
    change
}

#[test]
fn only_what_is_left_of_a_row_counts() {
    let at = |name: &str, city: &str| json!({ "id": 7, "name": name, "city": city });
    let cases: &[Case] = &[
        (
            "two steps or one",
            vec![
                update("customers", at("A", "B"), at("C", "B")),
                update("customers", at("C", "B"), at("C", "D")),
            ],
            vec![update("customers", at("A", "B"), at("C", "D"))],
            &[],
        ),
        (
            "there and back",
            vec![],
            vec![
                update("customers", at("A", "B"), at("C", "B")),
                update("customers", at("C", "B"), at("A", "B")),
            ],
            &[],
        ),
        (
            "an update of what was made",
            vec![insert("customers", at("A", "B")), update("customers", at("A", "B"), at("C", "B"))],
            vec![insert("customers", at("C", "B"))],
            &[],
        ),
        (
            "made and gone",
            vec![insert("customers", at("A", "B")), delete("customers", at("A", "B"))],
            vec![],
            &[],
        ),
        (
            "gone and made",
            vec![delete("customers", at("A", "B")), insert("customers", at("A", "C"))],
            vec![update("customers", at("A", "B"), at("A", "C"))],
            &[],
        ),
    ];
    for (name, left, right, expected) in cases {
        assert_eq!(found(left, right), *expected, "{name}");
    }
}

#[test]
fn rows_with_a_key_are_known_by_it() {
    let at = |name: &str, city: &str| json!({ "id": 7, "name": name, "city": city });
    let renamed = update("customers", at("Ana", "Bern"), at("Ann", "Bern"));
    let cases: &[Case] = &[
        (
            "changed columns only, or all",
            vec![update("customers", json!({ "id": 7, "name": "Ana" }), json!({ "name": "Ann" }))],
            vec![renamed.clone()],
            &[],
        ),
        ("forgotten", vec![renamed.clone()], vec![], &["rows.customers[update id=7] missing"]),
        (
            "another row is gone",
            vec![delete("customers", json!({ "id": 7 }))],
            vec![delete("customers", json!({ "id": 8 }))],
            &["rows.customers[delete id=7] missing", "rows.customers[delete id=8] extra"],
        ),
        (
            "a row that should go is changed",
            vec![delete("customers", at("Ana", "Bern"))],
            vec![renamed],
            &["rows.customers[update id=7] extra", "rows.customers[delete id=7] missing"],
        ),
        (
            "no key",
            vec![change("insert", "tags", &[], Value::Null, json!({ "tag": "x" }))],
            vec![change("insert", "tags", &[], Value::Null, json!({ "tag": "y" }))],
            &["rows.tags[insert 1] missing", "rows.tags[insert 1] extra"],
        ),
    ];
    for (name, left, right, expected) in cases {
        assert_eq!(found(left, right), *expected, "{name}");
    }
}

#[test]
fn values_mean_the_same_or_not() {
    let hash = |salt: &str, hex: char| format!("pbkdf2:sha256:150000${salt}${}", hex.to_string().repeat(64));
    let id = "0c7e0c2e-6a0f-4a55-9d6b-6d1b5a4f7c11";
    let other_id = "a1d2c3b4-aaaa-4bbb-8ccc-ddddeeeeffff";
    let cases: &[(Value, Value, &[&str])] = &[
        (json!(null), json!(null), &[]),
        (json!(null), json!(""), &[""]),
        (json!(12.5), json!(12.50), &[]),
        (json!(12), json!(12.0), &[]),
        (json!(12.5), json!(12.51), &[""]),
        (json!(1), json!("1"), &[" type"]),
        (json!(true), json!(false), &[""]),
        (json!("Ana"), json!("ana"), &[""]),
        // The candidate ran a minute later.
        (json!("2026-06-01T10:00:00.123"), json!("2026-06-01T10:00:01"), &[]),
        (json!("2026-06-01T10:00:00.123"), json!("2026-06-01T10:01:01"), &[]),
        (json!("2026-06-01T10:00:00+00:00"), json!("2026-06-01 12:01:00.5+02"), &[]),
        (json!("2026-06-01T10:00:00"), json!("2026-06-01T10:00:30"), &[""]),
        (json!("2026-06-01T10:00:00"), json!("2026-06-01T09:58:50"), &[""]),
        (json!("2026-06-01"), json!("2026-06-02"), &[""]),
        (json!(hash("abcd", 'a')), json!(hash("efgh", 'b')), &[]),
        (json!(hash("abcd", 'a')), json!(hash("efgh", 'b').replace("150000", "1000")), &[""]),
        (json!(hash("abcd", 'a')), json!("secret"), &[""]),
        (
            json!("$2b$12$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234"),
            json!("$2b$12$zbcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234"),
            &[],
        ),
        (
            json!("$2b$12$abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234"),
            json!("$2b$04$zbcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234"),
            &[""],
        ),
        (json!({ "a": 1, "b": [1, 2] }), json!({ "b": [1, 2], "a": 1 }), &[]),
        (
            json!({ "a": 1, "b": [1, 2] }),
            json!({ "b": [1, 3], "c": 1 }),
            &[".a missing", ".b[1]", ".c extra"],
        ),
        (json!("{\"a\": 1, \"b\": 2}"), json!("{\"b\":2,\"a\":1}"), &[]),
        (json!("{\"a\": 1}"), json!("{\"a\": 2}"), &[".a"]),
        (json!(id), json!(other_id), &[]),
        (json!(format!("{id}.pdf")), json!(format!("{other_id}.pdf")), &[]),
        (json!(format!("{id}.pdf")), json!(format!("{other_id}.txt")), &[""]),
        (json!("d41d8cd98f00b204e9800998ecf8427e"), json!("e41d8cd98f00b204e9800998ecf8427e"), &[""]),
    ];
    for (left, right, expected) in cases {
        let row = |value: &Value| {
            vec![insert("things", json!({ "id": 1, "one": "x", "two": "y", "value": value }))]
        };
        let expected: Vec<String> =
            expected.iter().map(|rest| format!("rows.things[insert 1].value{rest}")).collect();
        assert_eq!(found(&row(left), &row(right)), expected, "{left} {right}");
    }
}

#[test]
fn a_random_id_stands_for_one_only() {
    let id = |digit: char| format!("0000000{digit}-0000-4000-8000-000000000000");
    let row = |number: i64, one: char, two: char| {
        insert("files", json!({ "id": number, "name": number, "stored": id(one), "again": id(two) }))
    };
    assert!(found(&[row(1, 'a', 'a')], &[row(1, 'b', 'b')]).is_empty());
    assert_eq!(found(&[row(1, 'a', 'a')], &[row(1, 'b', 'c')]), ["rows.files[insert 1].again"]);
    assert_eq!(found(&[row(1, 'a', 'b')], &[row(1, 'c', 'c')]), ["rows.files[insert 1].again"]);
}

#[test]
fn ids_are_known_where_nobody_declared_them() {
    let left = [
        insert("customers", json!({ "id": 12, "name": "Ana" })),
        insert("customers", json!({ "id": 13, "name": "Ben" })),
        insert("audit", json!({ "id": 1, "entity_id": 12, "detail": "made /customers/12" })),
        insert("audit", json!({ "id": 2, "entity_id": 13, "detail": "made /customers/13" })),
    ];
    let right = |first: i64, second: i64| {
        [
            insert(
                "audit",
                json!({ "id": 5, "entity_id": 20, "detail": format!("made /customers/{second}") }),
            ),
            insert("customers", json!({ "id": 20, "name": "Ben" })),
            insert("customers", json!({ "id": 21, "name": "Ana" })),
            insert("audit", json!({ "id": 6, "entity_id": first, "detail": "made /customers/21" })),
        ]
    };
    assert!(found(&left, &right(21, 20)).is_empty());
    assert_eq!(found(&left, &right(22, 20)), ["rows.audit[insert 1].entity_id"]);
    assert_eq!(found(&left, &right(21, 99)), ["rows.audit[insert 2].detail"]);
}

#[test]
fn encrypted_texts_are_read_with_the_key_and_recognized_without() {
    let keys = MultiFernet::new([KEY]).unwrap();
    let token =
        |text: &str, iv: u8| Fernet::new(KEY).unwrap().encrypt(text.as_bytes(), [iv; 16], 1_780_000_000);
    let row = |value: &str| vec![insert("contacts", json!({ "id": 1, "name": "Ana", "phone": value }))];
    let cases = [
        (token("+41 44 668 18 00", 1), token("+41 44 668 18 00", 2), false, false),
        (token("+41 44 668 18 00", 1), token("+41 44 668 18 01", 2), false, true),
        (token("short", 1), token("a text of more than one block", 2), true, true),
        (token("short", 1), "short".to_owned(), true, true),
    ];
    for (one, other, without, with) in cases {
        let (left, right) = (row(&one), row(&other));
        assert_eq!(!found_with(&left, &right, None, &[]).0.is_empty(), without);
        let (paths, _) = found_with(&left, &right, Some(&keys), &[]);
        assert_eq!(!paths.is_empty(), with, "{paths:?}");
    }
}

#[test]
fn rules_of_routes_allow_differences_of_rows() {
    let rule = |path: &str, allows: Allows| IgnoreRule {
        path: Pattern::parse(path).unwrap(),
        allows,
        reason: "r".to_owned(),
        author: "a".to_owned(),
        expires: "2026-06-30".parse().unwrap(),
    };
    let row = |total: f64| vec![insert("orders", json!({ "id": 1, "name": "x", "total": total }))];
    for (path, allows, allowed) in [
        ("rows.orders[*].total", Allows::Anything, true),
        ("rows.orders[insert *].total", Allows::Anything, true),
        ("rows.orders[insert].total", Allows::Number(0.5), true),
        ("rows.orders[insert].total", Allows::Number(0.1), false),
        ("rows.orders[update].total", Allows::Anything, false),
        ("rows.other[*].total", Allows::Anything, false),
    ] {
        let (paths, ignored) = found_with(&row(1.0), &row(1.3), None, &[rule(path, allows)]);
        assert_eq!(paths.is_empty(), allowed, "{path}");
        assert_eq!(ignored.len(), usize::from(allowed), "{path}");
    }
}

#[test]
fn a_known_catalogue_says_which_keys_are_made() {
    let year = |year: i64| {
        vec![change("insert", "years", &["year"], Value::Null, json!({ "year": year, "sum": 5 }))]
    };
    assert!(found(&year(2026), &year(2027)).is_empty(), "nothing is known: a number in a key counts as made");
    let schema = Schema { generated: Some(BTreeSet::new()), ..Schema::default() };
    let rules = RowRules {
        ignore: &[],
        today: "2026-06-01".parse().unwrap(),
        clock: Clock::default(),
        keys: None,
        schema: &schema,
    };
    let compared = compare(&year(2026), &year(2027), &rules);
    assert_eq!(compared.differences[0].path.text(), "rows.years[insert 1].year");
}
