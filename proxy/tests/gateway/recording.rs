//! `ficus record`: users' traffic as sessions that can be replayed, bounded, masked, and never at a user's cost.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::backend::{Backend, Then};
use crate::evidence::{cli, document};
use crate::ficus::{Ficus, Setup, eventually};

const KEY: &str = "a-secret-key-of-these-tests";

/// Gives everybody without a cookie one, and with every answer another one, as Flask does.
fn visited() -> Backend {
    let next = AtomicU32::new(0);
    Backend::tcp(move |exchange| {
        let brought = exchange
            .head
            .lines()
            .find_map(|line| line.split_once("ookie: session="))
            .map(|(_, v)| v.to_owned());
        let cookie = match brought {
            Some(old) => format!("{old}x"),
            None => format!("Zimmermann{}", next.fetch_add(1, Ordering::Relaxed)),
        };
        let headers = format!("Content-Type: text/html\r\nSet-Cookie: session={cookie}; Path=/\r\n");
        exchange.answer("200 OK", &headers, "<p title='Zimmermann'>Zimmermann</p>");
        Then::Keep
    })
}

fn start(legacy: &Backend) -> Ficus {
    Setup::new(legacy).route("").set("flask.secret_key", KEY).start()
}

/// One request of somebody with this cookie; their next one.
fn ask(ficus: &Ficus, method: &str, target: &str, cookie: &str) -> String {
    let headers = if cookie.is_empty() { String::new() } else { format!("Cookie: session={cookie}\r\n") };
    let (form, body) = match method {
        "POST" => ("Content-Type: application/x-www-form-urlencoded\r\n", "name=Zimmermann&page=2"),
        _ => ("", ""),
    };
    let answer = ficus.connect().request(method, target, &format!("{headers}{form}"), body);
    assert_eq!(answer.status, 200, "{target}");
    let set = answer.all("set-cookie")[0].to_owned();
    set.trim_start_matches("session=").split(';').next().unwrap().to_owned()
}

fn status(ficus: &Ficus) -> Value {
    document(ficus, &["record", "status"])["recording"].clone()
}

fn folder(recording: &Value) -> PathBuf {
    recording["folder"].as_str().unwrap().into()
}

fn replay(ficus: &Ficus, recording: &Value, legacy: &Backend) -> Value {
    let folder = folder(recording);
    let (folder, url) = (folder.to_str().unwrap(), legacy.url());
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ficus"));
    command.args(["replay", folder, "--against", &url, "--json"]).env("FICUS_FLASK_SECRET_KEY", KEY);
    let output = command.current_dir(ficus.file("")).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn nothing_is_recorded_unless_somebody_asks_for_it() {
    let legacy = visited();
    let ficus = start(&legacy);
    ask(&ficus, "GET", "/items/1", "");
    assert_eq!(status(&ficus), Value::Null);
    assert!(!ficus.file("state/recordings").exists());
    assert_eq!(ficus.metric("ficus_recording"), 0);
    let shown = cli(&ficus, &["record", "stop"]);
    assert!(String::from_utf8_lossy(&shown.stderr).contains("nothing is recorded"), "{shown:?}");
    let shown = cli(&ficus, &["record", "start", "items"]);
    assert!(String::from_utf8_lossy(&shown.stderr).contains("`items` means no route"), "{shown:?}");
}

#[test]
fn visitors_become_sessions_that_can_be_replayed_and_nobody_is_in_them() {
    let legacy = visited();
    let ficus = start(&legacy);
    let begun = document(&ficus, &["record", "start", "item", "--reason", "trial"]);
    assert_eq!(begun["undo"], "ficus record stop");
    assert_eq!(ficus.metric("ficus_recording"), 1);
    // Two people, turn by turn, and what matches no route.
    let (mut one, mut other) = (String::new(), String::new());
    for turn in 0..4 {
        let method = if turn == 2 { "POST" } else { "GET" };
        one = ask(&ficus, method, &format!("/items/{turn}?q=Zimmermann"), &one);
        other = ask(&ficus, "GET", &format!("/items/1{turn}"), &other);
    }
    ficus.connect().get("/elsewhere");
    eventually("everything is written", || status(&ficus)["requests"] == 8);
    let shown = String::from_utf8(cli(&ficus, &["record", "status"]).stdout).unwrap();
    assert!(
        shown.contains("recorded  8 requests of 2 visitors") && shown.contains("`ficus record stop`"),
        "{shown}"
    );
    assert!(ficus.status().contains("recording 8 requests so far"), "{}", ficus.status());
    let ended = document(&ficus, &["record", "stop"])["recording"].clone();
    assert_eq!((&ended["on"], &ended["sessions"]), (&false.into(), &2.into()), "{ended:#}");
    for entry in std::fs::read_dir(folder(&ended)).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("Zimmermann") && !text.contains(KEY), "{}:\n{text}", path.display());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let found = replay(&ficus, &ended, &legacy);
    assert_eq!(found["routes"]["item"]["agree"], 8, "{found:#}");
    assert_eq!(ficus.metric("ficus_recorded_requests_total{route=\"item\",result=\"recorded\"}"), 8);
    let history = document(&ficus, &["history"]);
    let actions: Vec<&str> = history["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|change| change["action"].as_str())
        .collect();
    assert_eq!(actions[..2], ["record", "record"], "{history:#}");
    assert!(cli(&ficus, &["audit", "--verify"]).status.success());
}

#[test]
fn it_ends_by_itself() {
    let legacy = visited();
    let ficus = start(&legacy);
    document(&ficus, &["record", "start", "*", "--limit", "3"]);
    let again = cli(&ficus, &["record", "start", "*"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("goes on already"), "{again:?}");
    let mut cookie = String::new();
    for number in 0..9 {
        cookie = ask(&ficus, "GET", &format!("/items/{number}"), &cookie);
    }
    eventually("the end by number", || status(&ficus)["on"] == false);
    let ended = status(&ficus);
    assert_eq!(ended["requests"], 3);
    assert!(ended["ended"]["why"].as_str().unwrap().contains("3 requests"), "{ended:#}");
    document(&ficus, &["record", "start", "*", "--for", "200ms"]);
    eventually("the end by time", || status(&ficus)["on"] == false);
    assert!(status(&ficus)["ended"]["why"].as_str().unwrap().contains("its time is over"));
    assert_eq!(ficus.metric("ficus_recording"), 0);
}

#[test]
fn what_is_not_recorded_is_counted_by_reason() {
    let legacy = Backend::tcp(|exchange| {
        let (kind, body) = match exchange.head.split(' ').nth(1).unwrap() {
            "/items/1" => ("text/event-stream", "data: a\n\n".to_owned()),
            "/items/2" => ("text/plain", "x".repeat(70_000)),
            _ => ("text/plain", "good".to_owned()),
        };
        exchange.answer("200 OK", &format!("Content-Type: {kind}\r\n"), &body);
        Then::Keep
    });
    let ficus =
        Setup::new(&legacy).route("").set("flask.secret_key", KEY).set("shadow.body_bytes", "64KiB").start();
    document(&ficus, &["record", "start", "item"]);
    for target in ["/items/1", "/items/2", "/items/3"] {
        assert_eq!(ficus.connect().get(target).status, 200);
    }
    let upload = ficus.connect().request(
        "POST",
        "/items/4",
        "Content-Type: multipart/form-data; boundary=x\r\n",
        "--x--",
    );
    assert_eq!(upload.status, 200);
    eventually("all are counted", || {
        let now = status(&ficus);
        let dropped = now["dropped"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>();
        dropped + now["requests"].as_u64().unwrap() == 4
    });
    let dropped = serde_json::json!({ "body_kind": 1, "body_too_large": 1, "streaming": 1 });
    assert_eq!(status(&ficus)["dropped"], dropped);
    assert_eq!(ficus.metric("ficus_recorded_requests_total{route=\"item\",result=\"streaming\"}"), 1);
}

#[test]
fn a_disk_that_is_full_ends_it_loudly_and_users_notice_nothing() {
    let legacy = Backend::tcp(|exchange| {
        exchange.answer(
            "200 OK",
            "Content-Type: text/plain\r\nSet-Cookie: session=a\r\n",
            &"12 ".repeat(10_000),
        );
        Then::Keep
    });
    // No file may be larger than 200 KiB: the sixth or seventh entry does not fit.
    let launch = "ulimit -f 200; exec \"$0\" \"$@\"";
    let ficus = Setup::new(&legacy)
        .route("")
        .set("flask.secret_key", KEY)
        .launched_by(&["bash", "-c", launch])
        .start();
    document(&ficus, &["record", "start", "item"]);
    let mut client = ficus.connect();
    for number in 0..30 {
        let answer = client.request("GET", &format!("/items/{number}"), "Cookie: session=a\r\n", "");
        assert_eq!(answer.status, 200);
    }
    ficus.wait_for("a recording has ended");
    eventually("the end", || status(&ficus)["on"] == false);
    let ended = status(&ficus);
    assert!(ended["ended"]["why"].as_str().unwrap().contains("the disk refuses"), "{ended:#}");
    assert!(ficus.said().contains("ERROR"), "{}", ficus.said());
    let written = ended["requests"].as_u64().unwrap();
    assert!((1..30).contains(&written), "{ended:#}");
    // No half of an entry.
    let found = replay(&ficus, &ended, &legacy);
    assert_eq!(found["routes"]["item"]["agree"], written, "{found:#}");
    assert_eq!(client.get("/items/99").status, 200);
}

#[test]
fn a_restart_ends_it_and_says_so() {
    let legacy = visited();
    let mut ficus = start(&legacy);
    document(&ficus, &["record", "start", "item"]);
    ask(&ficus, "GET", "/items/1", "");
    eventually("it is written", || status(&ficus)["requests"] == 1);
    let folder = folder(&status(&ficus));
    ficus.signal("TERM");
    assert!(ficus.ended().success());
    let manifest = || -> Value {
        serde_json::from_str(&std::fs::read_to_string(folder.join("recording.json")).unwrap()).unwrap()
    };
    assert_eq!(manifest()["ended"]["why"], "ficus was stopped");
    // As a process leaves it that was killed.
    let mut unfinished = manifest();
    unfinished["ended"] = Value::Null;
    unfinished["requests"] = 0.into();
    std::fs::write(folder.join("recording.json"), unfinished.to_string()).unwrap();
    let url = format!("sqlite:{}", ficus.file("state/ficus.db").display());
    let third = Setup::new(&legacy).route("").set("flask.secret_key", KEY).set("store.url", &url).start();
    third.wait_for("a recording has ended");
    assert!(manifest()["ended"]["why"].as_str().unwrap().contains("ficus was restarted"), "{:#}", manifest());
    assert_eq!(manifest()["requests"], 1);
    let shown = status(&third);
    assert_eq!(shown["on"], false, "{shown:#}");
}

#[test]
fn without_a_secret_key_nothing_is_recorded_and_nothing_written() {
    let legacy = visited();
    let ficus = Setup::new(&legacy).route("").start();
    let refused = cli(&ficus, &["record", "start", "item"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("`flask.secret_key` is not set"),
        "{refused:?}"
    );
    std::fs::write(ficus.file("a.http"), "### a\nGET /items/1\n").unwrap();
    let refused = cli(&ficus, &["replay", "a.http", "--against", &legacy.url(), "--write", "corpus"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("`flask.secret_key` is not set"),
        "{refused:?}"
    );
    assert!(!ficus.file("corpus").exists());
}
