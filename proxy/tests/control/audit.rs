//! The audit: what was changed, left out or moved afterwards is found and named, in either copy.

use sqlx::{Connection, Executor};

use crate::ficus::{Ficus, ROUTES, texts};

/// A ficus that was changed five times.
fn busy() -> Ficus {
    let ficus = Ficus::start(ROUTES);
    ficus.ok(&["flip", "customers.list", "rust", "--reason", "CRM-812"]);
    ficus.ok(&["canary", "customers.detail", "5%"]);
    ficus.ok(&["rollback", "customers.list", "--reason", "wrong totals"]);
    ficus.ok(&["hold", "customers.detail"]);
    ficus.wait("everything is on record", |ficus| ficus.status()["store"]["pending"] == 0);
    ficus
}

fn lines(ficus: &Ficus) -> Vec<String> {
    let text = std::fs::read_to_string(ficus.path("state/audit.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What `audit --verify` says after the lines were replaced.
#[track_caller]
fn broken(ficus: &Ficus, lines: &[String], expected: &str) {
    std::fs::write(ficus.path("state/audit.jsonl"), lines.join("\n") + "\n").unwrap();
    let output = ficus.cli(&["audit", "--verify"]);
    let (_, said) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with(&format!("error: the audit is broken at record {expected}")), "{said}");
}

#[test]
fn everything_that_was_asked_is_on_record_and_holds_together() {
    let ficus = busy();
    let said = ficus.ok(&["audit", "--verify"]);
    assert!(said.starts_with("5 records, none changed, missing or moved\nhead "), "{said}");
    let audit = ficus.json(&["audit"]);
    let links = audit["audit"]["links"].as_array().unwrap().clone();
    let actions: Vec<&str> = links.iter().map(|link| link["record"]["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["hold", "rollback", "canary", "flip", "file"]);
    assert_eq!(links[3]["record"]["reason"], "CRM-812");
    assert_eq!(links[1]["record"]["pins"]["holds"]["customers.list"]["by_rollback"], true);
}

#[test]
fn a_line_that_was_changed_left_out_or_moved_is_named() {
    let ficus = busy();
    let good = lines(&ficus);
    let mut changed = good.clone();
    changed[3] = changed[3].replace("wrong totals", "right totals");
    broken(&ficus, &changed, "4: in audit.jsonl: it is not what its digest says: somebody changed it");
    let mut missing = good.clone();
    missing.remove(1);
    broken(&ficus, &missing, "2: in audit.jsonl: record 3 stands in its place");
    let mut moved = good.clone();
    moved.swap(2, 3);
    broken(&ficus, &moved, "3: in audit.jsonl: record 4 stands in its place");
    broken(&ficus, &good[..3], "4: it and what follows are missing in audit.jsonl");
    broken(&ficus, &good[1..], "1: in audit.jsonl: record 2 stands in its place");
    std::fs::write(ficus.path("state/audit.jsonl"), good.join("\n") + "\n").unwrap();
    ficus.ok(&["audit", "--verify"]);
}

#[test]
fn a_row_of_the_store_that_was_changed_or_left_out_is_named() {
    for (statement, expected) in [
        (
            "UPDATE chain SET record = replace(record, 'CRM-812', 'CRM-999') WHERE seq = 2",
            "record 2: in the store: ",
        ),
        ("DELETE FROM chain WHERE seq = 3", "record 3: in the store: "),
        ("DELETE FROM chain WHERE seq > 3", "record 4: it and what follows are missing in the store"),
    ] {
        let mut ficus = busy();
        ficus.kill();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let url = format!("sqlite:{}", ficus.path("state/ficus.db").display());
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            // Somebody with the file can do what the triggers refuse.
            assert!(connection.execute(sqlx::AssertSqlSafe(statement)).await.is_err(), "{statement}");
            connection.execute("DROP TRIGGER chain_stays").await.unwrap();
            connection.execute("DROP TRIGGER chain_remains").await.unwrap();
            connection.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
            connection.close().await.unwrap();
        });
        if statement.contains("seq > 3") {
            // The store takes over what it lacks from the other copy when it is opened.
            ficus.run();
            ficus.ok(&["audit", "--verify"]);
            continue;
        }
        ficus.run();
        let output = ficus.cli(&["audit", "--verify"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(texts(&output).1.contains(expected), "{}", texts(&output).1);
    }
}

#[test]
fn an_audit_that_is_gone_is_written_again_from_the_store_and_that_is_said() {
    let mut ficus = busy();
    ficus.kill();
    let good = lines(&ficus);
    std::fs::remove_file(ficus.path("state/audit.jsonl")).unwrap();
    ficus.run();
    ficus.ok(&["audit", "--verify"]);
    assert_eq!(lines(&ficus), good);
    assert!(
        ficus.log().contains("audit.jsonl was gone and was written again from the store"),
        "{}",
        ficus.log()
    );
}

#[test]
fn an_end_that_was_cut_off_both_copies_is_missed() {
    let mut ficus = busy();
    ficus.kill();
    let good = lines(&ficus);
    std::fs::write(ficus.path("state/audit.jsonl"), good[..3].join("\n") + "\n").unwrap();
    for name in ["ficus.db", "ficus.db-wal", "ficus.db-shm"] {
        let _ = std::fs::remove_file(ficus.path("state").join(name));
    }
    ficus.run();
    let output = ficus.cli(&["audit", "--verify"]);
    let (_, said) = texts(&output);
    assert_eq!(output.status.code(), Some(1));
    let expected =
        "error: the audit is broken at record 4: revision 5 is running, and the last one on record is 3\n";
    assert_eq!(said, expected);
}

#[test]
fn the_digests_can_be_checked_without_ficus() {
    use sha2::{Digest, Sha256};
    let ficus = busy();
    let mut prev = "0".repeat(64);
    for (number, line) in lines(&ficus).iter().enumerate() {
        let link: serde_json::Value = serde_json::from_str(line).unwrap();
        let canonical = sorted(&link["record"]).to_string();
        let text = format!("{prev}\n{}\n{canonical}", number + 1);
        let digest: String =
            Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(link["digest"], digest);
        assert_eq!(link["prev"], prev);
        prev = digest;
    }
}

/// The same value with sorted keys.
fn sorted(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => {
            let sorted: std::collections::BTreeMap<_, _> =
                map.iter().map(|(key, value)| (key.clone(), sorted_value(value))).collect();
            sorted.into_iter().collect::<serde_json::Map<_, _>>().into()
        }
        serde_json::Value::Array(items) => items.iter().map(sorted_value).collect(),
        plain => plain.clone(),
    }
}

fn sorted_value(value: &serde_json::Value) -> serde_json::Value {
    sorted(value)
}
