//! Requests that wait: for a place on a backend that is full, for one that is down. Always bounded.

use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::backend::{Backend, Then};
use crate::client::Client;
use crate::ficus::{Directory, Ficus, Setup, eventually};

/// A backend that answers each request with its path, when it is told to.
fn held() -> (Backend, Sender<()>, Receiver<String>) {
    let (entered, arrivals) = channel();
    let (release, wait) = channel::<()>();
    let (entered, wait) = (Mutex::new(entered), Mutex::new(wait));
    let backend = Backend::tcp(move |exchange| {
        let path = exchange.head.split(' ').nth(1).unwrap().to_owned();
        let _ = entered.lock().unwrap().send(path.clone());
        let _ = wait.lock().unwrap().recv();
        exchange.ok(&path);
        Then::Keep
    });
    (backend, release, arrivals)
}

fn asking(ficus: &Ficus, path: &str) -> Client {
    let mut client = ficus.connect();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    client
}

fn waiting(ficus: &Ficus, reason: &str) -> u64 {
    ficus.metric(&format!("ficus_backend_requests_waiting{{backend=\"legacy\",reason=\"{reason}\"}}"))
}

#[test]
fn requests_wait_for_a_place_in_order_and_the_queue_has_an_end() {
    let (legacy, release, arrivals) = held();
    let rust = Backend::saying("rust");
    let ficus = Setup::new(&legacy)
        .candidate(&rust)
        .legacy_key("max_requests = 1, queue = 2, queue_wait = \"5m\"")
        .start();
    let mut first = asking(&ficus, "/1");
    assert_eq!(arrivals.recv().unwrap(), "/1");
    let mut second = asking(&ficus, "/2");
    eventually("one that waits", || waiting(&ficus, "place") == 1);
    let mut third = asking(&ficus, "/3");
    eventually("two that wait", || waiting(&ficus, "place") == 2);
    let refused = ficus.connect().get("/4");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert_eq!(
        ficus.connect().get("/items/7").text(),
        "rust",
        "a full Flask is no concern of what Rust serves"
    );
    for (client, path) in [(&mut first, "/1"), (&mut second, "/2"), (&mut third, "/3")] {
        release.send(()).unwrap();
        assert_eq!(client.answer().text(), path);
    }
    assert_eq!(arrivals.try_iter().collect::<Vec<_>>(), ["/2", "/3"]);
    assert_eq!(ficus.metric("ficus_backend_troubles_total{backend=\"legacy\",reason=\"busy\"}"), 1);
}

#[test]
fn nobody_waits_for_a_place_for_ever() {
    let (legacy, release, arrivals) = held();
    let setup = Setup::new(&legacy).legacy_key("max_requests = 1, queue_wait = \"200ms\"");
    let ficus = setup.start();
    let mut first = asking(&ficus, "/1");
    arrivals.recv().unwrap();
    let late = ficus.connect().request("POST", "/2", "", "x");
    assert_eq!((late.status, late.header("retry-after")), (503, Some("5")));
    assert_eq!(ficus.log(1)[0]["reason"], "busy");
    release.send(()).unwrap();
    assert_eq!(first.answer().text(), "/1");
    assert_eq!(legacy.requests(), 1);
}

#[test]
fn a_dead_candidate_leaves_legacy_room_for_its_own() {
    let (legacy, release, arrivals) = held();
    let ficus = Setup::new(&legacy)
        .candidate_at("unix:/nonexistent/handlers.sock")
        .legacy_key("max_requests = 2, fallback_requests = 1, queue = 1, queue_wait = \"5m\"")
        .start();
    let mut relieved = asking(&ficus, "/items/1");
    assert_eq!(arrivals.recv().unwrap(), "/items/1");
    let mut second = asking(&ficus, "/items/2");
    eventually("one that waits for relief", || waiting(&ficus, "place") == 1);
    assert_eq!(ficus.connect().get("/items/3").status, 503, "one place is for relief, and one waits for it");
    let mut own = asking(&ficus, "/own");
    assert_eq!(arrivals.recv().unwrap(), "/own");
    for _ in 0..3 {
        release.send(()).unwrap();
    }
    assert_eq!((relieved.answer().status, own.answer().status, second.answer().status), (200, 200, 200));
}

fn flask(socket: &Path) -> Backend {
    Backend::unix(socket, |exchange| {
        let text = format!("legacy {}", exchange.read_body().len());
        exchange.ok(&text);
        Then::Close
    })
}

#[test]
fn a_short_outage_is_not_noticed() {
    let directory = Directory::new();
    let socket = directory.path().join("legacy.sock");
    let legacy = flask(&socket);
    let ficus = Setup::new(&legacy).set("timeouts.connect", "1m").start();
    assert_eq!(ficus.connect().get("/").text(), "legacy 0");
    drop(legacy);
    let mut clients: Vec<Client> = ["GET", "POST", "DELETE"]
        .iter()
        .map(|method| {
            let mut client = ficus.connect();
            client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"));
            client
        })
        .collect();
    eventually("three that wait", || waiting(&ficus, "return") == 3);
    let legacy = flask(&socket);
    for client in &mut clients {
        assert_eq!(client.answer().text(), "legacy 4");
    }
    assert_eq!(legacy.requests(), 3, "each of them once");
}

#[test]
fn the_waiting_room_has_so_many_seats() {
    let directory = Directory::new();
    let socket = directory.path().join("legacy.sock");
    let legacy = flask(&socket);
    let ficus = Setup::new(&legacy).legacy_key("queue = 1").set("timeouts.connect", "1m").start();
    drop(legacy);
    let mut waits = asking(&ficus, "/");
    eventually("one that waits", || waiting(&ficus, "return") == 1);
    assert_eq!(ficus.connect().get("/").status, 502);
    let _legacy = flask(&socket);
    assert_eq!(waits.answer().text(), "legacy 0");
}

#[test]
fn nobody_waits_longer_than_the_connect_time() {
    let directory = Directory::new();
    let socket = directory.path().join("legacy.sock");
    let ficus = Setup::new(&flask(&socket)).set("timeouts.connect", "300ms").start();
    let _ = std::fs::remove_file(&socket);
    assert_eq!(ficus.connect().get("/").status, 502);
    assert_eq!(ficus.log(1)[0]["reason"], "unreachable");
    let waits = "ficus_backend_waits_total{backend=\"legacy\",reason=\"return\"}";
    assert_eq!(ficus.metric(waits), 1);
}

#[test]
fn a_safe_request_survives_a_restart_and_others_are_not_repeated() {
    let directory = Directory::new();
    let socket = directory.path().join("legacy.sock");
    let (entered, arrivals) = channel();
    let (release, wait) = channel::<()>();
    let (entered, wait) = (Mutex::new(entered), Mutex::new(wait));
    // Takes requests, and is killed before it answers.
    let dying = Backend::unix(&socket, move |exchange| {
        exchange.read_body();
        entered.lock().unwrap().send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
        Then::Close
    });
    let ficus = Setup::new(&dying).set("timeouts.connect", "1m").start();
    let mut get = asking(&ficus, "/");
    arrivals.recv().unwrap();
    let mut post = ficus.connect();
    post.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    arrivals.recv().unwrap();
    drop(dying);
    drop(release);
    let answer = post.answer();
    assert_eq!(answer.status, 502);
    eventually("the GET waits", || waiting(&ficus, "return") == 1);
    let legacy = flask(&socket);
    assert_eq!(get.answer().text(), "legacy 0");
    assert_eq!(legacy.requests(), 1);
}

#[test]
fn a_server_that_dies_process_by_process_costs_no_safe_request() {
    let directory = Directory::new();
    let socket = directory.path().join("legacy.sock");
    let (entered, arrivals) = channel();
    let (release, wait) = channel::<()>();
    let (entered, wait) = (Mutex::new(entered), Mutex::new(wait));
    let deaths = std::sync::atomic::AtomicUsize::new(0);
    let path = socket.clone();
    let dying = Backend::unix(&socket, move |exchange| {
        exchange.read_body();
        // The second process takes the socket along.
        if deaths.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
            let _ = std::fs::remove_file(&path);
        }
        entered.lock().unwrap().send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
        Then::Close
    });
    let ficus = Setup::new(&dying).set("timeouts.connect", "1m").start();
    let mut get = asking(&ficus, "/");
    arrivals.recv().unwrap();
    release.send(()).unwrap();
    arrivals.recv().unwrap();
    release.send(()).unwrap();
    eventually("the GET waits", || waiting(&ficus, "return") == 1);
    let legacy = flask(&socket);
    assert_eq!(get.answer().text(), "legacy 0");
    assert_eq!((dying.requests(), legacy.requests()), (2, 1));
}
