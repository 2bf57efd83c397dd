//! Large bodies whose candidate does not answer: the fallback gets every byte, or it is said why not.

use std::io::Write;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use crate::backend::{Backend, Exchange, Then, nobody};
use crate::ficus::{Ficus, Setup, eventually};

const DEFER: &str = "HTTP/1.1 503 Service Unavailable\r\nX-Ficus-Defer: 1\r\nContent-Length: 0\r\n\r\n";

/// A body in which every byte that is lost, doubled or moved shows.
fn body(size: usize) -> String {
    (0..size).map(|at| char::from(b'a' + (at * 7 + at / 251 * 3) as u8 % 26)).collect()
}

fn legacy() -> Backend {
    Backend::tcp(|exchange| {
        exchange.read_body();
        exchange.ok("legacy");
        Then::Keep
    })
}

fn deferring() -> Backend {
    Backend::tcp(|exchange: &mut Exchange<'_>| {
        exchange.read_body();
        exchange.send(DEFER);
        Then::Close
    })
}

#[track_caller]
fn arrived(backend: &Backend, body: &str) {
    let received = backend.only().body;
    assert_eq!(received.len(), body.len());
    assert!(received == body.as_bytes(), "the body is not the same");
}

#[test]
fn a_deferred_form_arrives_whole() {
    for size in [65_536, 65_537, 131_072, 131_073, 200 * 1024, 1024 * 1024] {
        let (legacy, rust) = (legacy(), deferring());
        let ficus = Setup::new(&legacy).candidate(&rust).start();
        let body = body(size);
        let answer = ficus.connect().request("POST", "/items/7", "", &body);
        assert_eq!(answer.text(), "legacy", "{size}");
        arrived(&rust, &body);
        arrived(&legacy, &body);
        let logged = ficus.log(1).pop().unwrap();
        assert_eq!((&logged["fallback"], logged["unkept"].is_null()), (&"deferred".into(), true), "{logged}");
    }
}

#[test]
fn a_handler_that_defers_before_it_has_read_the_body_is_no_trouble() {
    let legacy = legacy();
    let rust = Backend::tcp(|exchange| {
        exchange.send(DEFER);
        Then::Close
    });
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    let body = body(300_000);
    let mut client = ficus.connect();
    client.send("POST /items/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n");
    // The last part follows when the candidate has answered.
    client.send(&body[..250_000]);
    eventually("the candidate", || rust.requests() == 1);
    client.send(&body[250_000..]);
    assert_eq!(client.answer().text(), "legacy");
    arrived(&legacy, &body);
}

#[test]
fn a_candidate_that_is_not_there_loses_no_byte() {
    let legacy = legacy();
    let ficus = Setup::new(&legacy).candidate_at(&nobody()).start();
    let body = body(500_000);
    assert_eq!(ficus.connect().request("PUT", "/items/7", "", &body).text(), "legacy");
    arrived(&legacy, &body);
}

#[test]
fn a_large_upload_that_broke_off_is_not_repeated() {
    let legacy = legacy();
    let rust = Backend::tcp(|exchange| {
        exchange.read_body();
        Then::Close
    });
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    let answer = ficus.connect().request("POST", "/items/7", "", &body(200_000));
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("may have been carried out"), "{}", answer.text());
    assert_eq!((rust.requests(), legacy.requests()), (1, 0));
}

#[test]
fn who_asked_for_leave_to_continue_need_not_ask_again() {
    let legacy = legacy();
    let rust = Backend::tcp(|exchange| {
        exchange.send("HTTP/1.1 100 Continue\r\n\r\n");
        exchange.read_body();
        exchange.send(DEFER);
        Then::Close
    });
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    let body = body(100_000);
    let mut client = ficus.connect();
    client
        .send("POST /items/7 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n");
    assert_eq!(client.head().status, 100);
    client.send(&body);
    assert_eq!(client.head().status, 200);
    arrived(&legacy, &body);
    assert_eq!(legacy.only().header("expect"), None);
}

#[track_caller]
fn lost(ficus: &Ficus, unkept: &str) {
    let logged = ficus.log(1).pop().unwrap();
    assert_eq!(
        (&logged["unkept"], &logged["unrepeatable"]),
        (&unkept.into(), &"deferred".into()),
        "{logged}"
    );
    let metric = format!("ficus_bodies_not_kept_total{{route=\"item\",reason=\"{unkept}\"}}");
    assert_eq!(ficus.metric(&metric), 1);
}

#[test]
fn what_is_too_large_streams_and_says_that_it_lost_its_fallback() {
    let (legacy, rust) = (legacy(), deferring());
    let ficus = Setup::new(&legacy).candidate(&rust).set("limits.replay_bytes", "100000").start();
    let answer = ficus.connect().request("POST", "/items/7", "", &body(100_001));
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("too large to be sent a second time"), "{}", answer.text());
    lost(&ficus, "too_large");
    assert_eq!(legacy.requests(), 0);
}

#[test]
fn the_memory_for_bodies_is_bounded() {
    let (halfway, is_halfway) = channel();
    let halfway = Mutex::new(halfway);
    let legacy = legacy();
    let rust = Backend::tcp(move |exchange| {
        let mut read = 0;
        while read < 100_000 {
            let before = read;
            read += exchange.receive().len();
            if (before..=read).contains(&50_000) {
                halfway.lock().unwrap().send(()).unwrap();
            }
        }
        exchange.send(DEFER);
        Then::Close
    });
    let ficus = Setup::new(&legacy).candidate(&rust).set("limits.replay_memory", "120000").start();
    let body = body(100_000);
    let mut slow = ficus.connect();
    slow.send("POST /items/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    slow.send(&body[..50_000]);
    is_halfway.recv().unwrap();
    assert_eq!(ficus.connect().request("POST", "/items/8", "", &body).status, 502);
    assert_eq!(ficus.log(1)[0]["unkept"], "no_memory");
    slow.send(&body[50_000..]);
    assert_eq!(slow.answer().text(), "legacy");
    ficus.log(2);
    assert_eq!(ficus.connect().request("POST", "/items/9", "", &body).text(), "legacy", "and is free again");
}

#[test]
fn a_body_of_unknown_length_is_kept_too() {
    for (size, status) in [(60_000, 200), (70_000, 200), (300_000, 200), (500_001, 502)] {
        let (legacy, rust) = (legacy(), deferring());
        let ficus = Setup::new(&legacy).candidate(&rust).set("limits.replay_bytes", "500000").start();
        let body = body(size);
        let mut client = ficus.connect();
        client.send("POST /items/7 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for part in body.as_bytes().chunks(10_000) {
            let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
            chunk.write_all(part).unwrap();
            chunk.extend_from_slice(b"\r\n");
            client.send(chunk);
        }
        client.send("0\r\n\r\n");
        assert_eq!(client.answer().status, status, "{size}");
        match status {
            200 => arrived(&legacy, &body),
            _ => lost(&ficus, "too_large"),
        }
    }
}

#[test]
fn what_is_kept_streams_all_the_same() {
    let (come, comes) = channel();
    let come = Mutex::new(come);
    let legacy = legacy();
    let rust = Backend::tcp(move |exchange| {
        exchange.receive();
        come.lock().unwrap().send(()).unwrap();
        exchange.send(DEFER);
        Then::Close
    });
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    let mut client = ficus.connect();
    client.send("POST /items/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\nf");
    comes.recv().unwrap();
    let body = body(199_999);
    client.send(&body);
    assert_eq!(client.answer().text(), "legacy");
    arrived(&legacy, &format!("f{body}"));
}

#[test]
fn a_route_without_a_fallback_streams_at_once() {
    let legacy = legacy();
    let arrived = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let streaming = Backend::tcp({
        let arrived = Arc::clone(&arrived);
        move |exchange| {
            exchange.receive();
            arrived.store(true, std::sync::atomic::Ordering::SeqCst);
            Then::Close
        }
    });
    let ficus = Setup::new(&legacy).legacy_at(&[streaming.url()]).start();
    let mut client = ficus.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\nfirst");
    eventually("the first bytes", || arrived.load(std::sync::atomic::Ordering::SeqCst));
}
