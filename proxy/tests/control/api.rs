//! The admin API itself: what it refuses and how, revisions as ETags, its description, the command line over TCP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ficus::admin::ENDPOINTS;
use serde_json::{Value, json};

use crate::ficus::{Ficus, ROUTES, command, texts};
use crate::schema;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// The stable word of a problem; empty if it is none.
    pub(crate) fn code(&self) -> String {
        let document: Value = serde_json::from_str(&self.body).unwrap_or_default();
        document["code"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub(crate) fn is_problem(&self) -> bool {
        self.head.contains("content-type: application/problem+json") && !self.code().is_empty()
    }
}

fn ask(mut stream: impl Read + Write, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let host = if headers.lines().any(|line| line.starts_with("host:")) { "" } else { "host: localhost\r\n" };
    // Whoever refuses early may not read everything.
    let _ = write!(
        stream,
        "{method} {path} HTTP/1.1\r\n{host}connection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
        let text = String::from_utf8_lossy(&bytes);
        if text.split_once("\r\n\r\n").is_some_and(|(head, _)| head.contains("text/event-stream")) {
            break;
        }
    }
    Answer::of(&String::from_utf8_lossy(&bytes))
}

pub(crate) const JSON: &str = "content-type: application/json\r\n";

impl Ficus {
    /// One that offers its API over TCP.
    pub(crate) fn with_api() -> Self {
        let ficus = Self::prepare();
        std::fs::write(ficus.routes(), ROUTES).unwrap();
        ficus.configure("[admin]\napi = true\n");
        ficus.started()
    }

    /// Asks over TCP.
    pub(crate) fn tcp(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let stream = TcpStream::connect(("127.0.0.1", self.admin_port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        ask(stream, method, path, headers, body)
    }

    /// Asks over the socket.
    pub(crate) fn unix(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let stream = UnixStream::connect(self.path("state/admin.sock")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        ask(stream, method, path, headers, body)
    }

    /// A new token.
    pub(crate) fn token(&self, flags: &[&str]) -> String {
        self.ok(&[&["token", "create"], flags].concat()).trim().to_owned()
    }
}

pub(crate) fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n{JSON}")
}

#[test]
fn nothing_but_health_and_metrics_is_offered_over_tcp_unless_the_settings_say_so() {
    let ficus = Ficus::start(ROUTES);
    let token = ficus.token(&["--name", "a", "--role", "admin"]);
    let refused = ficus.tcp("GET", "/v1/status", &bearer(&token), "");
    assert_eq!((refused.status, refused.code().as_str()), (404, "not_found"));
    assert_eq!(ficus.tcp("GET", "/livez", "", "").status, 200);
}

#[test]
fn every_refusal_is_a_problem() {
    let ficus = Ficus::with_api();
    let token = bearer(&ficus.token(&["--name", "a", "--role", "admin"]));
    let large = "x".repeat(4 * 1024 * 1024 + 1);
    let plain = token.replace("application/json", "text/plain");
    for (method, path, headers, body, status, code) in [
        ("GET", "/v1/nothing", &token, "", 404, "not_found"),
        ("GET", "/", &token, "", 404, "not_found"),
        ("GET", "/v1/flip", &token, "", 405, "wrong_method"),
        ("PUT", "/v1/status", &token, "", 405, "wrong_method"),
        ("POST", "/v1/flip", &plain, "{}", 415, "not_json"),
        ("POST", "/v1/flip", &token, "{", 400, "bad_request"),
        ("POST", "/v1/flip", &token, "{}", 422, "bad_request"),
        ("POST", "/v1/apply", &token, &large, 413, "too_large"),
        ("GET", "/v1/incidents/x", &token, "", 400, "bad_request"),
        ("GET", "/v1/incidents/7", &token, "", 404, "no_incident"),
        ("GET", "/v1/history?limit=x", &token, "", 400, "bad_request"),
        ("DELETE", "/v1/tokens/nobody", &token, "", 404, "no_such_token"),
        ("POST", "/v1/tokens", &token, r#"{"name":"","role":"viewer","lasts":"1h"}"#, 400, "bad_request"),
        ("POST", "/v1/tokens", &token, r#"{"name":"b","role":"viewer","lasts":"367d"}"#, 400, "bad_request"),
    ] {
        let answer = ficus.tcp(method, path, headers, body);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{method} {path}: {answer:?}");
        assert!(answer.is_problem(), "{answer:?}");
        assert!(answer.head.contains("cache-control: no-store"), "{answer:?}");
        schema::check(&answer.document(), "Problem");
    }
    let allowed = ficus.tcp("GET", "/v1/flip", &token, "");
    assert!(allowed.head.contains("allow: post"), "{allowed:?}");
}

/// A page that a browser shows can send requests here, under a name of its own that leads to this machine.
#[test]
fn pages_in_browsers_get_nothing() {
    let ficus = Ficus::with_api();
    let token = bearer(&ficus.token(&["--name", "a", "--role", "viewer"]));
    for (headers, code) in [
        ("host: evil.example\r\n", "wrong_host"),
        ("host: evil.example:9900\r\n", "wrong_host"),
        ("host: localhost.evil.example\r\n", "wrong_host"),
        ("origin: http://localhost:9900\r\n", "from_a_page"),
        ("origin: null\r\n", "from_a_page"),
        ("sec-fetch-site: same-site\r\n", "from_a_page"),
    ] {
        let answer = ficus.tcp("GET", "/v1/status", &format!("{headers}{token}"), "");
        assert_eq!((answer.status, answer.code().as_str()), (403, code), "{headers}");
        assert!(!answer.head.contains("access-control"), "{answer:?}");
    }
    let cookie = token.replace("authorization: Bearer ", "cookie: token=");
    assert_eq!(ficus.tcp("GET", "/v1/status", &cookie, "").code(), "no_token");
    assert_eq!(ficus.tcp("GET", "/v1/status", &format!("host: 127.0.0.1:1\r\n{token}"), "").status, 200);
}

#[test]
fn a_change_on_an_old_picture_is_refused_with_the_new_one() {
    let ficus = Ficus::with_api();
    let token = bearer(&ficus.token(&["--name", "phone", "--role", "operator"]));
    let seen = ficus.tcp("GET", "/v1/routes", &token, "");
    assert!(seen.head.contains("etag: \"1\""), "{seen:?}");
    let flip = r#"{"route":"customers.list","to":"rust"}"#;
    let based = |revision: &str| format!("if-match: {revision}\r\n{token}");
    let done = ficus.tcp("POST", "/v1/flip", &based("\"1\""), flip);
    assert_eq!(done.status, 200, "{done:?}");
    assert!(done.head.contains("etag: \"2\""), "{done:?}");
    let stale = ficus.tcp("POST", "/v1/hold", &based("\"1\""), r#"{"route":"customers.list"}"#);
    assert_eq!((stale.status, stale.document()["revision"].as_u64()), (412, Some(2)), "{stale:?}");
    assert!(stale.body.contains("token phone"), "{stale:?}");
    assert_eq!(ficus.tcp("GET", "/v1/routes", &based("\"1\""), "").status, 412);
    for good in ["\"1\", \"2\"", "W/\"2\"", "*"] {
        assert_eq!(ficus.tcp("GET", "/v1/routes", &based(good), "").status, 200, "{good}");
    }
    // A rollback is right on any picture.
    let back = ficus.tcp("POST", "/v1/rollback", &based("\"1\""), r#"{"route":"customers.list"}"#);
    assert_eq!(back.status, 200, "{back:?}");
    assert_eq!(ficus.json(&["history", "-n", "1"])["changes"][0]["author"], "token phone");
}

#[test]
fn the_description_is_the_one_in_the_reference() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/openapi.json");
    let text = format!("{:#}\n", ficus::admin::openapi());
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/reference/openapi.json is old: UPDATE_EXPECTED=1 writes it anew");
    let ficus = Ficus::with_api();
    let token = bearer(&ficus.token(&["--name", "a", "--role", "viewer"]));
    assert_eq!(ficus.tcp("GET", "/v1/openapi.json", &token, "").document(), ficus::admin::openapi());
}

/// What has happened, so that lists are not empty.
fn busy() -> Ficus {
    let ficus = Ficus::with_api();
    ficus.ok(&["flip", "customers.list", "rust", "--reason", "CRM-812"]);
    ficus.ok(&["hold", "customers.detail", "--for", "1h"]);
    ficus.ok(&["undo", "2"]);
    ficus.answered_by("/customers/");
    let incident = json!({
        "id": 1, "at": "2026-11-01T00:00:00Z", "route": "customers.list", "fault": "errors", "sentence": "bad",
        "action": "rollback", "revision": 2, "became": 3, "samples": [],
        "candidate": { "backend": "rust", "requests": 9, "failed": 9, "slow": 0, "mean_ms": 1.0 },
        "fallback": { "backend": "legacy", "requests": 9, "failed": 0, "slow": 0, "mean_ms": 1.0 },
    });
    std::fs::write(ficus.path("state/incidents.jsonl"), format!("{incident}\n")).unwrap();
    ficus.token(&["--name", "b", "--role", "operator", "--route", "customers.*"]);
    ficus
}

/// A question for almost every endpoint, in an order in which they all work.
fn questions() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("GET", "/v1/status", json!(null)),
        ("GET", "/v1/routes", json!(null)),
        ("GET", "/v1/explain?method=GET&path=/customers/7", json!(null)),
        ("GET", "/v1/history?diff=true", json!(null)),
        ("GET", "/v1/audit", json!(null)),
        ("GET", "/v1/diff", json!(null)),
        ("GET", "/v1/incidents", json!(null)),
        ("GET", "/v1/incidents/1", json!(null)),
        ("GET", "/v1/diffs", json!(null)),
        ("GET", "/v1/shadow", json!(null)),
        ("GET", "/v1/certificate?route=customers.list", json!(null)),
        ("GET", "/v1/noise?route=customers.list", json!(null)),
        ("GET", "/v1/recording", json!(null)),
        ("POST", "/v1/replayed", json!({ "routes": [] })),
        ("GET", "/v1/fleet", json!(null)),
        ("GET", "/v1/progress?days=7", json!(null)),
        ("GET", "/v1/gate?route=customers.list", json!(null)),
        ("GET", "/v1/drills?route=customers.list", json!(null)),
        ("GET", "/v1/me", json!(null)),
        ("GET", "/v1/openapi.json", json!(null)),
        ("GET", "/v1/tokens", json!(null)),
        ("GET", "/v1/access", json!(null)),
        ("POST", "/v1/flip", json!({ "route": "customers.list", "to": "rust", "dry_run": true })),
        ("POST", "/v1/flip", json!({ "route": "customers.list", "to": "rust", "reason": "again" })),
        ("POST", "/v1/resume", json!({ "route": "customers.detail" })),
        ("POST", "/v1/canary", json!({ "route": "customers.detail", "percent": "5%" })),
        ("POST", "/v1/shadow", json!({ "route": "customers.detail", "sample": "10%" })),
        ("POST", "/v1/rollback", json!({ "route": "customers.list", "lasts": "1h" })),
        ("POST", "/v1/hold", json!({ "route": "customers.detail" })),
        ("POST", "/v1/undo", json!({})),
        ("POST", "/v1/promote", json!({ "route": "customers.list", "dry_run": true })),
        ("POST", "/v1/apply", json!({ "text": ROUTES, "name": "routes.toml", "dry_run": true })),
        ("POST", "/v1/reload", json!({})),
        ("POST", "/v1/tokens", json!({ "name": "c", "role": "viewer", "lasts": "1h" })),
        ("DELETE", "/v1/tokens/c", json!(null)),
    ]
}

#[test]
fn answers_are_what_the_description_says() {
    let ficus = busy();
    ficus.tcp("GET", "/v1/status", "", "");
    let mut checked = std::collections::BTreeSet::new();
    for (method, path, body) in questions() {
        let plain = path.split('?').next().unwrap();
        let endpoint = ENDPOINTS
            .iter()
            .filter(|endpoint| endpoint.method == method)
            .find(|endpoint| schema::is_of(plain, endpoint.path))
            .unwrap_or_else(|| panic!("{method} {path} is not in the table"));
        checked.insert((method, endpoint.path));
        if let Some(request) = schema::request_of(endpoint.path).filter(|_| method == "POST") {
            schema::check_with(&body, &request);
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = ficus.unix(method, path, JSON, &body);
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        schema::check(&answer.document(), endpoint.answer);
    }
    // What needs noise or a recording to be there; and what the next test asks.
    let elsewhere = [
        "/v1/noise/accept",
        "/v1/diffs/{id}",
        "/v1/diffs/{id}/ignore",
        "/v1/diffs/{id}/case",
        "/v1/recording/start",
        "/v1/recording/stop",
        "/v1/tester-token",
        "/v1/approve",
        "/v1/drill",
        "/v1/upgrade",
    ];
    for endpoint in ENDPOINTS {
        let known = checked.contains(&(endpoint.method, endpoint.path)) || elsewhere.contains(&endpoint.path);
        assert!(known || endpoint.path == "/v1/events", "no test asks {} {}", endpoint.method, endpoint.path);
    }
}

/// What needs a difference to be there, a secret key, a second person, or ends this process.
#[test]
fn answers_that_need_more_than_a_question_are_what_the_description_says() {
    let ficus = Ficus::prepare();
    let plan = ROUTES.replace("serve = 'legacy' ", "guard = {}\nplan = { approvals = 1 }\nserve = 'legacy' ");
    std::fs::write(ficus.routes(), plan).unwrap();
    std::fs::write(ficus.path("canary.key"), "only for this test").unwrap();
    ficus.configure("[admin]\napi = true\n[canary]\nsecret_key = { file = \"canary.key\" }\n");
    let ficus = ficus.started();
    let ask = |path: &str, body: Value, headers: &str| {
        let plain = path.split('?').next().unwrap();
        let method = if body.is_null() { "GET" } else { "POST" };
        let mut known = ENDPOINTS.iter().filter(|endpoint| endpoint.method == method);
        let endpoint = known.find(|endpoint| schema::is_of(plain, endpoint.path)).unwrap();
        if let Some(request) = schema::request_of(endpoint.path).filter(|_| method == "POST") {
            schema::check_with(&body, &request);
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = ficus.tcp(method, path, headers, &body);
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        schema::check(&answer.document(), endpoint.answer);
        answer.document()
    };
    let ana = bearer(&ficus.token(&["--name", "ana", "--role", "admin"]));
    let ben = bearer(&ficus.token(&["--name", "ben", "--role", "operator"]));
    let route = json!({ "route": "customers.list" });
    let drill = ask("/v1/drill", route.clone(), &ana);
    assert_eq!((&drill["passed"], &drill["drill"]["route"]), (&true.into(), &"customers.list".into()));
    let token = json!({ "scope": "customers.*", "side": "candidate", "lasts": "1h" });
    ask("/v1/tester-token", token, &ana);
    ask("/v1/shadow", json!({ "route": "customers.list", "sample": "100%" }), &ana);
    assert_eq!(ask("/v1/approve", route, &ben)["gate"]["route"], "customers.list");
    let mut group = Value::Null;
    ficus.wait("both are compared", |ficus| {
        ficus.answered_by("/customers/");
        group = ask("/v1/diffs", Value::Null, &ana)["groups"][0]["id"].clone();
        !group.is_null()
    });
    ask(&format!("/v1/diffs/{group}"), Value::Null, &ana);
    ask(&format!("/v1/diffs/{group}/ignore"), json!({ "reason": "they say their names" }), &ana);
    let process = ask("/v1/upgrade", json!({}), &ana)["process"].as_i64().unwrap();
    let successor = nix::unistd::Pid::from_raw(i32::try_from(process).unwrap());
    nix::sys::signal::kill(successor, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn the_command_line_comes_over_tcp_with_a_token_that_is_no_argument() {
    let ficus = Ficus::with_api();
    let token = ficus.token(&["--name", "phone", "--role", "operator", "--for", "1d"]);
    let url = format!("http://127.0.0.1:{}", ficus.admin_port);
    let run = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = command(ficus.directory.path());
        command.args(["--admin", &url]).args(arguments).env("FICUS_YES", "1");
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let (out, err) = texts(&output);
        (output.status.code(), out, err)
    };
    let (code, _, err) = run(&[], &["status"]);
    assert!(code == Some(1) && err.contains("`ficus token create`"), "{err}");
    let with = [("FICUS_TOKEN", token.as_str())];
    assert_eq!(run(&with, &["flip", "customers.list", "rust"]).0, Some(0));
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    let (code, _, err) = run(&with, &["token", "list"]);
    assert_eq!(code, Some(1));
    assert_eq!(err, "error: this needs the role admin, and token phone has the role operator\n");
    let file = ficus.path("token");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(
        run(&[("FICUS_TOKEN_FILE", file.to_str().unwrap())], &["rollback", "customers.list"]).0,
        Some(0)
    );
    ficus.ok(&["token", "revoke", "phone"]);
    let (code, _, err) = run(&with, &["status"]);
    assert_eq!((code, err.as_str()), (Some(1), "error: this token was revoked\n"));
    let log = ficus.ok(&["token", "log"]);
    for word in ["created", "revoked", "refused", "GET /v1/tokens"] {
        assert!(log.contains(word), "{word}: {log}");
    }
    assert!(
        ficus
            .http(ficus.admin_port, "/metrics")
            .1
            .contains("ficus_admin_requests_refused_total{reason=\"needs_role\"} 1")
    );
}

#[test]
fn other_machines_are_not_let_near_by_accident() {
    let ficus = Ficus::prepare();
    let check = |lines: &str| {
        std::fs::write(ficus.path("open.toml"), lines).unwrap();
        let output =
            command(ficus.directory.path()).args(["check", "--config", "open.toml"]).output().unwrap();
        (output.status.success(), texts(&output).1)
    };
    let open = "[listen]\nadmin = \"0.0.0.0:9900\"\n[admin]\napi = true\n";
    let (good, said) = check(open);
    assert!(!good && said.contains("other machines could reach the admin API"), "{said}");
    assert!(said.contains("ssh -L") && said.contains("admin.public = true"), "{said}");
    assert!(check(&format!("{open}public = true\n")).0);
    assert!(check("[listen]\nadmin = \"0.0.0.0:9900\"\n").0);
    assert!(!check("[listen]\nadmin = \"off\"\n[admin]\napi = true\n").0);
}
