//! A candidate that misbehaves is rolled back by its guard; one that does not, is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::backend::{Backend, Exchange, Then};
use crate::ficus::{Directory, Ficus, Setup, eventually};

const GUARDED: &str = "serve = \"rust\"\nguard = { max_p95_ratio = 2.0, on_trip = \"rollback\" }\n";

fn get(client: &mut crate::client::Client, n: usize) -> u16 {
    client.send(format!("GET /items/{n} HTTP/1.1\r\nHost: crm.test\r\n\r\n"));
    client.answer().status
}

/// What routes.toml says about the only route.
fn serves(ficus: &Ficus, backend: &str) -> bool {
    std::fs::read_to_string(ficus.file("routes.toml")).unwrap().contains(&format!("serve = \"{backend}\""))
}

fn incidents(ficus: &Ficus) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(ficus.file("state/incidents.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A handler that is bad at every twentieth request.
fn sometimes(bad: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> (Backend, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let backend = Backend::tcp(move |exchange| {
        if count.fetch_add(1, Ordering::SeqCst) % 20 == 19 {
            bad(exchange);
        } else {
            exchange.ok("rust");
        }
        Then::Keep
    });
    (backend, asked)
}

#[test]
fn five_percent_of_errors_are_rolled_back_within_twenty() {
    let legacy = Backend::saying("legacy");
    let (rust, asked) = sometimes(|exchange| exchange.answer("500 Internal Server Error", "", "broken"));
    let ficus = Setup::new(&legacy).candidate(&rust).route(GUARDED).start();
    let mut client = ficus.connect();
    for n in 0.. {
        assert_eq!(get(&mut client, n), 200, "Flask answers for a handler that fails");
        if serves(&ficus, "legacy") {
            break;
        }
        assert!(n < 2_000, "the guard never tripped");
    }
    // What was on its way when the guard tripped may have reached the handler still.
    assert!(asked.load(Ordering::SeqCst) <= 20 * 21, "{asked:?} requests before the rollback");
    eventually("the incident", || !incidents(&ficus).is_empty());
    let incident = &incidents(&ficus)[0];
    assert_eq!((&incident["route"], &incident["fault"]), (&"item".into(), &"errors".into()));
    assert!(incident["became"].is_u64() && incident["problem"].is_null(), "{incident}");
    let samples = incident["samples"].as_array().unwrap();
    assert!(!samples.is_empty() && samples.iter().all(|sample| sample["what"] == "status"), "{incident}");
    let before = asked.load(Ordering::SeqCst);
    (0..50).for_each(|n| assert_eq!(get(&mut client, n), 200));
    assert_eq!(asked.load(Ordering::SeqCst), before, "nobody is sent to the handler any more");
    assert_eq!(incidents(&ficus).len(), 1, "one incident, not one per request");
}

#[test]
fn slow_answers_are_rolled_back() {
    let legacy = Backend::saying("legacy");
    let (rust, _) = sometimes(|exchange| {
        std::thread::sleep(Duration::from_millis(400));
        exchange.ok("rust, late");
    });
    let canary =
        "serve = \"legacy\"\ncanary = { percent = 50.0, group = \"g\" }\nguard = { max_p95_ratio = 2.0 }\n";
    let ficus = Setup::new(&legacy)
        .rust_at(&rust.url())
        .route(canary)
        .set("listen.trusted_proxies", "127.0.0.1/32")
        .start();
    let mut client = ficus.connect();
    let rolled_back = || {
        let text = std::fs::read_to_string(ficus.file("routes.toml")).unwrap();
        !text.contains("percent = 50.0")
    };
    for n in 0..6_000 {
        // Half of these addresses are in the canary.
        let (third, fourth) = (n / 250 % 250, n % 250 + 1);
        client.send(format!(
            "GET /items/{n} HTTP/1.1\r\nHost: crm.test\r\nX-Forwarded-For: 198.51.{third}.{fourth}\r\n\r\n"
        ));
        assert_eq!(client.answer().status, 200);
        if n % 10 == 0 && rolled_back() {
            break;
        }
    }
    eventually("the incident", || !incidents(&ficus).is_empty());
    assert_eq!(incidents(&ficus)[0]["fault"], "latency");
    assert!(rolled_back());
}

#[test]
fn what_slow_means_is_remembered_when_nobody_asks_the_fallback_any_more() {
    let legacy = Backend::saying("legacy");
    let (rust, _) = sometimes(|exchange| {
        std::thread::sleep(Duration::from_millis(400));
        exchange.ok("rust, late");
    });
    let state = Directory::new();
    let start = |serve: &str| {
        let setup = Setup::new(&legacy).rust_at(&rust.url());
        let lines = format!("serve = \"{serve}\"\nguard = {{}}\n");
        setup.route(&lines).set("store.directory", &state.path().display().to_string()).start()
    };
    let mut ficus = start("legacy");
    let mut client = ficus.connect();
    (0..250).for_each(|n| assert_eq!(get(&mut client, n), 200));
    eventually("what was learnt", || state.path().join("usual.json").is_file());
    ficus.signal("TERM");
    ficus.ended();
    let ficus = start("rust");
    let mut client = ficus.connect();
    let tripped = (0..2_000).any(|n| get(&mut client, n) == 200 && serves(&ficus, "legacy"));
    assert!(tripped, "the guard never tripped");
    let incidents = || std::fs::read_to_string(state.path().join("incidents.jsonl")).unwrap_or_default();
    eventually("the incident", || incidents().contains("\"fault\":\"latency\""));
}

#[test]
fn what_fails_on_both_sides_is_not_the_candidates_fault() {
    let broken = |exchange: &mut Exchange<'_>| {
        exchange.answer("500 Internal Server Error", "", "the database is gone");
        Then::Keep
    };
    let (legacy, rust) = (Backend::tcp(broken), Backend::tcp(broken));
    let ficus = Setup::new(&legacy).candidate(&rust).route(GUARDED).start();
    let mut client = ficus.connect();
    (0..300).for_each(|n| assert_eq!(get(&mut client, n), 500));
    assert!(serves(&ficus, "rust") && incidents(&ficus).is_empty());
}

#[test]
fn a_good_candidate_stays() {
    let (legacy, rust) = (Backend::saying("legacy"), Backend::saying("rust"));
    let ficus = Setup::new(&legacy).candidate(&rust).route(GUARDED).start();
    let mut client = ficus.connect();
    (0..1_500).for_each(|n| assert_eq!(get(&mut client, n), 200));
    assert!(serves(&ficus, "rust") && incidents(&ficus).is_empty());
    let dropped = ficus.metrics().lines().any(|line| line == "ficus_guard_evidence_dropped_total 0");
    assert!(dropped, "{}", ficus.metrics());
}

#[test]
fn a_route_that_only_freezes_stays_where_it_is() {
    let legacy = Backend::saying("legacy");
    let (rust, _) = sometimes(|exchange| exchange.answer("500 Internal Server Error", "", "broken"));
    let lines = "serve = \"rust\"\nguard = { on_trip = \"freeze\" }\n";
    let ficus = Setup::new(&legacy).candidate(&rust).route(lines).start();
    let mut client = ficus.connect();
    for n in 0..2_000 {
        assert_eq!(get(&mut client, n), 200);
        if !incidents(&ficus).is_empty() {
            break;
        }
    }
    assert_eq!(incidents(&ficus)[0]["action"], "freeze");
    assert!(serves(&ficus, "rust"));
}

/// A canaried and shadowed route; the candidate gives this answer to every request.
fn shadowed(rust: &Backend, legacy: &Backend) -> Ficus {
    let lines = "serve = \"legacy\"\ncanary = { percent = 50.0, group = \"g\" }\n\
                 shadow = { sample = 1.0 }\nguard = { max_error_ratio = 0.01 }\n";
    Setup::new(legacy).rust_at(&rust.url()).route(lines).start()
}

#[test]
fn other_answers_are_rolled_back() {
    let legacy = Backend::saying("legacy and rust");
    let asked = AtomicUsize::new(0);
    let rust = Backend::tcp(move |exchange| {
        let wrong = asked.fetch_add(1, Ordering::SeqCst) % 20 == 19;
        exchange.ok(if wrong { "a wrong total" } else { "legacy and rust" });
        Then::Keep
    });
    let ficus = shadowed(&rust, &legacy);
    let mut client = ficus.connect();
    let mut sent = 0;
    eventually("the rollback", || {
        for _ in 0..20 {
            assert_eq!(get(&mut client, sent), 200);
            sent += 1;
        }
        !incidents(&ficus).is_empty()
    });
    let incident = &incidents(&ficus)[0];
    assert_eq!(incident["fault"], "mismatches", "{incident}");
    assert!(incident["samples"].as_array().unwrap().iter().any(|sample| sample["what"] == "mismatch"));
    assert!(!std::fs::read_to_string(ficus.file("routes.toml")).unwrap().contains("percent = 50.0"));
}

#[test]
fn equal_answers_are_not() {
    let (legacy, rust) = (Backend::saying("the same"), Backend::saying("the same"));
    let ficus = shadowed(&rust, &legacy);
    let mut client = ficus.connect();
    (0..300).for_each(|n| assert_eq!(get(&mut client, n), 200));
    eventually("comparisons", || {
        ficus
            .metrics()
            .lines()
            .any(|line| line.starts_with("ficus_shadow_compared_total{") && line.contains("match"))
    });
    assert!(incidents(&ficus).is_empty());
}
