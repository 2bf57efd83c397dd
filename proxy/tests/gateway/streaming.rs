//! Nothing is held back: not a head, not a chunk, in neither direction. Every test here would hang if it were: each
//! side waits for what the other has sent before it goes on.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::backend::{Backend, Then};
use crate::ficus::Setup;

#[test]
fn the_first_chunk_does_not_wait_for_the_second() {
    let (confirm, confirmed) = channel();
    let confirmed = Mutex::new(confirmed);
    let legacy = Backend::tcp(move |exchange| {
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        confirmed.lock().unwrap().recv().unwrap();
        exchange.send("6\r\nsecond\r\n0\r\n\r\n");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.head().header("transfer-encoding"), Some("chunked"));
    client.expect("5\r\nfirst\r\n");
    confirm.send(()).unwrap();
    client.expect("6\r\nsecond\r\n0\r\n\r\n");
}

#[test]
fn a_head_does_not_wait_for_its_body() {
    for framing in ["Transfer-Encoding: chunked\r\nContent-Type: text/event-stream", "Content-Length: 10"] {
        let (confirm, confirmed) = channel();
        let confirmed = Mutex::new(confirmed);
        let legacy = Backend::tcp(move |exchange| {
            exchange.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n"));
            confirmed.lock().unwrap().recv().unwrap();
            Then::Close
        });
        let ficus = Setup::new(&legacy).start();
        let mut client = ficus.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.head().status, 200, "{framing}");
        confirm.send(()).unwrap();
    }
}

#[test]
fn a_body_of_known_length_is_not_held_until_it_is_complete() {
    let (confirm, confirmed) = channel();
    let confirmed = Mutex::new(confirmed);
    let legacy = Backend::tcp(move |exchange| {
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nfirst");
        confirmed.lock().unwrap().recv().unwrap();
        exchange.send("second");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head();
    client.expect("first");
    confirm.send(()).unwrap();
    client.expect("second");
}

#[test]
fn an_upload_arrives_as_it_is_sent() {
    let (arrive, arrivals) = channel();
    let arrive = Mutex::new(arrive);
    let legacy = Backend::tcp(move |exchange| {
        let mut body = Vec::new();
        while !body.ends_with(b"0\r\n\r\n") {
            body.extend(exchange.receive());
            arrive.lock().unwrap().send(body.clone()).unwrap();
        }
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Then::Close
    });
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    // The size of a chunk may arrive before what is in it; the second chunk is not sent before the first is there.
    while !arrivals.recv().unwrap().starts_with(b"5\r\nfirst") {}
    client.send("6\r\nsecond\r\n0\r\n\r\n");
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn a_large_upload_and_a_large_answer_pass_whole() {
    let legacy = Backend::tcp(|exchange| {
        let body = exchange.read_body();
        let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
        exchange.answer("200 OK", &format!("X-Sum: {sum}\r\n"), &"y".repeat(3_000_000));
        Then::Keep
    });
    let ficus = Setup::new(&legacy).start();
    let answer = ficus.connect().request("POST", "/", "", &"x".repeat(3_000_000));
    assert_eq!(answer.header("x-sum"), Some(&*(3_000_000 * u64::from(b'x')).to_string()));
    assert_eq!((answer.body.len(), answer.complete), (3_000_000, true));
}

#[test]
fn a_client_may_wait_for_leave_to_continue() {
    let legacy = Backend::tcp(|exchange| {
        exchange.send("HTTP/1.1 100 Continue\r\n\r\n");
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        Then::Keep
    });
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.head().status, 100);
    client.send("body");
    assert_eq!(client.answer().text(), "body");
}

#[test]
fn a_websocket_is_a_tunnel() {
    let legacy = Backend::tcp(|exchange| {
        exchange
            .send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
        loop {
            let bytes = exchange.receive();
            if bytes.is_empty() {
                return Then::Close;
            }
            exchange.send(bytes.to_ascii_uppercase());
        }
    });
    // A tunnel may be silent for longer than a request may take.
    let ficus =
        Setup::new(&legacy).set("timeouts.upstream", "200ms").set("timeouts.client_body", "200ms").start();
    let mut client = ficus.connect();
    client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.head().status, 101);
    client.send("hello");
    client.expect("HELLO");
    std::thread::sleep(std::time::Duration::from_millis(500));
    client.send("again");
    client.expect("AGAIN");
    client.finish();
    assert!(client.is_closed());
}

#[test]
fn no_tunnel_opens_without_being_asked_for() {
    let legacy = Backend::tcp(|exchange| {
        exchange.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
        Then::Close
    });
    let ficus = Setup::new(&legacy).start();
    for headers in ["", "Connection: Upgrade\r\nUpgrade: h2c\r\n", "Upgrade: websocket\r\n"] {
        assert_eq!(ficus.connect().request("GET", "/", headers, "").status, 502, "{headers}");
    }
}

#[test]
fn an_answer_that_breaks_off_does_not_look_complete() {
    for start in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
    ] {
        let legacy = Backend::tcp(move |exchange| {
            exchange.send(start);
            Then::Close
        });
        let ficus = Setup::new(&legacy).start();
        let answer = ficus.connect().get("/");
        assert!(!answer.complete, "{start:?}");
        assert_eq!(ficus.log(1)[0]["reason"], "truncated");
    }
}
