//! Several upstreams of one backend: which is asked, which is left alone, and which comes back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use crate::backend::{Backend, Then, nobody};
use crate::ficus::{Directory, Setup, eventually};

/// A backend that fails as long as the switch is on.
fn failing(switch: &Arc<AtomicBool>, status: &'static str) -> Backend {
    let switch = Arc::clone(switch);
    Backend::tcp(move |exchange| {
        if switch.load(Ordering::SeqCst) {
            exchange.answer(status, "", "failing");
        } else {
            exchange.ok("failing");
        }
        Then::Keep
    })
}

/// A backend that holds requests for `/held` until it is told to answer one.
fn holding(name: &'static str) -> (Backend, Sender<()>, Receiver<()>) {
    let (entered, arrivals) = channel();
    let (release, wait) = channel::<()>();
    let (entered, wait) = (Mutex::new(entered), Mutex::new(wait));
    let backend = Backend::tcp(move |exchange| {
        if exchange.head.starts_with("GET /held") {
            let _ = entered.lock().unwrap().send(());
            let _ = wait.lock().unwrap().recv();
        }
        exchange.ok(name);
        Then::Keep
    });
    (backend, release, arrivals)
}

#[test]
fn the_least_busy_upstream_is_asked() {
    let (busy, release_busy, at_busy) = holding("busy");
    let (free, release_free, at_free) = holding("free");
    let ficus = Setup::new(&busy).legacy_at(&[busy.url(), free.url()]).start();
    let mut held: Vec<_> = (0..4)
        .map(|_| {
            let mut client = ficus.connect();
            client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    for arrivals in [&at_busy, &at_busy, &at_free, &at_free] {
        arrivals.recv().expect("two requests for each");
    }
    release_free.send(()).unwrap();
    release_free.send(()).unwrap();
    let metric =
        format!("ficus_upstream_requests_in_progress{{backend=\"legacy\",upstream=\"{}\"}}", free.url());
    eventually("one to be free", || ficus.metric(&metric) == 0);
    for _ in 0..10 {
        assert_eq!(ficus.connect().get("/").text(), "free");
    }
    drop((release_busy, release_free));
    let mut answers: Vec<String> = held.iter_mut().map(|client| client.answer().text()).collect();
    answers.sort();
    assert_eq!(answers, ["busy", "busy", "free", "free"]);
}

#[test]
fn an_upstream_that_is_not_there_costs_no_request() {
    let fast = Backend::saying("fast");
    let ficus = Setup::new(&fast).legacy_at(&[nobody(), fast.url(), nobody()]).start();
    for method in ["GET", "POST"] {
        for _ in 0..10 {
            assert_eq!(ficus.connect().request(method, "/", "", "x").text(), "fast");
        }
    }
    let legacy = ficus.backend("legacy");
    let states: Vec<_> = legacy["upstreams"].as_array().unwrap().iter().map(|u| u["state"].clone()).collect();
    assert_eq!(states, ["unreachable", "up", "unreachable"]);
    assert!(legacy["upstreams"][0]["cause"].as_str().unwrap().contains("refused"), "{legacy}");
}

#[test]
fn one_that_fails_again_and_again_is_left_alone_and_tried_again_later() {
    let switch = Arc::new(AtomicBool::new(true));
    let (bad, good) = (failing(&switch, "500 Internal Server Error"), Backend::saying("good"));
    let ficus = Setup::new(&good)
        .legacy_at(&[bad.url(), good.url()])
        .legacy_key("eject_after = 3, eject_for = \"1500ms\", slow_start = \"0s\"")
        .start();
    let answers: Vec<u16> = (0..40).map(|_| ficus.connect().get("/").status).collect();
    assert_eq!(answers.iter().filter(|status| **status == 500).count(), 3, "{answers:?}");
    ficus.wait_for("upstream is left alone");
    assert_eq!(ficus.backend("legacy")["upstreams"][0]["state"], "ejected");
    let labels = format!("{{backend=\"legacy\",upstream=\"{}\"}}", bad.url());
    assert_eq!(ficus.metric(&format!("ficus_upstream_ejections_total{labels}")), 1);
    assert_eq!(ficus.metric(&format!("ficus_backend_up{labels}")), 0);
    switch.store(false, Ordering::SeqCst);
    eventually("the upstream to be asked again", || ficus.connect().get("/").text() == "failing");
    ficus.wait_for("upstream is tried again");
}

#[test]
fn the_last_upstream_is_never_left_alone() {
    let switch = Arc::new(AtomicBool::new(true));
    let (one, two) = (failing(&switch, "500 Oops"), failing(&switch, "500 Oops"));
    let setup = Setup::new(&one).legacy_at(&[one.url(), two.url()]);
    let ficus = setup.legacy_key("eject_after = 2, eject_for = \"5m\", max_ejected = 1.0").start();
    for _ in 0..20 {
        assert_eq!(ficus.connect().get("/").text(), "failing");
    }
    let legacy = ficus.backend("legacy");
    let ejected = legacy["upstreams"].as_array().unwrap().iter().filter(|u| u["state"] == "ejected").count();
    assert_eq!(ejected, 1, "{legacy}");
}

#[test]
fn an_upstream_whose_health_check_fails_gets_no_requests() {
    let healthy = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let sick = Backend::tcp({
        let (healthy, asked) = (Arc::clone(&healthy), Arc::clone(&asked));
        move |exchange| {
            let status = if healthy.load(Ordering::SeqCst) { "204 No Content" } else { "503 Sick" };
            if exchange.head.starts_with("GET /healthz?deep=1 HTTP/1.1\r\n") {
                exchange.send(format!("HTTP/1.1 {status}\r\n\r\n"));
                return Then::Close;
            }
            asked.fetch_add(1, Ordering::SeqCst);
            exchange.ok("sick");
            Then::Keep
        }
    });
    let fine = Backend::tcp(|exchange| {
        let healthz = exchange.head.starts_with("GET /healthz");
        exchange.ok(if healthz { "" } else { "fine" });
        Then::Keep
    });
    let ficus = Setup::new(&fine)
        .legacy_at(&[sick.url(), fine.url()])
        .legacy_key("slow_start = \"0s\", health = { path = \"/healthz?deep=1\", interval = \"50ms\" }")
        .start();
    for _ in 0..10 {
        assert_eq!(ficus.connect().get("/").text(), "fine");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let upstream = ficus.backend("legacy")["upstreams"][0].clone();
    assert_eq!(
        (&upstream["state"], &upstream["cause"]),
        (&"unwell".into(), &"health check: status 503".into())
    );
    healthy.store(true, Ordering::SeqCst);
    eventually("the upstream to be used again", || ficus.connect().get("/").text() == "sick");
    ficus.wait_for("upstream is well again");
}

#[test]
fn a_safe_request_that_breaks_off_is_given_to_another_upstream_and_no_other() {
    let broken = Backend::tcp(|exchange| {
        exchange.read_body();
        Then::Close
    });
    let good = Backend::saying("good");
    let setup = Setup::new(&good).legacy_at(&[broken.url(), good.url()]);
    let ficus = setup.legacy_key("eject_after = 0").start();
    for _ in 0..10 {
        assert_eq!(ficus.connect().get("/").text(), "good");
    }
    let posts: Vec<u16> = (0..10).map(|_| ficus.connect().request("POST", "/", "", "x").status).collect();
    let failed = posts.iter().filter(|status| **status == 502).count();
    assert!(failed > 0, "{posts:?}");
    let posted = |backend: &Backend| {
        backend.received().iter().filter(|request| request.head.starts_with("POST")).count()
    };
    assert_eq!((posted(&broken), posted(&good)), (failed, 10 - failed), "none is executed twice");
}

#[test]
fn a_get_that_breaks_off_is_sent_once_more_and_then_given_up() {
    let broken = Backend::tcp(|exchange| {
        exchange.read_body();
        Then::Close
    });
    let ficus = Setup::new(&broken).start();
    assert_eq!(ficus.connect().get("/").status, 502);
    assert_eq!(broken.requests(), 2);
    let ficus = Setup::new(&broken).legacy_key("repeats = 0").start();
    assert_eq!(ficus.connect().get("/").status, 502);
    assert_eq!(broken.requests(), 3, "where repeats are not wanted there are none");
    let repeats = "ficus_backend_troubles_total{backend=\"legacy\",reason=\"repeats\"}";
    assert_eq!(ficus.metric(repeats), 1);
}

#[test]
fn a_host_name_stands_for_all_its_addresses() {
    let legacy = Backend::saying("legacy");
    let url = legacy.url().replace("127.0.0.1", "localhost");
    let ficus = Setup::new(&legacy).legacy_at(&[url]).start();
    for _ in 0..5 {
        assert_eq!(ficus.connect().get("/").text(), "legacy");
    }
    let ficus = Setup::new(&legacy)
        .legacy_at(&["http://nowhere.invalid:80".to_owned()])
        .set("timeouts.connect", "200ms")
        .start();
    assert_eq!(ficus.connect().get("/").status, 502);
    assert_eq!(ficus.backend("legacy")["upstreams"][0]["state"], "unresolved");
    ficus.wait_for("host name cannot be resolved");
}

#[test]
fn upstreams_on_unix_sockets_and_tcp_share_the_work() {
    let directory = Directory::new();
    let answer = |text: &'static str| {
        move |exchange: &mut crate::backend::Exchange<'_>| {
            exchange.ok(text);
            Then::Keep
        }
    };
    let unix = Backend::unix(&directory.path().join("app.sock"), answer("unix"));
    let tcp = Backend::saying("tcp");
    let ficus = Setup::new(&tcp).legacy_at(&[unix.url(), tcp.url()]).start();
    let mut answers: Vec<String> = (0..4).map(|_| ficus.connect().get("/").text()).collect();
    answers.sort();
    assert_eq!(answers, ["tcp", "tcp", "unix", "unix"]);
}

#[test]
fn upstreams_that_come_and_go_cost_no_request() {
    let directory = Directory::new();
    // One that has left answers what it is asked on a kept connection, and closes that.
    let start = |name: &str, left: &Arc<AtomicBool>| {
        let left = Arc::clone(left);
        Backend::unix(&directory.path().join(name), move |exchange| {
            exchange.ok("here");
            if left.load(Ordering::SeqCst) { Then::Close } else { Then::Keep }
        })
    };
    let stable = start("stable.sock", &Arc::default());
    let mut left = Arc::default();
    let mut changing = Some(start("changing.sock", &left));
    let urls = [stable.url(), changing.as_ref().unwrap().url()];
    let ficus = Setup::new(&stable).legacy_at(&urls).start();
    let stop = AtomicBool::new(false);
    let served = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for method in ["GET", "POST", "PUT"] {
            let (ficus, stop, served) = (&ficus, &stop, &served);
            threads.spawn(move || {
                let mut client = ficus.connect();
                while !stop.load(Ordering::SeqCst) {
                    assert_eq!(client.request(method, "/", "", "x").text(), "here", "{method}");
                    served.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for _ in 0..10 {
            drop(changing.take());
            left.store(true, Ordering::SeqCst);
            let count = served.load(Ordering::SeqCst);
            eventually("more answers", || served.load(Ordering::SeqCst) > count + 20);
            left = Arc::default();
            changing = Some(start("changing.sock", &left));
            eventually("it is back", || changing.as_ref().unwrap().requests() > 0);
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert!(served.load(Ordering::SeqCst) > 200);
}

#[test]
fn status_names_who_gets_no_requests() {
    let fast = Backend::saying("fast");
    let down = nobody();
    let ficus = Setup::new(&fast).legacy_at(&[fast.url(), down.clone()]).start();
    let status = ficus.status();
    assert!(
        status.contains(&format!("! {down} of backend legacy gets no requests: unreachable")),
        "{status}"
    );
    assert!(status.contains("unreachable: Connection refused"), "{status}");
}
