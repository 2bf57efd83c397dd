//! Requests whose bounds are ambiguous, or that are no HTTP, never reach a backend.

use crate::backend::{Backend, Then};
use crate::client::Client;
use crate::ficus::Setup;

/// Sends bytes on a connection of its own and returns the status.
fn status_of(client: &mut Client, bytes: &str) -> u16 {
    client.send(bytes);
    client.answer().status
}

#[test]
fn ambiguous_requests_are_refused() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    let cases = [
        (
            400,
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            400,
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        ),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
        (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nContent-Length : 0\r\nHost: a\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: 1\nY: 2\r\n\r\n"),
        (400, "GET / HTTP/1.1\nHost: a\n\n"),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
    ];
    for (expected, request) in cases {
        assert_eq!(status_of(&mut ficus.connect(), request), expected, "{request:?}");
    }
    assert_eq!(legacy.requests(), 0);
}

#[test]
fn what_the_shim_answers_is_not_for_outside() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    for target in ["/_shim/session", "/_shim/user?x=1", "/%5fshim/health", "http://a/_shim/session"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(status_of(&mut ficus.connect(), &request), 404, "{request:?}");
    }
    assert_eq!(legacy.requests(), 0);
    assert_eq!(status_of(&mut ficus.connect(), "GET /_shimmer HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
}

#[test]
fn a_request_names_one_host() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    for host in
        ["", "Host: a\r\nHost: a\r\n", "Host: \r\n", "Host: a b\r\n", "Host: a/b\r\n", "Host: u@a\r\n"]
    {
        let request = format!("GET / HTTP/1.1\r\n{host}\r\n");
        assert_eq!(status_of(&mut ficus.connect(), &request), 400, "{request:?}");
    }
    assert_eq!(legacy.requests(), 0);
    assert_eq!(status_of(&mut ficus.connect(), "GET / HTTP/1.0\r\n\r\n"), 200, "1.0 knows no Host");
}

#[test]
fn a_target_is_a_path() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    let refused =
        ["index.html", "/a#b", "*", "http://other.example/", "/a b", "/a\tb", "/a\0", "/<a>", "/\"a\""];
    for target in refused.into_iter().chain(["//"]) {
        let expected = if target == "//" { 200 } else { 400 };
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(status_of(&mut ficus.connect(), &request), expected, "{target}");
    }
    assert_eq!(status_of(&mut ficus.connect(), "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"), 405);
    assert_eq!(legacy.requests(), 1);
}

#[test]
fn bytes_that_are_no_http_get_a_plain_400_and_are_counted() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    client.send("\x16\x03\x01 hello\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("server")), (400, None), "{}", answer.head);
    assert!(client.is_closed());
    assert!(ficus.metrics().contains("ficus_requests_rejected_total{reason=\"bad_request_line\"} 1"));
}

#[test]
fn path_bytes_reach_the_backend_as_they_were() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    let paths =
        ["/a//b", "/%2e%2e/x", "/../x", "/a%2Fb", "/a?", "/a?b=%20&c=1+2", "/%E4%B8%AD", "/items/7/", "//x"];
    for path in paths {
        assert_eq!(ficus.connect().get(path).status, 200, "{path}");
    }
    let seen: Vec<_> =
        legacy.received().iter().map(|r| r.request_line().split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(seen, paths);
}

#[test]
fn an_absolute_target_is_the_same_as_a_path() {
    let (legacy, rust) = (Backend::saying("legacy"), Backend::saying("rust"));
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    let mut client = ficus.connect();
    client.send("GET http://crm.example/items/7?x=1 HTTP/1.1\r\nHost: crm.example\r\n\r\n");
    assert_eq!(client.answer().text(), "rust");
    assert_eq!(rust.only().request_line(), "GET /items/7?x=1 HTTP/1.1");
}

#[test]
fn what_is_matched_is_what_flask_would_match() {
    let (legacy, rust) = (Backend::saying("legacy"), Backend::saying("rust"));
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    for (path, expected) in [
        ("/items/7", "rust"),
        ("/items/%37", "rust"),
        ("/items/x", "legacy"),
        ("/items/-7", "legacy"),
        ("/items/7/", "legacy"),
        ("/public/../items/7", "legacy"),
        ("/Items/7", "legacy"),
    ] {
        assert_eq!(ficus.connect().get(path).text(), expected, "{path}");
    }
}

#[test]
fn a_request_shorter_than_an_http2_preface_is_answered() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().text(), "legacy");
}

#[test]
fn a_body_that_breaks_its_chunks_is_refused_and_not_completed() {
    let legacy = Backend::tcp(|exchange| {
        let body = exchange.read_body();
        // A body that was cut off reads as empty here.
        exchange.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Body: {}\r\n\r\n", body.len()));
        Then::Close
    });
    let ficus = Setup::new(&legacy).start();
    for chunks in [
        "5\r\nabcde\r\nzz\r\n",
        "5\r\nabcdeXX0\r\n\r\n",
        "fffffffffffffffff\r\nabc\r\n",
        "5\r\nabcde\r\n\r\n\r\n",
        "5;\r\nabcde\r\n0\r\n\r\n",
        "5;a\0\r\nabcde\r\n0\r\n\r\n",
        "5;a\nb\r\nabcde\r\n0\r\n\r\n",
        "5\r\nabcde\r\n0\r\nX: \0\r\n\r\n",
        "5\r\nabcde\r\n0\r\nX y\r\n\r\n",
    ] {
        let mut client = ficus.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"));
        assert_eq!(client.answer().status, 400, "{chunks:?}");
        assert!(client.is_closed());
    }
    assert!(legacy.received().iter().all(|received| received.body.is_empty()));
}

#[test]
fn a_bad_request_behind_a_good_one_costs_only_itself() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    for (second, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n;\r\n", 400),
    ] {
        let mut client = ficus.connect();
        client.send(format!("GET /%20 HTTP/1.1\r\nHost: a\r\n\r\n{second}"));
        assert_eq!(client.answer().text(), "legacy", "{second:?}");
        assert_eq!(client.answer().status, status, "{second:?}");
        assert!(client.is_closed());
    }
}
