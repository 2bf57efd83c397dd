//! What users send stays between them and the application: secrets are planted wherever a request can hold one, and
//! everything that ficus writes is searched for them.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use crate::backend::{Backend, Then};
use crate::collector::Collector;
use crate::ficus::{Ficus, Setup, eventually};

/// Planted in requests and in answers; each says where.
const REQUEST: &str = "Cookie: session=SECRET-cookie; remember_token=7|SECRET-remember\r\n\
    Authorization: Bearer SECRET-token\r\n\
    Proxy-Authorization: Basic SECRET-proxy\r\n\
    X-Api-Key: SECRET-key\r\n\
    X-CSRFToken: SECRET-csrf\r\n\
    Referer: http://crm.example/search?q=SECRET-referer\r\n\
    User-Agent: SECRET-agent\r\n\
    X-Forwarded-For: 203.0.113.77\r\n\
    Forwarded: for=203.0.113.77\r\n\
    X-Request-Id: SECRET-id\r\n\
    Baggage: user=SECRET-baggage\r\n\
    Tracestate: x=SECRET-state\r\n";
const BODY: &str = "email=SECRET-email&password=SECRET-password&csrf_token=SECRET-form";

/// All files below a directory, as bytes.
fn files(directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
}

#[track_caller]
fn is_free_of_secrets(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for secret in ["SECRET", "203.0.113.77", "c2Vzc2lvbj"] {
        if let Some(at) = text.find(secret) {
            let near: String =
                text[..at].chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
            panic!("`{secret}` is in {what}: …{near}{}", text[at..].chars().take(60).collect::<String>());
        }
    }
}

/// An application that puts secrets everywhere, too.
fn indiscreet() -> Backend {
    Backend::tcp(|exchange| {
        let path = exchange.head.split(' ').nth(1).unwrap_or_default().to_owned();
        if path.starts_with("/broken") {
            exchange
                .send("HTTP/1.1 200 OK\r\nSet-Cookie: SECRET-set\r\nContent-Length: 100\r\n\r\nSECRET-half");
            return Then::Close;
        }
        if path.starts_with("/garbage") {
            exchange.send("SECRET-garbage\r\n\r\n");
            return Then::Close;
        }
        exchange.answer(
            "200 OK",
            "Set-Cookie: session=SECRET-set\r\nLocation: /?t=SECRET-location\r\n",
            "SECRET-body",
        );
        Then::Keep
    })
}

fn ask_for_everything(ficus: &Ficus) {
    for (method, target) in [
        ("GET", "/items/7?q=SECRET-query"),
        ("POST", "/items/7?q=SECRET-query"),
        ("POST", "/auth/login?next=SECRET-next"),
        ("GET", "/broken?q=SECRET-query"),
        ("POST", "/garbage?q=SECRET-query"),
        ("GET", "/mistake?q=SECRET-query"),
        ("GET", "http://crm.example/absolute?q=SECRET-query"),
    ] {
        let mut client = ficus.connect();
        let length = BODY.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: crm.example\r\nContent-Length: {length}\r\n{REQUEST}\r\n{BODY}"
        );
        client.send(request);
        client.answer();
    }
}

#[test]
fn no_secret_of_a_request_is_written_anywhere() {
    let legacy = indiscreet();
    let rust = Backend::tcp(|exchange| {
        exchange.answer("500 Internal Server Error", "X-Error: SECRET-error\r\n", "SECRET-trace");
        Then::Close
    });
    let collector = Collector::start();
    let (mut stdout, writer) = std::io::pipe().unwrap();
    let mut ficus = Setup::new(&legacy)
        .candidate(&rust)
        .set("telemetry.otlp_endpoint", &collector.url())
        .set("log.level", "trace,hyper=trace,h2=trace")
        .set("log.access", "stdout")
        .env("OTEL_BSP_SCHEDULE_DELAY", "10")
        .env("REHEARSE_A_PANIC_AT", "/mistake")
        .streams(Stdio::null(), Stdio::from(writer))
        .start();
    ask_for_everything(&ficus);
    // Bytes that are no request, and a request that is refused.
    for bytes in ["SECRET-nonsense\r\n\r\n", "GET /?q=SECRET-query HTTP/1.1\r\nX: SECRET-no-host\r\n\r\n"] {
        ficus.connect().send(bytes).answer();
    }
    eventually("the spans", || collector.spans().iter().filter(|span| span.kind == 2).count() >= 7);
    is_free_of_secrets("the metrics", ficus.metrics().as_bytes());
    is_free_of_secrets("the status", &ficus.cli(&["status", "--json"]).stdout);
    for sent in collector.received() {
        is_free_of_secrets("the traces", &sent.body);
    }
    let mut written = Vec::new();
    files(ficus.file("state").parent().unwrap(), &mut written);
    for (name, bytes) in written {
        is_free_of_secrets(&name, &bytes);
    }
    ficus.signal("TERM");
    assert!(ficus.ended().success());
    ficus.wait_for("ficus: stopped");
    is_free_of_secrets("the log", ficus.said().as_bytes());
    let mut lines = Vec::new();
    stdout.read_to_end(&mut lines).unwrap();
    assert!(String::from_utf8_lossy(&lines).lines().count() >= 8, "the access log is there");
    is_free_of_secrets("the access log", &lines);
}

#[test]
fn paths_can_be_kept_out_of_logs_and_traces_too() {
    let legacy = Backend::saying("legacy");
    let collector = Collector::start();
    let ficus = Setup::new(&legacy)
        .candidate(&legacy)
        .set("log.paths", "rule")
        .set("telemetry.otlp_endpoint", &collector.url())
        .env("OTEL_BSP_SCHEDULE_DELAY", "10")
        .start();
    ficus.connect().get("/items/4711");
    ficus.connect().get("/reset/SECRET-path");
    let paths: Vec<String> =
        ficus.log(2).iter().map(|line| line["path"].as_str().unwrap().to_owned()).collect();
    assert_eq!(paths, ["/items/<int:id>", "-"]);
    let spans = collector.wait(4);
    assert!(spans.iter().all(|span| !span.attributes.contains_key("url.path")), "{spans:#?}");
    for sent in collector.received() {
        is_free_of_secrets("the traces", &sent.body);
    }
}

#[test]
fn the_common_format_is_there_for_tools_that_want_it() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("log.format", "common").start();
    ficus.connect().get("/a?q=SECRET");
    let path = ficus.file("access.log");
    let read = || std::fs::read_to_string(&path).unwrap_or_default();
    eventually("a line", || read().ends_with('\n'));
    let line = read();
    assert!(line.starts_with("- - - ["), "{line}");
    assert!(line.ends_with(" +0000] \"GET /a HTTP/1.1\" 200 6\n"), "{line}");
}
