//! The admin API gets what no client of ours sends: every body is refused or understood, and nothing breaks.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::ficus::{Ficus, ROUTES};

const BODIES: &[(&str, &str)] = &[
    (
        "/v1/flip",
        r#"{"route":"customers.list","to":"rust","canary":"5%","reason":"r","based_on":1,"dry_run":true}"#,
    ),
    (
        "/v1/canary",
        r#"{"route":"customers.list","percent":"5%","users":["7"],"networks":["10.0.0.0/8"],"testers":true}"#,
    ),
    ("/v1/rollback", r#"{"route":"customers.list","lasts":"2h","reason":"r"}"#),
    ("/v1/hold", r#"{"route":"customers.list","lasts":"2h","reason":"r"}"#),
    ("/v1/resume", r#"{"route":"customers.list","reason":"r"}"#),
    ("/v1/undo", r#"{"revision":1,"reason":"r"}"#),
    ("/v1/apply", r#"{"text":"version = 1\n","name":"routes.toml","reason":"r"}"#),
    ("/v1/tester-token", r#"{"side":"rust","lasts":"1h","scope":"*"}"#),
    ("/v1/shadow", r#"{"route":"customers.list","sample":"25%","reason":"r"}"#),
    ("/v1/diffs/1/ignore", r#"{"reason":"r","expires":"2027-01-01"}"#),
];

/// The status of an answer.
fn ask(ficus: &Ficus, line: &str, body: &[u8]) -> u16 {
    let mut stream = UnixStream::connect(ficus.path("state/admin.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: ficus\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    // Who refuses a head or a size may close before everything is written.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    text.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("{line}: {text:?}"))
}

/// What becomes of a good body: each of its values of another type or size, pieces of it, bytes that are none.
fn spoiled(body: &str) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> =
        (0..body.len()).step_by(7).map(|end| body.as_bytes()[..end].to_vec()).collect();
    let good: serde_json::Value = serde_json::from_str(body).unwrap();
    let strange = [
        "null",
        "-1",
        "1e400",
        "18446744073709551616",
        "[]",
        "{}",
        "true",
        "\"\"",
        "\"\\u0000\\ud800\"",
        "\"../../etc\"",
        "\"a\\nserve = 'rust'\\n[[route]]\"",
        "\"\u{202e}%\"",
        "\"100000h\"",
        "\"9999999999999999%\"",
    ];
    for key in good.as_object().unwrap().keys() {
        for value in strange {
            let mut text = serde_json::Map::new();
            text.extend(
                good.as_object()
                    .unwrap()
                    .iter()
                    .filter(|(name, _)| *name != key)
                    .map(|(k, v)| (k.clone(), v.clone())),
            );
            let rest = serde_json::Value::Object(text).to_string();
            let comma = if rest == "{}" { "" } else { "," };
            all.push(format!("{{{key:?}:{value}{comma}{}", &rest[1..]).into_bytes());
        }
    }
    all.push(format!("{{\"route\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000)).into_bytes());
    all.push(body.replace('"', "'").into_bytes());
    all.push([body.as_bytes(), b"\xff\xfe"].concat());
    all.push(body.replacen('{', "{\"unknown\":1,", 1).into_bytes());
    all
}

#[test]
fn no_body_breaks_the_admin_api() {
    let ficus = Ficus::start(ROUTES);
    for (path, body) in BODIES {
        for spoiled in spoiled(body) {
            let status = ask(&ficus, &format!("POST {path}"), &spoiled);
            assert!(status < 500, "{path} {status}: {}", String::from_utf8_lossy(&spoiled));
        }
    }
    let status = ask(&ficus, "POST /v1/flip", &vec![b' '; 8 << 20]);
    assert!((400..500).contains(&status), "a body of 8 MiB: {status}");
    assert!(!ficus.answered_by("/customers/").is_empty());
}

#[test]
fn no_question_breaks_the_admin_api() {
    let ficus = Ficus::start(ROUTES);
    let paths = [
        "/v1/status",
        "/v1/routes",
        "/v1/explain",
        "/v1/history",
        "/v1/audit",
        "/v1/diff",
        "/v1/incidents",
        "/v1/diffs",
    ];
    let names = ["route", "limit", "revision", "method", "path", "user", "samples", "at", "host"];
    let values = [
        "",
        "%",
        "%zz",
        "-1",
        "99999999999999999999",
        "%00",
        "%ff%fe",
        "a%0d%0ab",
        "%2e%2e%2f",
        "customers.list",
    ];
    for path in paths {
        for name in names {
            for value in values {
                let status = ask(&ficus, &format!("GET {path}?{name}={value}&{name}={value}"), b"");
                assert!(status < 500, "{path}?{name}={value}: {status}");
            }
        }
    }
    for id in ["0", "-1", "99999999999999999999", "%00", "..%2f..%2fstatus", "x".repeat(5_000).as_str()] {
        for line in [
            format!("GET /v1/diffs/{id}"),
            format!("DELETE /v1/diffs/{id}"),
            format!("GET /v1/incidents/{id}"),
        ] {
            let status = ask(&ficus, &line, b"");
            assert!((400..500).contains(&status), "{line}: {status}");
        }
    }
    assert_eq!((ficus.revision(), ficus.answered_by("/customers/").as_str()), (1, "legacy"));
}
