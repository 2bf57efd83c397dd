//! With everything on legacy a client sees Flask's bytes.

use crate::backend::{Backend, Then};
use crate::ficus::Setup;

/// An answer as gunicorn sends it.
const FLASK: &str = "HTTP/1.1 302 FOUND\r\n\
Server: gunicorn/20.0.4\r\n\
Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
Connection: keep-alive\r\n\
Content-Type: text/html; charset=utf-8\r\n\
Content-Length: 9\r\n\
Location: http://crm.example/customers/\r\n\
Vary: Cookie\r\n\
Set-Cookie: remember_token=1|ab; Expires=Mon, 07-Nov-1994 08:49:37 GMT; Path=/\r\n\
Set-Cookie: session=.eJx; HttpOnly; Path=/\r\n\
\r\n\
Redirect\n";

#[test]
fn an_answer_is_the_same_byte_for_byte() {
    let legacy = Backend::tcp(|exchange| {
        exchange.read_body();
        exchange.send(FLASK);
        Then::Keep
    });
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    for _ in 0..2 {
        client.send("POST /login HTTP/1.1\r\nHost: crm.example\r\nContent-Length: 3\r\n\r\na=b");
        client.expect(FLASK);
    }
}

#[test]
fn errors_of_legacy_are_legacys() {
    for status in ["500 INTERNAL SERVER ERROR", "502 Bad Gateway", "503 SERVICE UNAVAILABLE", "404 NOT FOUND"]
    {
        let legacy = Backend::tcp(move |exchange| {
            exchange.answer(status, "X-From: flask\r\n", "<h1>Flask's own page</h1>");
            Then::Keep
        });
        let ficus = Setup::new(&legacy).start();
        let answer = ficus.connect().get("/");
        assert_eq!(answer.head.lines().next().unwrap(), format!("HTTP/1.1 {status}"));
        assert_eq!((answer.header("x-from"), &*answer.text()), (Some("flask"), "<h1>Flask's own page</h1>"));
        assert_eq!(legacy.requests(), 1);
    }
}

#[test]
fn answers_without_a_body_have_none() {
    let legacy = Backend::tcp(|exchange| {
        exchange.read_body();
        let status = exchange.head.split(['/', ' ']).nth(2).unwrap().to_owned();
        let length = if exchange.head.starts_with("HEAD") { "Content-Length: 1000\r\n" } else { "" };
        exchange.send(format!("HTTP/1.1 {status} X\r\n{length}ETag: \"x\"\r\n\r\n"));
        Then::Keep
    });
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    assert_eq!(client.get("/204").status, 204);
    assert_eq!(client.get("/304").status, 304);
    let head = client.request("HEAD", "/200", "", "");
    assert_eq!((head.status, head.header("content-length")), (200, Some("1000")));
    // The connection is still in step.
    assert_eq!(client.get("/204").status, 204);
}

#[test]
fn an_answer_of_http_1_0_style_reaches_modern_clients_in_chunks() {
    let legacy = Backend::tcp(|exchange| {
        exchange.send("HTTP/1.0 200 OK\r\nServer: Werkzeug/1.0.1\r\n\r\nuntil the end");
        Then::Close
    });
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    let answer = client.get("/");
    assert!(answer.head.starts_with("HTTP/1.1 200 OK"), "{}", answer.head);
    assert_eq!((answer.text().as_str(), answer.complete), ("until the end", true));
    assert_eq!(client.get("/").text(), "until the end", "the connection was kept");
}

#[test]
fn an_old_client_gets_no_chunks() {
    let legacy = Backend::tcp(|exchange| {
        exchange
            .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.header("transfer-encoding"), &*answer.text()), (None, "abcdef"), "{}", answer.head);
    assert!(client.is_closed());
}

#[test]
fn an_old_client_gets_no_interim_answers() {
    let legacy = Backend::tcp(|exchange| {
        exchange.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
        exchange.ok("done");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).start();
    let mut old = ficus.connect();
    old.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(old.head().status, 200);
    let mut modern = ficus.connect();
    modern.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(modern.head().status, 103);
    assert_eq!(modern.answer().text(), "done");
}

#[test]
fn an_answer_with_strange_framing_does_not_pass() {
    for framing in [
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: 5\r\nX: \0",
    ] {
        let legacy = Backend::tcp(move |exchange| {
            exchange.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n0\r\n\r\n"));
            Then::Close
        });
        let ficus = Setup::new(&legacy).start();
        assert_eq!(ficus.connect().get("/").status, 502, "{framing}");
    }
}

#[test]
fn what_an_answers_connection_header_names_ends_here() {
    let legacy = Backend::tcp(|exchange| {
        exchange.answer("200 OK", "Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n", "x");
        Then::Close
    });
    let ficus = Setup::new(&legacy).start();
    let answer = ficus.connect().get("/");
    assert_eq!((answer.header("x-hop"), answer.header("keep-alive")), (None, None), "{}", answer.head);
}
