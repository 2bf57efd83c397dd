//! Bounds on what clients may send and how long anybody may take.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::backend::{Backend, Then};
use crate::ficus::Setup;

#[test]
fn a_body_that_announces_too_much_is_refused_before_it_is_sent() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("limits.body_bytes", "1000").start();
    let mut client = ficus.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    assert_eq!(client.answer().status, 413);
    assert_eq!(legacy.requests(), 0);
    assert_eq!(ficus.connect().request("POST", "/", "", &"x".repeat(1_000)).status, 200);
}

#[test]
fn a_client_that_is_still_uploading_can_read_its_413() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("limits.body_bytes", "1000").start();
    let mut client = ficus.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
    for _ in 0..300 {
        client.try_send(&[b'x'; 10_000]).unwrap();
    }
    assert_eq!(client.answer().status, 413);
}

#[test]
fn a_body_of_unknown_length_is_counted() {
    let legacy = Backend::tcp(|exchange| {
        exchange.read_body();
        Then::Close
    });
    let ficus = Setup::new(&legacy).set("limits.body_bytes", "1000").start();
    let mut client = ficus.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..3 {
        client.send(format!("190\r\n{}\r\n", "x".repeat(400)));
    }
    assert_eq!(client.answer().status, 413);
}

#[test]
fn long_targets_and_large_heads_have_answers_of_their_own() {
    let legacy = Backend::saying("legacy");
    let ficus =
        Setup::new(&legacy).set("limits.uri_bytes", "1000").set("limits.header_bytes", "4000").start();
    assert_eq!(ficus.connect().get(&format!("/{}", "x".repeat(1_000))).status, 414);
    assert_eq!(ficus.connect().get(&format!("/{}", "x".repeat(900))).status, 200);
    let large = format!("X-Large: {}\r\n", "x".repeat(4_000));
    assert_eq!(ficus.connect().request("GET", "/", &large, "").status, 431);
    assert_eq!(legacy.requests(), 1);
}

#[test]
fn a_head_must_be_complete_in_time_at_any_pace() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("timeouts.client_header", "300ms").start();
    let mut silent = ficus.connect();
    silent.send("GET / HTTP/1.1\r\nHost:");
    let mut dripping = ficus.connect();
    dripping.send("GET / HTTP/1.1\r\nHost: a\r\n");
    let started = Instant::now();
    // Each byte comes long before the deadline would be over if every byte began it anew.
    while dripping.try_send(b"X").is_ok() {
        assert!(started.elapsed() < Duration::from_secs(10), "still open");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(silent.answer().status, 408);
    assert!(silent.is_closed());
    assert!(ficus.metrics().contains("ficus_requests_rejected_total{reason=\"slow_head\"} 2"));
    assert_eq!(legacy.requests(), 0);
}

#[test]
fn the_deadline_holds_for_each_head_on_a_kept_connection() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("timeouts.client_header", "300ms").start();
    let mut client = ficus.connect();
    assert_eq!(client.get("/").text(), "legacy");
    // Longer than the deadline without a byte: idle connections are another matter.
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(client.get("/").text(), "legacy");
    client.send("GET / HT");
    assert_eq!(client.answer().status, 408);
    assert!(client.is_closed());
}

#[test]
fn a_head_that_begins_during_another_request_has_a_deadline_too() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("timeouts.client_header", "300ms").start();
    let mut client = ficus.connect();
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HT");
    assert_eq!(client.answer().text(), "legacy");
    assert_eq!(client.answer().status, 408);
    assert!(client.is_closed());
}

#[test]
fn a_connection_is_not_kept_for_ever() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("timeouts.client_idle", "1s").start();
    let mut client = ficus.connect();
    assert_eq!(client.get("/").text(), "legacy");
    assert!(client.is_closed());
}

#[test]
fn a_body_that_stops_coming_is_given_up() {
    let legacy = Backend::tcp(|exchange| {
        exchange.read_body();
        Then::Close
    });
    let ficus = Setup::new(&legacy).set("timeouts.client_body", "300ms").start();
    let mut client = ficus.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
    assert_eq!(client.answer().status, 408);
}

#[test]
fn a_backend_that_does_not_answer_in_time_is_a_504() {
    let (release, wait) = channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let legacy = Backend::tcp(move |_| {
        let _ = wait.lock().unwrap().recv();
        Then::Close
    });
    let ficus = Setup::new(&legacy).set("timeouts.upstream", "300ms").start();
    let answer = ficus.connect().get("/");
    assert_eq!((answer.status, answer.header("retry-after")), (504, Some("5")));
    assert_eq!(ficus.log(1)[0]["reason"], "timeout");
    drop(release);
}

#[test]
fn a_route_may_have_a_timeout_of_its_own() {
    let (release, wait) = channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let legacy = Backend::tcp(move |_| {
        let _ = wait.lock().unwrap().recv();
        Then::Close
    });
    let ficus = Setup::new(&legacy).route("serve = \"legacy\"\ntimeout = \"300ms\"\n").start();
    assert_eq!(ficus.connect().get("/items/7").status, 504);
    drop(release);
}

#[test]
fn a_full_backend_is_a_503_and_others_are_not_concerned() {
    let (entered, arrivals) = channel();
    let (release, wait) = channel::<()>();
    let (entered, wait) = (std::sync::Mutex::new(entered), std::sync::Mutex::new(wait));
    let legacy = Backend::tcp(move |exchange| {
        entered.lock().unwrap().send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
        exchange.ok("slow");
        Then::Keep
    });
    let rust = Backend::saying("rust");
    let ficus = Setup::new(&legacy).candidate(&rust).legacy_key("max_requests = 1, queue = 0").start();
    let mut first = ficus.connect();
    first.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
    arrivals.recv().unwrap();
    let answer = ficus.connect().get("/other");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(ficus.connect().get("/items/7").text(), "rust");
    release.send(()).unwrap();
    assert_eq!(first.answer().text(), "slow");
}

#[test]
fn a_backend_that_waits_for_the_clients_body_is_not_to_blame() {
    let legacy = Backend::tcp(|exchange| {
        exchange.read_body();
        Then::Close
    });
    let ficus = Setup::new(&legacy).set("timeouts.upstream", "300ms").start();
    let mut client = ficus.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf");
    assert_eq!(client.answer().status, 408);
    assert_eq!(ficus.log(1)[0]["reason"], "slow_body");
}

#[test]
fn a_body_that_drips_is_given_up_although_it_never_stops() {
    let legacy = Backend::tcp(|exchange| {
        exchange.read_body();
        Then::Close
    });
    let ficus =
        Setup::new(&legacy).set("timeouts.client_body", "500ms").set("limits.body_rate", "10000").start();
    let mut client = ficus.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    let started = Instant::now();
    // Each byte comes long before the silence would be too long.
    while client.try_send(b"x").is_ok() && !client.has_answer() {
        assert!(started.elapsed() < Duration::from_secs(15), "still taken");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(client.answer().status, 408);
    assert_eq!(ficus.log(1)[0]["reason"], "slow_body");
}

#[test]
fn a_backend_that_reads_slowly_is_not_the_clients_fault() {
    let (release, wait) = channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let legacy = Backend::tcp(move |exchange| {
        wait.lock().unwrap().recv().unwrap();
        let length = exchange.read_body().len();
        exchange.ok(&length.to_string());
        Then::Close
    });
    let ficus =
        Setup::new(&legacy).set("timeouts.client_body", "300ms").set("limits.body_rate", "100MB").start();
    let mut client = ficus.connect();
    let writer = std::thread::spawn(move || {
        let body = "x".repeat(8_000_000);
        client.request("POST", "/", "", &body)
    });
    // Longer than the client may take.
    std::thread::sleep(Duration::from_millis(600));
    release.send(()).unwrap();
    assert_eq!(writer.join().unwrap().text(), "8000000");
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    let legacy = Backend::tcp(|exchange| {
        exchange.ok(&"y".repeat(50_000_000));
        Then::Close
    });
    let ficus = Setup::new(&legacy).set("timeouts.client_body", "500ms").start();
    let mut client = ficus.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // The log has the request as soon as it is over: nobody has read the answer by then.
    let logged = ficus.log(1).pop().unwrap();
    assert!(logged["bytes"].as_u64().unwrap() < 50_000_000, "{logged}");
    assert!(!client.answer().complete);
}

#[test]
fn a_whole_answer_may_take_so_long_and_no_longer() {
    let legacy = Backend::tcp(|exchange| {
        if exchange.head.starts_with("GET /items/1") {
            // Until Ficus has given up.
            exchange.receive();
            return Then::Close;
        }
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while exchange.try_send("1\r\nx\r\n") {
            std::thread::sleep(Duration::from_millis(20));
        }
        Then::Close
    });
    let route = "serve = \"legacy\"\ntimeout = \"30s\"\ntotal_timeout = \"500ms\"\n";
    let ficus = Setup::new(&legacy).route(route).start();
    assert_eq!(ficus.connect().get("/items/1").status, 504);
    let answer = ficus.connect().get("/items/2");
    assert!(answer.status == 200 && !answer.complete, "cut off, and nobody takes that for its end");
    assert_eq!(ficus.log(2)[1]["reason"], "truncated");
}

#[test]
fn a_head_that_comes_too_late_is_a_504_whatever_came_before() {
    let legacy = Backend::tcp(|exchange| {
        std::thread::sleep(Duration::from_millis(800));
        exchange.ok("late");
        Then::Close
    });
    let rust = Backend::saying("rust");
    let route = "serve = \"legacy\"\ntotal_timeout = \"300ms\"\n";
    let ficus = Setup::new(&legacy).rust_at(&rust.url()).route(route).start();
    let answer = ficus.connect().request("POST", "/items/1", "", "x");
    assert_eq!((answer.status, answer.header("retry-after")), (504, Some("5")));
}

#[test]
fn bytes_beyond_ascii_pass_where_that_is_allowed() {
    for (allowed, status) in [("false", 400), ("true", 200)] {
        let legacy = Backend::saying("legacy");
        let ficus = Setup::new(&legacy).set("limits.raw_targets", allowed).start();
        assert_eq!(ficus.connect().get("/caf\u{e9}?q=\u{fc}").status, status);
        let came = legacy.received();
        assert_eq!(came.len(), usize::from(status == 200));
        assert!(came.iter().all(|one| one.request_line() == "GET /caf\u{e9}?q=\u{fc} HTTP/1.1"), "{came:?}");
    }
}
