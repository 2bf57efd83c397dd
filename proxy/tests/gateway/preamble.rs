//! The PROXY protocol: who may speak for a client, and what happens to those who should and do not.

use crate::backend::{Backend, Then};
use crate::client::Client;
use crate::ficus::{Ficus, Setup};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// Version 2, for 192.0.2.1, with four bytes of additions.
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\xc0\0\x02\x01\x7f\0\0\x01\xdc\x04\x01\xbb\x04\0\x01\x09";
/// Version 2, from the proxy itself.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn balanced(legacy: &Backend) -> Ficus {
    Setup::new(legacy).set("listen.proxy_protocol", "127.0.0.0/8").start()
}

fn saying_who() -> Backend {
    Backend::tcp(|exchange| {
        let name = "x-forwarded-for: ";
        let line = exchange.head.lines().find(|line| line.to_ascii_lowercase().starts_with(name));
        let who = line.map_or("nobody", |line| &line[name.len()..]).to_owned();
        exchange.ok(&who);
        Then::Keep
    })
}

fn ask(ficus: &Ficus, preamble: impl AsRef<[u8]>) -> Client {
    let mut client = ficus.connect();
    client.send([preamble.as_ref(), GET.as_bytes()].concat());
    client
}

#[test]
fn a_balancer_says_for_whom_it_connects() {
    let legacy = saying_who();
    let ficus = balanced(&legacy);
    for (preamble, who) in [
        (&b"PROXY TCP4 192.0.2.1 127.0.0.1 56324 80\r\n"[..], "192.0.2.1"),
        (b"PROXY TCP6 2001:db8::1 ::1 56324 80\r\n", "2001:db8::1"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (BINARY, "192.0.2.1"),
        (LOCAL, "127.0.0.1"),
    ] {
        let mut client = ask(&ficus, preamble);
        assert_eq!(client.answer().text(), who);
        assert_eq!(client.get("/").text(), who, "it holds for the whole connection");
    }
}

#[test]
fn a_preamble_may_arrive_in_pieces() {
    let legacy = saying_who();
    let ficus = balanced(&legacy);
    for preamble in [&b"PROXY TCP4 192.0.2.1 127.0.0.1 56324 80\r\n"[..], BINARY] {
        let mut client = ficus.connect();
        for byte in preamble {
            client.send([*byte]);
        }
        client.send(GET);
        assert_eq!(client.answer().text(), "192.0.2.1");
    }
}

#[test]
fn a_balancer_that_says_nothing_is_not_served() {
    let legacy = saying_who();
    let ficus = Setup::new(&legacy)
        .set("listen.proxy_protocol", "127.0.0.0/8")
        .set("timeouts.client_header", "300ms")
        .start();
    for preamble in ["", "PROXY TCP4 192.0.2.1 127.0.0.1 56324 80\n", "PROXY TCP4 x y 1 2\r\n", "PROXY"] {
        assert!(ask(&ficus, preamble).is_closed(), "{preamble:?}");
    }
    let mut slow = ficus.connect();
    slow.send("PROXY TCP4 192.0.2.1");
    assert!(slow.is_closed());
    assert_eq!(legacy.requests(), 0);
    assert!(ficus.metrics().contains("ficus_requests_rejected_total{reason=\"bad_preamble\"} 5"));
}

#[test]
fn a_stranger_cannot_say_who_they_are() {
    let legacy = saying_who();
    let ficus = Setup::new(&legacy).set("listen.proxy_protocol", "192.0.2.0/24").start();
    let mut client = ask(&ficus, "PROXY TCP4 192.0.2.1 127.0.0.1 56324 80\r\n");
    assert_eq!(client.answer().status, 400);
    assert_eq!(ask(&ficus, "").answer().text(), "127.0.0.1");
}
