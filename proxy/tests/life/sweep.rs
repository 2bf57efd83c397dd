//! Secrets and personal data are planted in settings, environment, cookies, requests, answers, copies and tokens; every
//! command is run; then every file, table, log and archive that ficus wrote is searched for each of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::backend::{Backend, Then};
use crate::ficus::{Ficus, Setup, eventually};

/// Planted; no part of them may be found anywhere.
const PLANTED: &[&str] = &[
    "flask-key-Zk3vQ9",
    "canary-key-Zk3vQ9",
    "otel-header-Zk3vQ9",
    "session-cookie-Zk3vQ9",
    "remember-me-Zk3vQ9",
    "bearer-Zk3vQ9",
    "csrf-Zk3vQ9",
    "hunter2-Zk3vQ9",
    "query-Zk3vQ9",
    "referer-Zk3vQ9",
    "agent-Zk3vQ9",
    "zoe.zimmermann@example.org",
    "Zimmermann-Zk3vQ9",
    "DE89370400440532013000",
    "+49 170 5550123",
    "203.0.113.77",
    "other-name-Zk3vQ9",
    "traceback-Zk3vQ9",
    "wrong-token-Zk3vQ9",
    "stray-Zk3vQ9",
];

const HEADERS: &str = "Cookie: session=session-cookie-Zk3vQ9; remember_token=7|remember-me-Zk3vQ9\r\n\
    Authorization: Bearer bearer-Zk3vQ9\r\n\
    X-CSRFToken: csrf-Zk3vQ9\r\n\
    Referer: http://crm.example/?q=referer-Zk3vQ9\r\n\
    User-Agent: agent-Zk3vQ9\r\n\
    X-Forwarded-For: 203.0.113.77\r\n\
    Content-Type: application/x-www-form-urlencoded\r\n";
const FORM: &str = "email=zoe.zimmermann@example.org&password=hunter2-Zk3vQ9&csrf_token=csrf-Zk3vQ9";

/// A backend that tells everything about somebody, in the form that is asked for; `name` is where sides differ.
fn talkative(name: &'static str) -> Backend {
    Backend::tcp(move |exchange| {
        let path = exchange.head.split(' ').nth(1).unwrap_or_default().to_owned();
        let cookie = "Set-Cookie: session=session-cookie-Zk3vQ9; Path=/\r\n";
        let (kind, body) = match path.split('?').next().unwrap_or_default() {
            "/items/1" => (
                "application/json",
                format!(
                    "{{\"name\":\"{name}\",\"mail\":\"zoe.zimmermann@example.org\",\"iban\":[\"DE89370400440532013000\",\
                     \"{name}\"],\"phone\":\"+49 170 5550123\"}}"
                ),
            ),
            "/items/2" => (
                "text/html",
                format!("<p title='zoe.zimmermann@example.org'>{name}</p><input value='csrf-Zk3vQ9'>"),
            ),
            _ => ("text/plain", format!("+49 170 5550123 {name} traceback-Zk3vQ9")),
        };
        exchange.answer("200 OK", &format!("Content-Type: {kind}\r\n{cookie}"), &body);
        Then::Keep
    })
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[track_caller]
fn is_clean(what: &str, bytes: &[u8], secrets: &[String]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in secrets {
        if let Some(at) = text.find(secret.as_str()) {
            let start = text[..at].char_indices().rev().nth(200).map_or(0, |(index, _)| index);
            panic!("`{secret}` is in {what}: …{}", &text[start..at]);
        }
    }
}

fn traffic(ficus: &Ficus) {
    for (method, target) in [
        ("GET", "/items/1?q=query-Zk3vQ9"),
        ("GET", "/items/2?q=query-Zk3vQ9"),
        ("GET", "/items/3?mail=zoe.zimmermann@example.org"),
        ("POST", "/items/4?q=query-Zk3vQ9"),
        ("GET", "/elsewhere?q=query-Zk3vQ9"),
    ] {
        let body = if method == "POST" { FORM } else { "" };
        assert_eq!(ficus.connect().request(method, target, HEADERS, body).status, 200, "{target}");
    }
}

/// Every command, as far as it can be run here; what they print may not hold anything either.
fn commands(ficus: &Ficus, secrets: &[String]) {
    let archive = ficus.file("bundle.tar.gz");
    let archive = archive.to_str().unwrap();
    for line in [
        "status",
        "status --json",
        "routes",
        "explain GET /items/1 --user 7",
        "diffs",
        "diffs item",
        "shadow item",
        "history --diff",
        "canary item 5% --reason trial",
        "flip item rust",
        "rollback item",
        "hold item --for 1h",
        "resume item",
        "undo",
        "diff",
        "audit --verify",
        "audit --json",
        "incident",
        "reload",
        "token list",
        "token log",
        "certificate item",
        "noise item",
        "tester-token item",
        "watch -n 2",
        "record status",
        "record stop",
    ] {
        let output = ficus.cli(&line.split(' ').collect::<Vec<_>>());
        // A tester's token is there to be printed.
        is_clean(line, &output.stdout, secrets);
        is_clean(line, &output.stderr, secrets);
    }
    let capsule = ficus.cli(&["capsule", "1", "--output", ficus.file("capsule-1").to_str().unwrap()]);
    assert!(capsule.status.success(), "{}", String::from_utf8_lossy(&capsule.stderr));
    let output = Command::new(env!("CARGO_BIN_EXE_ficus"))
        .args(["support-bundle", "--output", archive, "--config"])
        .arg(ficus.file("ficus.toml"))
        .env("FICUS_LOG_ACCESS", ficus.file("access.log"))
        .env("FICUS_LISTEN_ADMIN_SOCKET", ficus.file("state/admin.sock"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Unpacks the archive and says what is in it.
fn unpacked(ficus: &Ficus) -> Vec<PathBuf> {
    let directory = ficus.file("unpacked");
    std::fs::create_dir(&directory).unwrap();
    let status = Command::new("tar")
        .arg("xzf")
        .arg(ficus.file("bundle.tar.gz"))
        .arg("-C")
        .arg(&directory)
        .status()
        .unwrap();
    assert!(status.success());
    files(&directory)
}

#[track_caller]
fn archive_is_clean(ficus: &Ficus, secrets: &[String]) {
    for path in unpacked(ficus) {
        let bytes = std::fs::read(&path).unwrap();
        is_clean(&path.display().to_string(), &bytes, secrets);
        let is_file = path.ends_with("routes.toml") || path.ends_with("README.txt");
        assert!(is_file || !String::from_utf8_lossy(&bytes).contains("/items/1"), "{}", path.display());
    }
    let names: Vec<String> = unpacked_names(ficus);
    for name in
        ["README.txt", "access.log", "audit.json", "ficus.toml", "history.json", "metrics.txt", "status.json"]
    {
        assert!(names.contains(&name.to_owned()), "{name} is not in the archive: {names:?}");
    }
}

#[test]
fn nothing_that_was_planted_is_in_any_file_log_table_or_archive() {
    let (legacy, rust) = (talkative("Zimmermann-Zk3vQ9"), talkative("other-name-Zk3vQ9"));
    let mut ficus = Setup::new(&legacy)
        .route("shadow = { sample = 1.0 }\n")
        .rust_at(&rust.url())
        .set("flask.secret_key", "flask-key-Zk3vQ9")
        .set("canary.secret_key", "canary-key-Zk3vQ9")
        .set("admin.api", "true")
        .set("admin.hosts", "admin")
        .set("log.level", "trace")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=otel-header-Zk3vQ9")
        .start();
    let mut secrets: Vec<String> = PLANTED.iter().map(|text| (*text).to_owned()).collect();
    for (name, role) in [("desk", "operator"), ("gone", "admin")] {
        let made = ficus.cli(&["token", "create", "--name", name, "--role", role]);
        let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        assert!(token.starts_with("ficus_"), "{}", String::from_utf8_lossy(&made.stderr));
        // Its id is no secret.
        secrets.push(token.rsplit('_').next().unwrap().to_owned());
        let (status, _) = ficus.ask("/v1/status", &format!("Authorization: Bearer {token}\r\n"));
        assert_eq!(status, 200);
    }
    ficus.cli(&["token", "revoke", "gone"]);
    ficus.ask("/v1/status", "Authorization: Bearer wrong-token-Zk3vQ9\r\nHost: stray-Zk3vQ9\r\n");
    ficus.ask("/v1/stray-Zk3vQ9?q=query-Zk3vQ9", "");
    let begun = ficus.cli(&["record", "start", "*", "--reason", "sweep"]);
    assert!(begun.status.success(), "{}", String::from_utf8_lossy(&begun.stderr));
    traffic(&ficus);
    eventually("the recording", || {
        let shown = String::from_utf8(ficus.cli(&["record", "status"]).stdout).unwrap();
        shown.contains("recorded  4 requests")
    });
    eventually("the copies to be compared", || {
        let metrics = ficus.metrics();
        let results = metrics.lines().filter(|line| line.starts_with("ficus_shadow_compared_total{"));
        results.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>() >= 3
    });
    commands(&ficus, &secrets);
    is_clean("the metrics", ficus.metrics().as_bytes(), &secrets);
    archive_is_clean(&ficus, &secrets);
    ficus.signal("TERM");
    assert!(ficus.ended().success());
    ficus.wait_for("ficus: stopped");
    is_clean("the log", ficus.said().as_bytes(), &secrets);
    let written = files(ficus.file("state").parent().unwrap());
    for made in ["recordings", "capsule-1/exchange.http"] {
        let there = |path: &PathBuf| path.to_str().is_some_and(|path| path.contains(made));
        assert!(written.iter().any(there), "{made}: {written:?}");
    }
    assert!(written.iter().any(|path| path.ends_with("ficus.db")), "{written:?}");
    for path in written {
        is_clean(&path.display().to_string(), &std::fs::read(&path).unwrap(), &secrets);
    }
}

fn unpacked_names(ficus: &Ficus) -> Vec<String> {
    let names = files(&ficus.file("unpacked")).into_iter();
    names.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
}
