//! A change that is sent twice: with the same `Idempotency-Key` it is made once and answered the same, also by a command line
//! that lost its connection.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use serde_json::json;

use crate::api::{JSON, bearer};
use crate::ficus::{Ficus, ROUTES, command, texts};

fn keyed(key: &str, more: &str) -> String {
    format!("idempotency-key: {key}\r\n{JSON}{more}")
}

fn flip(to: &str) -> String {
    json!({ "route": "customers.list", "to": to }).to_string()
}

#[test]
fn the_second_click_is_told_what_the_first_one_did() {
    let mut ficus = Ficus::start(ROUTES);
    let click = |ficus: &Ficus, body: &str| ficus.unix("POST", "/v1/flip", &keyed("\"a1\"", ""), body);
    let first = click(&ficus, &flip("rust"));
    assert_eq!((first.status, ficus.revision()), (200, 2), "{first:?}");
    assert!(!first.head.contains("idempotency-replayed"));
    ficus.ok(&["flip", "customers.detail", "rust"]);
    let second = click(&ficus, &flip("rust"));
    assert_eq!((second.status, &second.body), (200, &first.body));
    assert!(second.head.contains("idempotency-replayed: true"), "{second:?}");
    assert!(second.head.contains("content-type: application/json"), "{second:?}");
    assert_eq!(ficus.revision(), 3);
    let other = click(&ficus, &flip("legacy"));
    assert_eq!((other.status, other.code().as_str()), (422, "key_reused"), "{other:?}");
    assert!(other.is_problem());
    // What was refused is refused again, whatever happened since; what had no key is another request.
    let refused =
        |ficus: &Ficus| ficus.unix("POST", "/v1/flip", &keyed("b2", "if-match: \"1\"\r\n"), &flip("legacy"));
    assert_eq!(refused(&ficus).code(), "stale");
    assert_eq!(refused(&ficus).code(), "stale");
    assert_eq!(ficus.unix("POST", "/v1/flip", JSON, &flip("legacy")).status, 200);
    // The next process remembers.
    let revision = ficus.revision();
    ficus.kill();
    ficus.run();
    let late = click(&ficus, &flip("rust"));
    assert_eq!((late.status, &late.body), (200, &first.body));
    assert!(late.head.contains("idempotency-replayed: true"), "{late:?}");
    assert_eq!(click(&ficus, &flip("legacy")).code(), "key_reused");
    assert_eq!(refused(&ficus).code(), "stale");
    assert_eq!(ficus.revision(), revision);
}

/// Takes the answer out of the book of the request that came at one revision, as if its process had ended before; it came
/// at `at` then.
fn unanswered(ficus: &Ficus, revision: i64, at: i64) {
    use sqlx::Connection;
    let url = format!("sqlite:{}", ficus.path("state/answers.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut book = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let sql =
            "UPDATE answer SET status = NULL, kind = NULL, body = NULL, revision = ? WHERE revision = ?";
        let done = sqlx::query(sql).bind(at).bind(revision).execute(&mut book).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
        book.close().await.unwrap();
    });
}

#[test]
fn what_nobody_saw_the_end_of_is_not_made_twice_in_silence() {
    let mut ficus = Ficus::start(ROUTES);
    let ask =
        |ficus: &Ficus, path: &str, key: &str, body: &str| ficus.unix("POST", path, &keyed(key, ""), body);
    let rollback = json!({ "route": "customers.list" }).to_string();
    assert_eq!(ask(&ficus, "/v1/flip", "one", &flip("rust")).status, 200);
    assert_eq!(ask(&ficus, "/v1/rollback", "two", &rollback).status, 200);
    let resume = ask(&ficus, "/v1/resume", "three", &rollback);
    assert_eq!((resume.status, ficus.revision()), (200, 4), "{resume:?}");
    ficus.kill();
    unanswered(&ficus, 1, 1);
    unanswered(&ficus, 2, 2);
    // Nothing came of this one.
    unanswered(&ficus, 3, 4);
    ficus.run();
    let doubt = ask(&ficus, "/v1/flip", "one", &flip("rust"));
    assert_eq!((doubt.status, doubt.code().as_str()), (409, "in_doubt"), "{doubt:?}");
    assert_eq!((doubt.document()["revision"].as_u64(), ficus.revision()), (Some(2), 4));
    let made = ask(&ficus, "/v1/resume", "three", &rollback);
    assert!(!made.head.contains("idempotency-replayed") && made.code() != "in_doubt", "{made:?}");
    // A rollback does no harm twice.
    let back = ask(&ficus, "/v1/rollback", "two", &rollback);
    assert_eq!((back.status, ficus.answered_by("/customers/").as_str()), (200, "legacy"), "{back:?}");
}

#[test]
fn a_key_belongs_to_whoever_sent_it_and_has_a_form() {
    let mut ficus = Ficus::with_api();
    let [ana, bea] = ["ana", "bea"].map(|name| bearer(&ficus.token(&["--name", name, "--role", "operator"])));
    let with = |token: &str, key: &str| format!("idempotency-key: {key}\r\n{token}");
    ficus.ok(&["flip", "customers.list", "rust"]);
    let undo = |token: &str| ficus.tcp("POST", "/v1/undo", &with(token, "\"one\""), "{}");
    let (first, again, hers) = (undo(&ana), undo(&ana), undo(&bea));
    assert_eq!((first.status, again.status, hers.status), (200, 200, 200), "{first:?} {again:?} {hers:?}");
    assert_eq!(first.body, again.body);
    // The undo of the undo.
    assert_eq!((ficus.revision(), ficus.answered_by("/customers/").as_str()), (4, "rust"));
    for wrong in ["\"\"", "a b", &"x".repeat(300)] {
        let answer = ficus.tcp("POST", "/v1/undo", &with(&ana, wrong), "{}");
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{wrong}");
    }
    // Each token that is made with a key of its own is shown again to whoever made it, and never written down.
    let admin = bearer(&ficus.token(&["--name", "root", "--role", "admin"]));
    let new = json!({ "name": "c", "role": "viewer", "lasts": "1h" }).to_string();
    let made = ficus.tcp("POST", "/v1/tokens", &with(&admin, "t"), &new);
    assert_eq!(made.body, ficus.tcp("POST", "/v1/tokens", &with(&admin, "t"), &new).body);
    let secret = made.document()["secret"].as_str().unwrap().to_owned();
    for entry in std::fs::read_dir(ficus.path("state")).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains(&secret), "{}", entry.path().display());
    }
    // So the next process cannot show it.
    ficus.kill();
    ficus.run();
    let late = ficus.tcp("POST", "/v1/tokens", &with(&admin, "t"), &new);
    assert_eq!((late.status, late.code().as_str()), (409, "answer_not_kept"), "{late:?}");
    assert_eq!(ficus.json(&["token", "list"])["tokens"].as_array().unwrap().len(), 4);
}

/// A way to the admin socket on which the first answers to changes get lost; what it carried.
fn lossy(ficus: &Ficus, lose: usize) -> (PathBuf, std::thread::JoinHandle<Vec<String>>) {
    let (path, target) = (ficus.path("lossy.sock"), ficus.path("state/admin.sock"));
    let listener = UnixListener::bind(&path).unwrap();
    let carry = std::thread::spawn(move || {
        let mut seen = Vec::new();
        while seen.len() <= lose {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            while !whole(&request) {
                let read = client.read(&mut piece).unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&request));
                request.extend_from_slice(&piece[..read]);
            }
            let mut server = UnixStream::connect(&target).unwrap();
            server.write_all(&request).unwrap();
            let mut answer = Vec::new();
            server.read_to_end(&mut answer).unwrap();
            seen.push(String::from_utf8(request).unwrap());
            if seen.len() > lose {
                client.write_all(&answer).unwrap();
            }
        }
        seen
    });
    (path, carry)
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.to_ascii_lowercase().lines().find_map(|line| {
        line.strip_prefix("content-length:").and_then(|length| length.trim().parse::<usize>().ok())
    });
    body.len() >= length.unwrap_or_default()
}

#[test]
fn a_command_that_loses_its_connection_asks_again_and_changes_once() {
    let ficus = Ficus::start(ROUTES);
    let (socket, carry) = lossy(&ficus, 2);
    let mut command = command(ficus.directory.path());
    command.args(["--socket", socket.to_str().unwrap(), "flip", "customers.list", "rust", "--yes", "--json"]);
    let output = command.output().unwrap();
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{out}{err}");
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((answer["revision"].as_u64(), ficus.revision()), (Some(2), 2));
    assert_eq!(answer["changes"][0]["after"], "rust");
    let seen = carry.join().unwrap();
    let key = |request: &String| {
        let lines = request.lines().map(str::to_ascii_lowercase);
        lines.filter(|line| line.starts_with("idempotency-key:")).collect::<Vec<_>>()
    };
    assert_eq!(seen.len(), 3);
    assert!(key(&seen[0]).len() == 1 && seen.iter().all(|request| key(request) == key(&seen[0])), "{seen:?}");
}
