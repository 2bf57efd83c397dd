//! Who answers when a candidate fails: each kind of failure, with a safe and an unsafe method, and how often each
//! backend was asked.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::backend::{Backend, Exchange, Then, nobody};
use crate::ficus::{Directory, Setup, eventually};

/// How a candidate fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    NobodyListens,
    NoSocket,
    ClosesBeforeHead,
    ClosesInsideHead,
    AnswersGarbage,
    AnswersTooLate,
    Answers500,
    Answers503,
    Defers,
    DefersBeforeTheBody,
}

const FAILURES: [Failure; 10] = [
    Failure::NobodyListens,
    Failure::NoSocket,
    Failure::ClosesBeforeHead,
    Failure::ClosesInsideHead,
    Failure::AnswersGarbage,
    Failure::AnswersTooLate,
    Failure::Answers500,
    Failure::Answers503,
    Failure::Defers,
    Failure::DefersBeforeTheBody,
];

const DEFER: &str = "HTTP/1.1 503 Service Unavailable\r\nX-Ficus-Defer: 1\r\nContent-Length: 0\r\n\r\n";

fn fail(failure: Failure, exchange: &mut Exchange<'_>) -> Then {
    match failure {
        Failure::NobodyListens | Failure::NoSocket => unreachable!("nobody was there"),
        Failure::ClosesBeforeHead => {
            exchange.read_body();
        }
        Failure::ClosesInsideHead => {
            exchange.read_body();
            exchange.send("HTTP/1.1 200 OK\r\nContent-");
        }
        Failure::AnswersGarbage => {
            exchange.read_body();
            exchange.send("<html>no http</html>\r\n\r\n");
        }
        Failure::AnswersTooLate => {
            exchange.read_body();
            // Ends when Ficus has given up.
            exchange.receive();
        }
        Failure::Answers500 => exchange.answer("500 Internal Server Error", "", "rust failed"),
        Failure::Answers503 => exchange.answer("503 Service Unavailable", "", "rust failed"),
        Failure::Defers => {
            exchange.read_body();
            exchange.send(DEFER);
        }
        Failure::DefersBeforeTheBody => exchange.send(DEFER),
    }
    Then::Close
}

/// A request to a failing candidate. Returns status, who answered, and how often the candidate was asked.
fn ask(failure: Failure, method: &str, body: &str) -> (u16, String, usize) {
    let legacy = Backend::tcp(|exchange| {
        let body = exchange.read_body();
        exchange.send(format!(
            "HTTP/1.1 200 OK\r\nX-Length: {}\r\nContent-Length: 6\r\n\r\n{}",
            body.len(),
            if exchange.head.starts_with("HEAD") { "" } else { "legacy" }
        ));
        Then::Keep
    });
    let rust = Backend::tcp(move |exchange| fail(failure, exchange));
    let setup = Setup::new(&legacy).set("timeouts.upstream", "1s");
    let ficus = match failure {
        Failure::NobodyListens => setup.candidate_at(&nobody()).start(),
        Failure::NoSocket => setup.candidate_at("unix:/nonexistent/handlers.sock").start(),
        _ => setup.candidate(&rust).start(),
    };
    let answer = ficus.connect().request(method, "/items/7", "", body);
    assert_eq!(answer.header("x-ficus-defer"), None);
    let who = match answer.header("x-length") {
        Some(length) => {
            assert_eq!(length, body.len().to_string(), "{failure:?} {method}: the original body");
            "legacy"
        }
        None if answer.text() == "rust failed" => "rust",
        None => "ficus",
    };
    let logged = ficus.log(1).pop().unwrap();
    assert_eq!(logged["fallback"].is_string(), who == "legacy", "{logged}");
    assert!(legacy.requests() <= 1, "never twice");
    (answer.status, who.to_owned(), rust.requests())
}

#[test]
fn a_safe_request_is_answered_by_legacy_whatever_happens() {
    for failure in FAILURES {
        for method in ["GET", "HEAD", "OPTIONS"] {
            let (status, who, asked) = ask(failure, method, "");
            assert_eq!((status, who.as_str()), (200, "legacy"), "{failure:?} {method}");
            let expected = usize::from(!matches!(failure, Failure::NobodyListens | Failure::NoSocket));
            assert_eq!(asked, expected, "{failure:?} {method}");
        }
    }
}

#[test]
fn an_unsafe_request_is_never_repeated_after_it_was_sent() {
    for failure in FAILURES {
        for method in ["POST", "PUT", "DELETE"] {
            let (status, who, asked) = ask(failure, method, "name=ana");
            let expected = match failure {
                Failure::NobodyListens | Failure::NoSocket => (200, "legacy", 0),
                Failure::Defers | Failure::DefersBeforeTheBody => (200, "legacy", 1),
                Failure::ClosesBeforeHead | Failure::ClosesInsideHead | Failure::AnswersGarbage => {
                    (502, "ficus", 1)
                }
                Failure::AnswersTooLate => (504, "ficus", 1),
                Failure::Answers500 => (500, "rust", 1),
                Failure::Answers503 => (503, "rust", 1),
            };
            assert_eq!((status, who.as_str(), asked), expected, "{failure:?} {method}");
        }
    }
}

#[test]
fn a_request_that_is_not_repeated_says_so_and_is_counted() {
    let legacy = Backend::saying("legacy");
    let rust = Backend::tcp(|exchange| fail(Failure::ClosesBeforeHead, exchange));
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    let answer = ficus.connect().request("POST", "/items/7", "", "x");
    assert!(answer.text().contains("may have been carried out"), "{}", answer.text());
    assert_eq!(answer.header("retry-after"), None);
    ficus.log(1);
    let metric = "ficus_unrepeatable_requests_total{route=\"item\",reason=\"broken\"} 1";
    assert!(ficus.metrics().contains(metric), "{}", ficus.metrics());
}

#[test]
fn a_deferred_body_is_sent_again_up_to_the_size_that_is_kept() {
    for (size, expected) in [(60_000, 200), (65_536, 200), (65_537, 200), (200_000, 200), (300_001, 502)] {
        let legacy = Backend::tcp(|exchange| {
            let length = exchange.read_body().len();
            exchange.send(format!("HTTP/1.1 200 OK\r\nX-Length: {length}\r\nContent-Length: 0\r\n\r\n"));
            Then::Keep
        });
        let rust = Backend::tcp(|exchange| fail(Failure::Defers, exchange));
        let ficus = Setup::new(&legacy).candidate(&rust).set("limits.replay_bytes", "300000").start();
        let answer = ficus.connect().request("POST", "/items/7", "", &"x".repeat(size));
        assert_eq!(answer.status, expected, "{size}");
        match expected {
            200 => assert_eq!(answer.header("x-length"), Some(&*size.to_string())),
            _ => assert!(answer.text().contains("too large"), "{}", answer.text()),
        }
        assert_eq!(legacy.requests(), usize::from(expected == 200));
    }
}

#[test]
fn an_answer_that_has_begun_is_not_replaced() {
    let legacy = Backend::saying("legacy");
    let rust = Backend::tcp(|exchange| {
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nrust");
        Then::Close
    });
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    let answer = ficus.connect().get("/items/7");
    assert!(answer.status == 200 && !answer.complete);
    assert_eq!(legacy.requests(), 0);
}

#[test]
fn an_answer_after_leave_to_continue_can_still_be_replaced() {
    let legacy = Backend::tcp(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        Then::Keep
    });
    let rust = Backend::tcp(|exchange| {
        exchange.send("HTTP/1.1 100 Continue\r\n\r\n");
        fail(Failure::Defers, exchange)
    });
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    let mut client = ficus.connect();
    client.send("POST /items/7 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.head().status, 100);
    client.send("body");
    assert_eq!(client.answer().text(), "body");
}

#[test]
fn a_deferring_legacy_is_taken_at_its_word() {
    let legacy = Backend::tcp(|exchange| {
        exchange.answer("503 Service Unavailable", "X-Ficus-Defer: 1\r\n", "closed");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).start();
    let answer = ficus.connect().get("/");
    assert_eq!(
        (answer.status, answer.text().as_str(), answer.header("x-ficus-defer")),
        (503, "closed", None)
    );
    assert_eq!(legacy.requests(), 1);
}

#[test]
fn a_handler_that_is_back_is_used_again_and_one_that_is_gone_costs_nothing() {
    let directory = Directory::new();
    let socket = directory.path().join("handlers.sock");
    let legacy = Backend::saying("legacy");
    let url = format!("unix:{}", socket.display());
    let ficus = Setup::new(&legacy).candidate_at(&url).start();
    assert_eq!(ficus.connect().get("/items/7").text(), "legacy");
    let rust = Backend::unix(&socket, |exchange| {
        exchange.ok("rust");
        Then::Keep
    });
    eventually("the handler to be used", || ficus.connect().get("/items/7").text() == "rust");
    assert!(ficus.metrics().contains("ficus_backend_up{backend=\"rust\""));
    drop(rust);
}

#[test]
fn legacy_that_is_gone_is_a_clear_502_and_is_back_at_once() {
    let directory = Directory::new();
    let socket = directory.path().join("legacy.sock");
    let flask = |_: ()| {
        Backend::unix(&socket, |exchange| {
            exchange.ok("legacy");
            Then::Close
        })
    };
    let legacy = flask(());
    let rust = Backend::saying("rust");
    let ficus = Setup::new(&legacy).candidate(&rust).set("timeouts.connect", "200ms").start();
    assert_eq!(ficus.connect().get("/other").text(), "legacy");
    drop(legacy);
    for _ in 0..3 {
        let answer = ficus.connect().get("/other");
        assert_eq!((answer.status, answer.header("retry-after")), (502, Some("5")));
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(answer.text().contains("cannot be reached"), "{}", answer.text());
    }
    let problem = ficus.connect().request("POST", "/other", "Accept: application/json\r\n", "x");
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    assert_eq!(ficus.connect().get("/items/7").text(), "rust", "what Rust serves is not concerned");
    let _legacy = flask(());
    assert_eq!(ficus.connect().get("/other").text(), "legacy", "the first request after it is back");
}

#[test]
fn a_full_candidate_is_relieved_by_legacy() {
    let (entered, arrivals) = channel();
    let (release, wait) = channel::<()>();
    let (entered, wait) = (Mutex::new(entered), Mutex::new(wait));
    let legacy = Backend::saying("legacy");
    let rust = Backend::tcp(move |exchange| {
        entered.lock().unwrap().send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
        exchange.ok("rust");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).candidate(&rust).rust_key("max_requests = 1").start();
    let mut first = ficus.connect();
    first.send("GET /items/7 HTTP/1.1\r\nHost: a\r\n\r\n");
    arrivals.recv().unwrap();
    assert_eq!(ficus.connect().request("POST", "/items/7", "", "x").text(), "legacy");
    release.send(()).unwrap();
    assert_eq!(first.answer().text(), "rust");
}

#[test]
fn a_route_that_is_off_is_a_503_and_nobody_is_asked() {
    let (legacy, rust) = (Backend::saying("legacy"), Backend::saying("rust"));
    let ficus = Setup::new(&legacy).rust_at(&rust.url()).route("serve = \"off\"\n").start();
    let mut client = ficus.connect();
    assert_eq!(client.get("/items/7").status, 503);
    assert_eq!(client.request("HEAD", "/items/7", "", "").status, 503);
    assert_eq!(client.get("/other").text(), "legacy", "on the same connection");
    assert_eq!((legacy.requests(), rust.requests()), (1, 0));
    assert_eq!(ficus.log(1)[0]["reason"], "off");
}
