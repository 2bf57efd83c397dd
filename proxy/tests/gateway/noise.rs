//! Noise: what differs from itself is found on a budget, proposed with its evidence, and applied by a person only.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::backend::{Backend, Then};
use crate::evidence::{cli, document};
use crate::ficus::{Ficus, Setup, eventually};

const SHADOWED: &str = "shadow = { sample = 1.0 }\n";

/// Each answer has another moment and another total.
fn unsteady() -> Backend {
    let number = Arc::new(AtomicUsize::new(100));
    Backend::tcp(move |exchange| {
        let number = number.fetch_add(1, Ordering::SeqCst);
        let body =
            format!("{{\"name\":\"Kowalski\",\"rendered\":\"t{number}\",\"total\":{number},\"id\":7}}");
        exchange.answer("200 OK", "Content-Type: application/json\r\n", &body);
        Then::Keep
    })
}

fn steady() -> Backend {
    Backend::tcp(|exchange| {
        let body = "{\"name\":\"Kowalski\",\"rendered\":\"t1\",\"total\":1,\"id\":7}";
        exchange.answer("200 OK", "Content-Type: application/json\r\n", body);
        Then::Keep
    })
}

fn noise(ficus: &Ficus) -> Value {
    document(ficus, &["noise", "item"])
}

#[test]
fn what_differs_from_itself_is_proposed_and_applied_by_a_person() {
    let (legacy, rust) = (unsteady(), steady());
    let ficus = Setup::new(&legacy)
        .route(SHADOWED)
        .rust_at(&rust.url())
        .set("shadow.confirm", "0")
        .set("shadow.noise", "60")
        .start();
    let mut client = ficus.connect();
    for _ in 0..3 {
        client.get("/items/7");
    }
    eventually("three pairs", || noise(&ficus)["pairs"] == 3);
    let book = noise(&ficus);
    let fields: Vec<_> = book["fields"].as_array().unwrap().iter().collect();
    let facts: Vec<_> =
        fields.iter().map(|f| (f["signature"].as_str().unwrap(), f["refused"].as_str())).collect();
    assert_eq!(facts, [("json $.rendered", None), ("json $.total", Some("amount"))]);
    assert!(fields.iter().all(|field| field["differed"] == 3));
    assert!(!book.to_string().contains("t10"), "values are masked: {book}");
    // Asked twice, with the mark of a copy and without the candidate's route.
    let copies: Vec<_> =
        legacy.received().into_iter().filter(|one| one.header("x-ficus-shadow").is_some()).collect();
    assert_eq!((copies.len(), legacy.requests()), (3, 6));
    assert!(copies.iter().all(|copy| copy.header("x-ficus-route").is_none()));
    let routes = || std::fs::read_to_string(ficus.file("routes.toml")).unwrap();
    assert!(!routes().contains("ignore"), "nothing is applied by itself");

    let shown = String::from_utf8(cli(&ficus, &["noise", "item"]).stdout).unwrap();
    assert!(shown.contains("3 of 3") && shown.contains("it looks like an amount"), "{shown}");
    let done = cli(&ficus, &["noise", "accept", "item", "1", "--reason", "when it was rendered"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let rule = routes();
    assert!(rule.contains("path = \"json $.rendered\"") && rule.contains("author = \""), "{rule}");
    assert!(rule.contains("when it was rendered (differed from itself in 3 of 3 pairs)"), "{rule}");

    let refused = cli(&ficus, &["noise", "accept", "item", "2", "--reason", "it changes"]);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("looks like an amount") && why.contains("--anyway"), "{why}");
    assert!(!routes().contains("$.total"));
    let anyway =
        ["noise", "accept", "item", "2", "--reason", "it changes", "--anyway", "a counter, no money"];
    let done = cli(&ficus, &anyway);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(routes().contains("it changes; a counter, no money"), "{}", routes());
    assert!(noise(&ficus)["fields"].as_array().unwrap().iter().all(|field| field["accepted_at"].is_string()));

    client.get("/items/7");
    let line = "ficus_shadow_compared_total{route=\"item\",result=\"ignored\"}";
    eventually("the rules allow it", || ficus.metric(line) == 1);
}

#[test]
fn without_a_budget_nobody_is_asked_twice() {
    let (legacy, rust) = (unsteady(), steady());
    let setup = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url());
    let ficus = setup.set("shadow.confirm", "0").start();
    ficus.connect().get("/items/7");
    let line = "ficus_shadow_compared_total{route=\"item\",result=\"mismatch\"}";
    eventually("the comparison", || ficus.metric(line) == 1);
    assert_eq!(legacy.requests(), 1);
    let shown = String::from_utf8(cli(&ficus, &["noise", "item"]).stdout).unwrap();
    assert!(shown.contains("set `shadow.noise`"), "{shown}");
}

#[test]
fn a_route_has_a_share_of_the_budget_only() {
    let (legacy, rust) = (unsteady(), steady());
    let ficus = Setup::new(&legacy)
        .route(SHADOWED)
        .rust_at(&rust.url())
        .set("shadow.confirm", "0")
        .set("shadow.noise", "60")
        .set("shadow.noise_per_route", "2")
        .start();
    let mut client = ficus.connect();
    for _ in 0..12 {
        client.get("/items/7");
    }
    client.request("POST", "/items/7", "", "a=1");
    let line = "ficus_shadow_compared_total{route=\"item\",result=\"mismatch\"}";
    eventually("all comparisons", || ficus.metric(line) == 12);
    eventually("the pairs", || noise(&ficus)["pairs"].as_u64() >= Some(2));
    // A minute may have ended in between.
    let twice = legacy.requests() - 13;
    assert!(twice == 2 || twice == 4, "{twice}");
    assert!(
        legacy
            .received()
            .iter()
            .all(|one| { one.header("x-ficus-shadow").is_none() || one.request_line().starts_with("GET ") })
    );
}
