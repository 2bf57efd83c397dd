//! A whole plan through the real binary, from the first copy to everybody; a rehearsal that writes through the candidate; a
//! candidate that hangs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::backend::{Backend, Exchange, Then};
use crate::evidence::{cli, document};
use crate::ficus::{Ficus, Setup, eventually};

const PLAN: &str = "serve = \"legacy\"\ncanary = { percent = 0.0, group = \"g\" }\nguard = {}\n\
    plan = { steps = [\"shadow\", \"50%\", \"candidate\"], soak = \"1s\", comparisons = 40, max_mismatch = 0.1, max_p95_ratio = 1000.0, \
    min_requests = 20, schema = false, drill = \"off\", auto = true }\n";

fn routes(ficus: &Ficus) -> String {
    std::fs::read_to_string(ficus.file("routes.toml")).unwrap()
}

/// Asks as many clients as there are rounds.
fn ask(ficus: &Ficus, rounds: usize) {
    let mut client = ficus.connect();
    for n in 0..rounds {
        client.send(format!(
            "GET /items/{n} HTTP/1.1\r\nHost: crm.test\r\nX-Forwarded-For: 198.51.{}.{}\r\n\r\n",
            n / 250 % 250,
            n % 250 + 1
        ));
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn a_plan_goes_all_the_way_on_its_evidence() {
    let (legacy, rust) = (Backend::saying("the same"), Backend::saying("the same"));
    let ficus = Setup::new(&legacy)
        .rust_at(&rust.url())
        .route(PLAN)
        .set("listen.trusted_proxies", "127.0.0.1/32")
        .set("shadow.self_test", "1s")
        .start();
    eventually("the first copies", || routes(&ficus).contains("sample = 1.0"));
    assert_eq!(rust.requests(), 0, "nobody was sent there yet");
    eventually("half of the users, after enough comparisons", || {
        ask(&ficus, 50);
        routes(&ficus).contains("percent = 50.0")
    });
    eventually("everybody, after enough requests of users", || {
        ask(&ficus, 50);
        routes(&ficus).contains("serve = \"rust\"")
    });
    let history = document(&ficus, &["history"]);
    let changes = history["changes"].as_array().unwrap();
    let reasons: Vec<&str> = changes
        .iter()
        .rev()
        .filter(|change| change["author"] == "plan")
        .map(|change| change["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons.len(), 3, "one change for each step: {history:#}");
    assert!(reasons[0].starts_with("plan: legacy -> shadow: "), "{reasons:?}");
    assert!(reasons[1].contains("answers differ: at most") && reasons[1].contains("copies"), "{reasons:?}");
    assert!(reasons[2].contains("`rust` failed in 0 of "), "{reasons:?}");
    ask(&ficus, 1);
}

#[test]
fn a_plan_stays_where_answers_differ() {
    let (legacy, rust) = (Backend::saying("the total is 7"), Backend::saying("the total is 8"));
    let ficus = Setup::new(&legacy).rust_at(&rust.url()).route(PLAN).set("shadow.self_test", "1s").start();
    eventually("the first copies", || routes(&ficus).contains("sample = 1.0"));
    let certificate = |gate: &Value| {
        let conditions = gate["gate"]["conditions"].as_array().unwrap().clone();
        conditions.into_iter().find(|one| one["name"] == "certificate").unwrap()
    };
    let mut last = Value::Null;
    eventually("enough comparisons", || {
        ask(&ficus, 20);
        last = certificate(&document(&ficus, &["gate", "item"]));
        last["sentence"].as_str().unwrap().contains("is the limit")
    });
    assert_eq!(last["holds"], false, "{last}");
    assert!(!routes(&ficus).contains("percent = 50.0") && !routes(&ficus).contains("serve = \"rust\""));
}

/// A side of an application with one record, which both sides share.
fn side(record: Arc<Mutex<String>>, broken: Arc<AtomicBool>) -> Backend {
    Backend::tcp(move |exchange: &mut Exchange<'_>| {
        if exchange.head.starts_with("POST") {
            let body = String::from_utf8(exchange.read_body()).unwrap();
            assert!(body.contains("csrf_token=t0ken"), "{body}");
            assert!(exchange.head.contains("session=abc"), "{}", exchange.head);
            body.split('&').next().unwrap().clone_into(&mut record.lock().unwrap());
            exchange.answer("302 Found", "Location: http://crm.test/items/7\r\n", "");
        } else {
            let mut text = record.lock().unwrap().clone();
            if broken.load(Ordering::SeqCst) {
                text.push('!');
            }
            let page = format!("<p>{text}</p><input name=\"csrf_token\" value=\"t0ken\">");
            exchange.answer("200 OK", "Content-Type: text/html\r\n", &page);
        }
        Then::Keep
    })
}

#[test]
fn a_rehearsal_writes_through_the_candidate_and_reads_from_both() {
    let record = Arc::<Mutex<String>>::default();
    let broken = Arc::<AtomicBool>::default();
    let legacy = side(Arc::clone(&record), Arc::default());
    let rust = side(Arc::clone(&record), Arc::clone(&broken));
    let lines = "serve = \"legacy\"\nguard = {}\nplan = { comparisons = 0, schema = false }\n";
    let setup = Setup::new(&legacy).rust_at(&rust.url()).route(lines);
    let ficus = setup.env("FICUS_CANARY_SECRET_KEY", "only for this test").start();
    let journey =
        "Cookie: session=abc\nGET /items/1\nPOST /items/1 name=New&csrf_token={csrf_token}\nGET {location}\n";
    std::fs::write(ficus.file("journey.txt"), journey).unwrap();
    let drill =
        ["drill", "item", "--path", "/items/1", "--journey", "journey.txt", "--host", "crm.test", "--json"];
    let output = cli(&ficus, &drill);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(report["passed"], true, "{report:#}");
    let numbers =
        ["writes", "reads", "different", "errors"].map(|key| report["drill"][key].as_u64().unwrap());
    assert_eq!(numbers, [1, 2, 0, 0]);
    assert_eq!(*record.lock().unwrap(), "name=New");
    let written = |backend: &Backend| {
        backend.received().iter().filter(|received| received.request_line().starts_with("POST")).count()
    };
    assert_eq!((written(&rust), written(&legacy)), (1, 0));
    // Nothing of it is kept that nobody should read.
    for name in ["state/ficus.db", "state/ficus.db-wal", "access.log"] {
        let bytes = std::fs::read(ficus.file(name)).unwrap_or_default();
        assert!(!bytes.windows(11).any(|window| window == b"session=abc"), "{name}");
    }
    broken.store(true, Ordering::SeqCst);
    let output = cli(&ficus, &drill);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["drill"]["different"], 2, "{report:#}");
    assert!(!routes(&ficus).contains("testers = true"), "{}", routes(&ficus));
}

#[test]
fn a_candidate_that_hangs_is_rolled_back_before_it_times_out() {
    let legacy = Backend::saying("legacy");
    let hangs = Arc::<AtomicBool>::default();
    let asked = Arc::clone(&hangs);
    let rust = Backend::tcp(move |exchange| {
        while asked.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
        exchange.ok("rust");
        Then::Keep
    });
    let lines =
        "serve = \"legacy\"\ncanary = { percent = 50.0, group = \"g\" }\nguard = {}\ntimeout = \"10m\"\n";
    let ficus = Setup::new(&legacy)
        .rust_at(&rust.url())
        .route(lines)
        .set("listen.trusted_proxies", "127.0.0.1/32")
        .start();
    // Enough of both to know what is usual.
    ask(&ficus, 600);
    hangs.store(true, Ordering::SeqCst);
    let mut waiting: Vec<_> = (0..40).map(|_| ficus.connect()).collect();
    for (n, client) in waiting.iter_mut().enumerate() {
        client.send(format!(
            "GET /items/1 HTTP/1.1\r\nHost: crm.test\r\nX-Forwarded-For: 198.51.100.{n}\r\n\r\n"
        ));
    }
    let incidents = || std::fs::read_to_string(ficus.file("state/incidents.jsonl")).unwrap_or_default();
    eventually("the rollback, long before the timeout", || incidents().contains("\"what\":\"hung\""));
    assert!(routes(&ficus).contains("percent = 0.0"), "{}", routes(&ficus));
    hangs.store(false, Ordering::SeqCst);
    assert!(waiting.iter_mut().all(|client| client.answer().status == 200));
}
