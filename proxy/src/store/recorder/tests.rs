//! The recorder with its thread, its files and a database on disk.

use super::*;
use crate::store::{Action, RouteChange};

pub(in crate::store) fn record(revision: u64) -> Record {
    Record {
        revision,
        at: chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        author: "ana".to_owned(),
        reason: Some("CRM-812".to_owned()),
        action: Action::Flip,
        changes: vec![RouteChange {
            route: "customers.list".to_owned(),
            before: "legacy".to_owned(),
            after: "rust".to_owned(),
        }],
        hash: format!("abc{revision}"),
        text: Some(format!("version = 1\n# {revision}\n")),
        undoes: None,
        node: None,
        cut_off: false,
        pins: serde_json::Value::Null,
    }
}

fn store(recorder: &Recorder, revision: u64) {
    recorder.intend(&record(revision)).unwrap();
    recorder.confirm(record(revision));
}

#[test]
fn what_was_recorded_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
    let recorder = Recorder::start(&url, directory.path()).unwrap();
    assert_eq!(recorder.latest(), None);
    store(&recorder, 1);
    store(&recorder, 2);
    drop(recorder);
    let recorder = Recorder::start(&url, directory.path()).unwrap();
    assert_eq!(recorder.latest(), Some(2));
    let revisions: Vec<u64> = recorder.history(None, 10).iter().map(|record| record.revision).collect();
    assert_eq!(revisions, [2, 1]);
    assert_eq!(recorder.history(Some("customers.list"), 1).len(), 1);
    assert!(recorder.history(Some("other"), 10).is_empty());
    assert!(recorder.left_over().is_empty());
    assert!(recorder.health().up);
}

#[test]
fn without_a_database_records_wait_in_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let in_the_way = directory.path().join("file");
    std::fs::write(&in_the_way, "not a directory").unwrap();
    let url = format!("sqlite:{}", in_the_way.join("ficus.db").display());
    let recorder = Recorder::start(&url, directory.path()).unwrap();
    store(&recorder, 7);
    assert_eq!(recorder.history(None, 10).len(), 1);
    let health = recorder.health();
    assert_eq!((health.up, health.pending), (false, 1));
    drop(recorder);
    std::fs::remove_file(&in_the_way).unwrap();
    let recorder = Recorder::start(&url, directory.path()).unwrap();
    for left in recorder.left_over() {
        recorder.confirm_again(left);
    }
    assert_eq!(recorder.latest(), Some(7));
    assert!(recorder.left_over().is_empty());
}

#[test]
fn a_pause_leaves_the_journal_to_somebody_else() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
    let old = Recorder::start(&url, directory.path()).unwrap();
    store(&old, 1);
    let paused = old.pause();
    assert!(old.left_over().is_empty(), "all of it is stored");
    // What is confirmed during the pause is written by whoever goes on.
    store(&old, 2);
    let new = Recorder::start(&url, directory.path()).unwrap();
    assert_eq!(new.left_over(), [record(2)]);
    assert_eq!(new.latest(), Some(1));
    drop(new);
    paused.resume();
    assert_eq!(old.latest(), Some(2));
    drop(old.pause());
    store(&old, 3);
    drop(old);
    let last = Recorder::start(&url, directory.path()).unwrap();
    assert_eq!((last.latest(), last.left_over()), (Some(2), vec![record(3)]));
}

#[test]
fn a_withdrawn_record_never_happened() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
    let recorder = Recorder::start(&url, directory.path()).unwrap();
    recorder.intend(&record(3)).unwrap();
    recorder.withdraw(&record(3));
    assert!(recorder.left_over().is_empty());
    assert_eq!(recorder.latest(), None);
}

#[test]
fn the_texts_around_a_revision_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
    let recorder = Recorder::start(&url, directory.path()).unwrap();
    store(&recorder, 1);
    store(&recorder, 2);
    let texts = recorder.texts(2).unwrap();
    assert_eq!(texts.before.as_deref(), Some("version = 1\n# 1\n"));
    assert_eq!(texts.after.as_deref(), Some("version = 1\n# 2\n"));
    assert_eq!(recorder.texts(1).unwrap().before, None);
    assert_eq!(recorder.texts(3), None);
    assert_eq!(recorder.last().unwrap().revision, 2);
}

#[test]
fn both_copies_of_the_audit_are_checked_against_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
    let recorder = Recorder::start(&url, directory.path()).unwrap();
    (1..=4).for_each(|revision| store(&recorder, revision));
    let audit = recorder.audit(10).unwrap();
    assert_eq!((audit.records, audit.broken), (4, None));
    let path = directory.path().join("audit.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let short: Vec<&str> = text.lines().take(3).collect();
    std::fs::write(&path, short.join("\n") + "\n").unwrap();
    let broken = recorder.audit(10).unwrap().broken.unwrap();
    assert_eq!(broken.seq, 4, "{}", broken.why);
    std::fs::write(&path, text).unwrap();
    assert_eq!(recorder.audit(10).unwrap().broken, None);
}

#[test]
fn a_lost_database_is_filled_again_from_the_audit() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
    let recorder = Recorder::start(&url, directory.path()).unwrap();
    (1..=3).for_each(|revision| store(&recorder, revision));
    assert_eq!(recorder.latest(), Some(3));
    drop(recorder);
    for name in ["ficus.db", "ficus.db-wal", "ficus.db-shm"] {
        let _ = std::fs::remove_file(directory.path().join(name));
    }
    let recorder = Recorder::start(&url, directory.path()).unwrap();
    assert_eq!(recorder.latest(), Some(3));
    assert_eq!(recorder.history(None, 10).len(), 3);
    let audit = recorder.audit(10).unwrap();
    assert_eq!((audit.records, audit.broken), (3, None));
}

/// Tables and rows as ficus wrote them before the audit was a chain.
const OLD_STORE: &str = "
    CREATE TABLE revision (id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL, made_at TEXT NOT NULL,
        author TEXT NOT NULL, reason TEXT, action TEXT NOT NULL, hash TEXT NOT NULL, UNIQUE (number, made_at));
    CREATE TABLE routing_file (hash TEXT PRIMARY KEY, text TEXT NOT NULL);
    CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, revision INTEGER NOT NULL REFERENCES revision (id),
        route TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL);
    INSERT INTO revision (number, made_at, author, reason, action, hash) VALUES
        (1, '2026-11-20T10:00:00.123456789+00:00', 'file', NULL, 'file', 'aaaa'),
        (2, '2026-11-20T10:05:00.000000001+00:00', 'ana', 'CRM-812', 'flip', 'bbbb');
    INSERT INTO routing_file VALUES ('aaaa', 'version = 1'), ('bbbb', 'version = 1 # 2');
    INSERT INTO audit (revision, route, before, after) VALUES (2, 'customers.list', 'legacy', 'rust');";

#[test]
fn a_store_from_before_the_chain_is_taken_over() {
    use sqlx::{Connection, Executor};
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut old = sqlx::SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
        old.execute(OLD_STORE).await.unwrap();
        old.close().await.unwrap();
    });
    for _ in 0..2 {
        let recorder = Recorder::start(&url, directory.path()).unwrap();
        assert_eq!(recorder.latest(), Some(2));
        let audit = recorder.audit(10).unwrap();
        assert_eq!((audit.records, audit.broken), (2, None));
        assert_eq!(audit.links[0].record["reason"], "CRM-812");
        assert_eq!(recorder.texts(2).unwrap().before.as_deref(), Some("version = 1"));
    }
    let recorder = Recorder::start(&url, directory.path()).unwrap();
    store(&recorder, 3);
    let audit = recorder.audit(10).unwrap();
    assert_eq!((audit.records, audit.broken), (3, None));
    drop(recorder);
    // Somebody goes back to the older ficus for one change.
    runtime.block_on(async {
        let mut old = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let row = "INSERT INTO revision (number, made_at, author, action, hash)
            VALUES (4, '2026-11-25T10:05:00+00:00', 'ana', 'flip', 'cccc')";
        old.execute(row).await.unwrap();
        old.close().await.unwrap();
    });
    let recorder = Recorder::start(&url, directory.path()).unwrap();
    assert_eq!(recorder.latest(), Some(4));
    let audit = recorder.audit(10).unwrap();
    assert_eq!((audit.records, audit.broken), (4, None));
}

#[test]
fn a_store_of_a_newer_ficus_is_left_alone() {
    use sqlx::{Connection, Executor};
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("ficus.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut new = sqlx::SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
        new.execute("PRAGMA user_version = 99").await.unwrap();
        new.close().await.unwrap();
    });
    let recorder = Recorder::start(&url, directory.path()).unwrap();
    assert_eq!(recorder.latest(), None);
    let error = recorder.health().error.unwrap();
    assert!(error.contains("written by a newer ficus"), "{error}");
}
