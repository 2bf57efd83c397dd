//! Clients that send slowly: they keep no backend waiting, and take no place from others.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::backend::{Backend, Then};
use crate::client::Client;
use crate::ficus::{Ficus, Setup, eventually};

/// Answers when it has read all of a request; as gunicorn does.
fn reader() -> Backend {
    Backend::tcp(|exchange| {
        let length = exchange.read_body().len();
        exchange.ok(&length.to_string());
        Then::Close
    })
}

/// A client that has sent the head and a part of the body.
fn begin(ficus: &Ficus, header: &str, part: &str) -> Client {
    let mut client = ficus.connect();
    client.send(format!("POST /slow HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n{part}"));
    client
}

#[test]
fn a_small_body_is_there_before_the_backend_is_asked() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    let mut slow = begin(&ficus, "Content-Length: 65536", "first");
    eventually("the first part", || ficus.metric("ficus_requests_in_progress") == 1);
    assert_eq!(ficus.connect().get("/other").status, 200);
    assert_eq!(legacy.only().request_line(), "GET /other HTTP/1.1");
    slow.send("x".repeat(65_531));
    assert_eq!(slow.answer().text(), "legacy");
    let came = legacy.received();
    assert_eq!((came.len(), came[1].body.len()), (2, 65_536));
    assert!(came[1].body.starts_with(b"firstxxx"));
}

#[test]
fn what_streams_is_with_the_backend_at_once() {
    for (header, part, rest, switch) in [
        ("Content-Length: 65537", "first", "x".repeat(65_532), "true"),
        ("Transfer-Encoding: chunked", "5\r\nfirst\r\n", "0\r\n\r\n".to_owned(), "true"),
        ("Content-Length: 10\r\nExpect: 100-continue", "first", "other".to_owned(), "true"),
        ("Content-Length: 10", "first", "other".to_owned(), "false"),
    ] {
        let (arrived, arrivals) = channel();
        let arrived = Mutex::new(arrived);
        let legacy = Backend::tcp(move |exchange| {
            arrived.lock().unwrap().send(()).unwrap();
            let length = exchange.read_body().len();
            exchange.ok(&length.to_string());
            Then::Close
        });
        let ficus = Setup::new(&legacy).set("limits.buffer_bodies", switch).start();
        let mut client = begin(&ficus, header, part);
        arrivals.recv().unwrap();
        client.send(rest);
        assert_eq!(client.answer().status, 200, "{header}");
    }
}

#[test]
fn slow_senders_leave_places_to_others() {
    let legacy = reader();
    let ficus = Setup::new(&legacy).legacy_key("max_requests = 4, queue = 0").start();
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(begin(&ficus, "Content-Length: 1000", "x"));
    }
    for (header, part) in [
        ("Content-Length: 1000000", "x"),
        ("Transfer-Encoding: chunked", "1\r\nx\r\n"),
        ("Content-Length: 10\r\nExpect: 100-continue", ""),
    ] {
        for _ in 0..3 {
            crowd.push(begin(&ficus, header, part));
        }
    }
    eventually("all who may stream", || ficus.backend("legacy")["in_flight"] == 3);
    let mut refused = || crowd.iter_mut().map(Client::has_answer).filter(|is_there| *is_there).count();
    eventually("an answer for the others", || refused() == 6);
    assert_eq!(ficus.connect().get("/items/7").text(), "0");
    assert_eq!(ficus.connect().request("POST", "/items/7", "", "body").text(), "4");
    eventually("nobody but the slow ones", || ficus.metric("ficus_requests_in_progress") == 103);
}

#[test]
fn who_stops_sending_gets_a_408_and_no_backend_hears_of_it() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("timeouts.client_body", "300ms").start();
    let mut silent = begin(&ficus, "Content-Length: 100", "half");
    assert_eq!(silent.answer().status, 408);
    assert_eq!(ficus.log(1)[0]["reason"], "slow_body");
    let mut gone = begin(&ficus, "Content-Length: 100", "half");
    gone.finish();
    assert_eq!(ficus.log(2)[1]["reason"], "client_left");
    assert_eq!(legacy.requests(), 0);
}

#[test]
fn what_a_client_takes_for_its_body_is_not_the_backends_time() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).route("serve = \"legacy\"\ntotal_timeout = \"300ms\"\n").start();
    let mut slow = ficus.connect();
    slow.send("POST /items/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf");
    std::thread::sleep(Duration::from_millis(400));
    slow.send("half");
    assert_eq!(slow.answer().text(), "legacy");
}

#[test]
fn bodies_without_memory_stream() {
    let legacy = reader();
    let ficus = Setup::new(&legacy).set("limits.replay_memory", "20KiB").start();
    let part = "x".repeat(30_000);
    let mut first = begin(&ficus, "Content-Length: 60000", &part);
    eventually("the first with the backend", || ficus.backend("legacy")["in_flight"] == 1);
    first.send(&part);
    assert_eq!(first.answer().text(), "60000");
    // What it had is free again.
    let mut second = begin(&ficus, "Content-Length: 10000", "");
    assert_eq!(ficus.connect().request("POST", "/other", "", &"x".repeat(5_000)).text(), "5000");
    second.send("x".repeat(10_000));
    assert_eq!(second.answer().text(), "10000");
}

#[test]
fn an_answer_counts_although_its_backend_did_not_take_the_body() {
    let legacy = Backend::tcp(|exchange| {
        exchange.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large");
        Then::Close
    });
    let ficus = Setup::new(&legacy).start();
    let body = "x".repeat(60_000);
    for _ in 0..50 {
        let answer = ficus.connect().request("POST", "/", "", &body);
        assert_eq!((answer.status, answer.text().as_str()), (413, "too large"));
    }
    assert_eq!(legacy.requests(), 50, "none was sent twice");
}
