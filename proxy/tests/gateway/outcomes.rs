//! What is recorded: metrics and the access log.

use std::collections::HashMap;

use crate::backend::{Backend, Then};
use crate::ficus::Setup;

#[test]
fn a_line_of_the_log_says_who_answered_and_why_and_nothing_personal() {
    let (legacy, rust) = (Backend::saying("legacy"), Backend::saying("rust"));
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    let secrets = "Cookie: session=secret-cookie\r\nAuthorization: Bearer secret-token\r\n";
    ficus.connect().request("POST", "/items/7?token=secret-query", secrets, "secret-body");
    let line = ficus.log(1).pop().unwrap();
    for (key, expected) in [
        ("method", "POST"),
        ("route", "item"),
        ("path", "/items/7"),
        ("backend", "rust"),
        ("reason", "route"),
    ] {
        assert_eq!(line[key], expected, "{line}");
    }
    assert_eq!(
        (line["status"].as_u64(), line["revision"].as_u64(), line["bytes"].as_u64()),
        (Some(200), Some(1), Some(4))
    );
    assert!(line["t_total_ms"].as_f64().unwrap() >= line["t_upstream_ms"].as_f64().unwrap());
    assert_eq!(line["request_id"].as_str(), rust.only().header("x-request-id"));
    let everything = format!("{line}{}{}", ficus.metrics(), ficus.said());
    assert!(!everything.contains("secret") && !everything.contains("127.0.0.1:1"), "{everything}");
}

#[test]
fn requests_are_counted_by_route_backend_method_and_class() {
    let (legacy, rust) = (Backend::saying("legacy"), Backend::saying("rust"));
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    let mut client = ficus.connect();
    client.get("/items/1");
    client.get("/items/2");
    client.request("BREW", "/pot", "", "");
    client.send("GET / HTTP/1.1\r\nX: no host\r\n\r\n");
    client.answer();
    ficus.log(4);
    let metrics = ficus.metrics();
    for line in [
        "ficus_requests_total{route=\"item\",backend=\"rust\",method=\"GET\",code=\"2xx\"} 2",
        "ficus_requests_total{route=\"-\",backend=\"legacy\",method=\"_OTHER\",code=\"2xx\"} 1",
        "ficus_requests_total{route=\"-\",backend=\"-\",method=\"GET\",code=\"4xx\"} 1",
        "ficus_requests_rejected_total{reason=\"no_host\"} 1",
        "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_response_status_code=\"200\",\
         http_route=\"/items/<int:id>\",ficus_route=\"item\",ficus_backend=\"rust\"} 2",
        "ficus_upstream_request_duration_seconds_count{route=\"item\",backend=\"rust\"} 2",
        "ficus_route_info{route=\"item\",serve=\"rust\"} 1",
        "ficus_requests_in_progress 0",
        "ficus_config_last_reload_successful 1",
        "ficus_config_revision 1",
        "ficus_access_log_dropped_total 0",
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} is not in\n{metrics}");
    }
}

/// The rules of `promtool check metrics`, as far as they concern us.
#[test]
fn every_metric_is_declared_and_well_named() {
    let (legacy, rust) = (Backend::saying("legacy"), Backend::saying("rust"));
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    ficus.connect().get("/items/1");
    ficus.log(1);
    let metrics = ficus.metrics();
    let mut kinds = HashMap::new();
    let mut helped = Vec::new();
    for line in metrics.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is declared twice");
        } else if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' '))
        {
            assert!(!help.trim().is_empty(), "{line}");
            helped.push(name.to_owned());
        } else {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let declared = |name: &str| kinds.contains_key(name);
            assert!(declared(name) || family.is_some_and(declared), "{line} is not declared");
            assert!(name.starts_with("ficus_") || name.starts_with("http_server_"), "{line}");
        }
    }
    assert!(kinds.keys().all(|name| helped.contains(name)));
    assert!(kinds.contains_key("ficus_build_info") && kinds.contains_key("ficus_requests_total"));
}

#[test]
fn a_fallback_is_counted_by_cause() {
    let legacy = Backend::saying("legacy");
    let rust = Backend::tcp(|exchange| {
        exchange.answer("500 Internal Server Error", "", "oops");
        Then::Close
    });
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    ficus.connect().get("/items/7");
    let line = ficus.log(1).pop().unwrap();
    assert_eq!((&line["backend"], &line["fallback"]), (&"legacy".into(), &"status".into()));
    assert!(ficus.metrics().contains("ficus_fallbacks_total{route=\"item\",reason=\"status\"} 1"));
}

#[test]
fn a_canary_is_decided_by_the_user() {
    let (legacy, rust) = (Backend::saying("legacy"), Backend::saying("rust"));
    let everybody = "serve = \"legacy\"\ncanary = { percent = 100.0, group = \"items\" }\n";
    let ficus = Setup::new(&legacy).rust_at(&rust.url()).route(everybody).start();
    assert_eq!(ficus.connect().get("/items/7").text(), "rust");
    let line = ficus.log(1).pop().unwrap();
    assert_eq!(line["reason"], "canary_bucket");
    assert!(line["bucket"].as_u64().unwrap() < 100_000);
    let nobody = "serve = \"legacy\"\ncanary = { percent = 0.0, users = [\"7\"], group = \"items\" }\n";
    let ficus = Setup::new(&legacy).rust_at(&rust.url()).route(nobody).start();
    assert_eq!(ficus.connect().get("/items/7").text(), "legacy", "a stranger is nobody");
}

#[test]
fn a_renamed_log_is_opened_again_on_request() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    ficus.connect().get("/1");
    ficus.log(1);
    std::fs::rename(ficus.file("access.log"), ficus.file("access.log.1")).unwrap();
    ficus.signal("HUP");
    crate::ficus::eventually("a new log", || {
        ficus.connect().get("/2");
        ficus.file("access.log").exists()
    });
}
