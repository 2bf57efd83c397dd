//! Connections: kept, reused, pipelined, closed; and the life of the process around them.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::backend::{Backend, Then};
use crate::client::Client;
use crate::ficus::{Setup, eventually, refused};

/// Requests that must not be repeated may go over connections that have rested.
const WRITES: &str = "reuse_for_writes = \"20s\"";

#[test]
fn pipelined_requests_are_answered_in_order() {
    let legacy = Backend::tcp(|exchange| {
        let path = exchange.head.split(' ').nth(1).unwrap().to_owned();
        exchange.ok(&path);
        Then::Keep
    });
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send(format!("{}{}{}", request("/1"), request("/2"), request("/3")));
    for path in ["/1", "/2", "/3"] {
        assert_eq!(client.answer().text(), path);
    }
}

#[test]
fn a_request_that_arrives_during_another_waits_for_its_turn() {
    let (entered, arrivals) = channel();
    let (release, wait) = channel::<()>();
    let (entered, wait) = (Mutex::new(entered), Mutex::new(wait));
    let legacy = Backend::tcp(move |exchange| {
        entered.lock().unwrap().send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        exchange.ok("done");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    arrivals.recv().unwrap();
    client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    release.send(()).unwrap();
    assert_eq!(client.answer().status, 200);
    arrivals.recv().unwrap();
    release.send(()).unwrap();
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_client_that_stops_sending_still_gets_its_answer_to_a_post() {
    let (release, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let legacy = Backend::tcp(move |exchange| {
        wait.lock().unwrap().recv().unwrap();
        exchange.ok("done");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    client.finish();
    eventually("the request at the backend", || legacy.requests() == 1);
    release.send(()).unwrap();
    assert_eq!(client.answer().text(), "done");
}

#[test]
fn safe_requests_share_a_connection_and_others_have_their_own() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("timeouts.upstream_idle", "20s").start();
    let mut client = ficus.connect();
    for _ in 0..5 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(legacy.connections(), 1);
    for _ in 0..3 {
        assert_eq!(client.request("POST", "/", "", "x").status, 200);
    }
    assert_eq!(legacy.connections(), 4);
    assert_eq!(legacy.received().last().unwrap().all("connection"), ["close"]);
}

#[test]
fn others_share_connections_where_that_is_allowed() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("timeouts.upstream_idle", "20s").legacy_key(WRITES).start();
    let mut client = ficus.connect();
    for (method, body) in [("POST", "x"), ("GET", ""), ("PUT", "yy"), ("DELETE", "")] {
        assert_eq!(client.request(method, "/", "", body).status, 200, "{method}");
    }
    assert_eq!(legacy.connections(), 1);
    assert_eq!(legacy.received().last().unwrap().all("connection"), [""; 0]);
}

#[test]
fn who_shares_them_pays_with_an_error_and_never_with_a_second_execution() {
    // Reads the second request of a connection, and leaves: nobody knows whether it was executed.
    let legacy = Backend::tcp(|exchange| {
        if exchange.head.contains("/last") {
            exchange.read_body();
            return Then::Close;
        }
        exchange.ok("legacy");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).set("timeouts.upstream_idle", "20s").legacy_key(WRITES).start();
    let mut client = ficus.connect();
    assert_eq!(client.request("POST", "/", "", "x").status, 200);
    assert_eq!(client.request("POST", "/last", "", "x").status, 502);
    assert_eq!((legacy.requests(), legacy.connections()), (2, 1), "on the same connection, and only there");
    assert_eq!(ficus.connect().request("POST", "/", "", "x").status, 200);
    assert_eq!(legacy.requests(), 3);
}

#[test]
fn a_connection_whose_request_was_not_sent_to_its_end_is_not_shared() {
    // Answers before the body has come, and promises to keep the connection.
    let legacy = Backend::tcp(|exchange| {
        if exchange.head.contains("/early") {
            exchange.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nlogin");
            exchange.read_body();
        } else {
            exchange.ok("legacy");
        }
        Then::Keep
    });
    let ficus = Setup::new(&legacy).set("timeouts.upstream_idle", "20s").legacy_key(WRITES).start();
    for method in ["POST", "GET"] {
        let mut early = ficus.connect();
        early.send(format!("{method} /early HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\nhalf"));
        assert_eq!(early.answer().status, 401);
        drop(early);
        let mut next = ficus.connect();
        for _ in 0..5 {
            assert_eq!(next.request("POST", "/", "", "x").text(), "legacy", "after {method}");
        }
    }
    let lines: Vec<String> = legacy.received().iter().map(|one| one.request_line().to_owned()).collect();
    assert!(lines.iter().all(|line| line.ends_with(" HTTP/1.1")), "{lines:?}");
    assert_eq!(lines.len(), 12, "{lines:?}");
}

#[test]
fn a_backend_that_closes_idle_connections_costs_no_request() {
    // Answers, promises to keep the connection, and closes it: as gunicorn does two seconds later.
    let legacy = Backend::tcp(|exchange| {
        exchange.ok("legacy");
        Then::Close
    });
    let ficus = Setup::new(&legacy).set("timeouts.upstream_idle", "20s").start();
    let mut client = ficus.connect();
    for round in 0..200 {
        let method = if round % 2 == 0 { "POST" } else { "GET" };
        assert_eq!(client.request(method, "/", "", "x").status, 200, "{method} {round}");
    }
    assert_eq!(legacy.requests(), 200, "and none is executed twice");
}

#[test]
fn a_stop_answers_what_has_begun_and_then_ends_at_once() {
    let (release, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let legacy = Backend::tcp(move |exchange| {
        if exchange.head.starts_with("GET /slow") {
            wait.lock().unwrap().recv().unwrap();
        }
        exchange.ok("done");
        Then::Keep
    });
    let mut ficus = Setup::new(&legacy).set("timeouts.drain", "5m").start();
    let address = ficus.http();
    let mut idle = ficus.connect();
    assert_eq!(idle.get("/").status, 200);
    let mut busy = ficus.connect();
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request at the backend", || legacy.requests() == 2);
    ficus.signal("TERM");
    ficus.wait_for("stopping");
    assert!(idle.is_closed());
    eventually("a closed listener", || std::net::TcpStream::connect(address).is_err());
    assert!(ficus.is_running());
    release.send(()).unwrap();
    let answer = busy.answer();
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("done", Some("close")));
    assert!(ficus.ended().success());
    assert!(ficus.said().contains("every request was answered"));
}

#[test]
fn a_kept_connection_may_bring_one_more_request_during_a_stop() {
    let legacy = Backend::saying("legacy");
    let mut ficus = Setup::new(&legacy).start();
    let mut clients: Vec<Client> = (0..4).map(|_| ficus.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").header("connection"), Some("keep-alive"));
    }
    ficus.signal("TERM");
    ficus.wait_for("stopping");
    for client in &mut clients {
        assert_eq!(client.get("/").header("connection"), Some("close"));
        assert!(client.is_closed());
    }
    assert!(ficus.ended().success());
}

#[test]
fn a_stop_is_not_delayed_beyond_its_time_or_a_second_signal() {
    for (drain, second_signal) in [("300ms", false), ("5m", true)] {
        let (release, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        let legacy = Backend::tcp(move |_| {
            let _ = wait.lock().unwrap().recv();
            Then::Close
        });
        let mut ficus = Setup::new(&legacy).set("timeouts.drain", drain).start();
        let mut client = ficus.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        eventually("the request at the backend", || legacy.requests() == 1);
        ficus.signal("INT");
        ficus.wait_for("stopping");
        if second_signal {
            ficus.signal("INT");
        }
        assert!(ficus.ended().success());
        assert!(ficus.said().contains("before every request was answered"));
        drop(release);
    }
}

#[test]
fn an_address_in_use_is_named_in_one_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(&[("FICUS_LISTEN_HTTP", &address), ("FICUS_LISTEN_ADMIN", "127.0.0.1:0")]);
    assert!(said.contains(&format!("cannot listen on `{address}`")), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
