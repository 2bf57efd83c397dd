//! Copies of requests: both sides are asked, answers are compared, and no user notices.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use crate::backend::{Backend, Then, nobody};
use crate::ficus::{Ficus, Setup, eventually};

const SHADOWED: &str = "shadow = { sample = 1.0 }\n";

/// The value of a counter; 0 if there is none.
fn counter(ficus: &Ficus, line: &str) -> u64 {
    let metrics = ficus.metrics();
    let found = metrics.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(' '));
    found.map_or(0, |value| value.parse().unwrap())
}

fn compared(ficus: &Ficus, result: &str) -> u64 {
    counter(ficus, &format!("ficus_shadow_compared_total{{route=\"item\",result=\"{result}\"}}"))
}

fn dropped(ficus: &Ficus, reason: &str) -> u64 {
    counter(ficus, &format!("ficus_shadow_dropped_total{{route=\"item\",reason=\"{reason}\"}}"))
}

/// All counters of shadow traffic, for messages.
fn numbers(ficus: &Ficus) -> String {
    ficus.metrics().lines().filter(|line| line.starts_with("ficus_shadow")).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn wait(ficus: &Ficus, result: &str, times: u64) {
    eventually(&format!("{times} {result}:\n{}", numbers(ficus)), || compared(ficus, result) == times);
}

fn html(text: &'static str) -> Backend {
    Backend::tcp(move |exchange| {
        exchange.answer("200 OK", "Content-Type: text/html\r\n", text);
        Then::Keep
    })
}

#[test]
fn the_other_side_gets_a_copy_and_the_answers_are_compared() {
    let (legacy, rust) = (html("<p>a</p>"), html("<p>a\n</p>"));
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    let headers = "Cookie: session=abc; theme=dark\r\nAccept-Language: de\r\nX-Ficus-Shadow: 1\r\nX-Ficus-Route: evil\r\n";
    let answer = ficus.connect().request("GET", "/items/7?q=M%C3%BCller&b", headers, "");
    assert_eq!((answer.status, answer.text().as_str()), (200, "<p>a</p>"));
    wait(&ficus, "match", 1);

    let (served, copy) = (legacy.only(), rust.only());
    assert_eq!(served.request_line(), "GET /items/7?q=M%C3%BCller&b HTTP/1.1");
    assert_eq!(copy.request_line(), served.request_line());
    assert_eq!(served.header("x-ficus-shadow"), None, "a client cannot mark a request as a copy");
    assert_eq!(copy.all("x-ficus-shadow"), ["1"]);
    assert_eq!(copy.all("x-ficus-route"), ["item"], "the candidate is told the route, and not by the client");
    for name in ["host", "cookie", "accept-language", "x-forwarded-for", "x-forwarded-host", "x-request-id"] {
        assert_eq!(copy.header(name), served.header(name), "{name}");
    }
}

#[test]
fn a_difference_is_found_and_the_client_gets_the_served_answer_only() {
    let legacy = html("<p>a</p>");
    let rust = Backend::tcp(|exchange| {
        let headers = "Content-Type: text/html\r\nSet-Cookie: session=stolen; Path=/\r\nX-Evil: 1\r\n";
        exchange.answer("200 OK", headers, "<p>b</p>");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    let mut client = ficus.connect();
    for _ in 0..3 {
        let answer = client.get("/items/7");
        assert_eq!(answer.text(), "<p>a</p>");
        assert!(
            answer.header("set-cookie").is_none() && answer.header("x-evil").is_none(),
            "{}",
            answer.head
        );
    }
    wait(&ficus, "mismatch", 3);
}

#[test]
fn when_the_candidate_serves_the_fallback_is_asked() {
    let (legacy, rust) = (html("<p>a</p>"), html("<p>b</p>"));
    let lines = format!("serve = \"rust\"\n{SHADOWED}");
    let ficus = Setup::new(&legacy).route(&lines).rust_at(&rust.url()).start();
    assert_eq!(ficus.connect().get("/items/7").text(), "<p>b</p>");
    wait(&ficus, "mismatch", 1);
    assert_eq!(legacy.only().header("x-ficus-shadow"), Some("1"));
    assert_eq!(legacy.only().header("x-ficus-route"), None, "only candidates are told the route");
    let served = rust.received();
    assert_eq!(served[0].header("x-ficus-shadow"), None);
    // The served side stayed as it was: the difference is real, and one more question was enough.
    eventually("it is asked again", || asked_again(&ficus, "real") == 1);
    assert_eq!(rust.requests(), 2);
    assert_eq!(rust.received()[1].header("x-ficus-shadow"), Some("1"));
    assert_eq!(rust.received()[1].header("x-ficus-route"), Some("item"));
}

/// Answers with the n-th of these texts, then with the last one for ever.
fn in_turn(texts: &'static [&'static str]) -> Backend {
    let next = AtomicUsize::new(0);
    Backend::tcp(move |exchange| {
        let index = next.fetch_add(1, Ordering::SeqCst).min(texts.len() - 1);
        exchange.answer("200 OK", "Content-Type: text/html\r\n", texts[index]);
        Then::Keep
    })
}

fn asked_again(ficus: &Ficus, result: &str) -> u64 {
    counter(ficus, &format!("ficus_shadow_asked_again_total{{route=\"item\",result=\"{result}\"}}"))
}

#[test]
fn data_that_changed_between_the_answers_are_no_mismatch() {
    let (legacy, rust) = (in_turn(&["<p>old</p>", "<p>new</p>"]), html("<p>new</p>"));
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    assert_eq!(ficus.connect().get("/items/7").text(), "<p>old</p>");
    wait(&ficus, "raced", 1);
    assert_eq!((compared(&ficus, "mismatch"), compared(&ficus, "match")), (0, 0));
    assert_eq!((legacy.requests(), rust.requests()), (2, 1));
    assert_eq!(legacy.received()[1].header("x-ficus-shadow"), Some("1"), "asked as a copy");
    assert_eq!(legacy.received()[1].header("x-ficus-route"), None);
}

#[test]
fn data_that_change_twice_are_no_mismatch_either() {
    let legacy = in_turn(&["<p>1</p>", "<p>3</p>", "<p>4</p>"]);
    let rust = in_turn(&["<p>2</p>", "<p>4</p>"]);
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    ficus.connect().get("/items/7");
    wait(&ficus, "raced", 1);
    assert_eq!((legacy.requests(), rust.requests()), (3, 2));
}

#[test]
fn a_candidate_that_is_wrong_now_and_then_is_found() {
    let (legacy, rust) = (html("<p>a</p>"), in_turn(&["<p>b</p>", "<p>a</p>"]));
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    ficus.connect().get("/items/7");
    wait(&ficus, "mismatch", 1);
    assert_eq!((asked_again(&ficus, "real"), compared(&ficus, "raced")), (1, 0));
    assert_eq!((legacy.requests(), rust.requests()), (2, 1), "one answer of Flask on either side is enough");
}

#[test]
fn asking_again_is_bounded() {
    let (legacy, rust) = (html("<p>a</p>"), html("<p>b</p>"));
    for (most, again) in [("2", 2u64), ("0", 0)] {
        let before = legacy.requests();
        let setup = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url());
        let ficus = setup.set("shadow.confirm", most).start();
        let mut client = ficus.connect();
        for _ in 0..10 {
            client.get("/items/7");
        }
        wait(&ficus, "mismatch", 10);
        assert_eq!(asked_again(&ficus, "not_asked"), 10 - again, "{}", numbers(&ficus));
        assert_eq!(legacy.requests() - before, 10 + again as usize);
    }
    // Answers that never stay the same end somewhere.
    let (legacy, rust) = (in_turn(&["1", "3", "5", "7", "9"]), in_turn(&["2", "4", "6", "8", "0"]));
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    ficus.connect().get("/items/7");
    wait(&ficus, "mismatch", 1);
    assert_eq!(asked_again(&ficus, "unsettled"), 1);
    assert_eq!((legacy.requests(), rust.requests()), (4, 4));
}

#[test]
fn what_differs_in_another_place_every_time_is_no_mismatch() {
    let legacy = in_turn(&["<p>1</p><i>a</i><b>k</b>", "<p>2</p><i>a</i><b>l</b>"]);
    let rust = html("<p>2</p><i>a</i><b>k</b>");
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    ficus.connect().get("/items/7");
    wait(&ficus, "raced", 1);
    assert_eq!((legacy.requests(), rust.requests()), (2, 1));
}

#[test]
fn a_copy_is_made_after_the_answer_is_out() {
    let open = Arc::new((Mutex::new(false), Condvar::new()));
    let gate = Arc::clone(&open);
    let legacy = Backend::tcp(move |exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nhalf");
        let mut opened = gate.0.lock().unwrap();
        while !*opened {
            opened = gate.1.wait(opened).unwrap();
        }
        exchange.send("half");
        Then::Keep
    });
    let rust = Backend::tcp(|exchange| {
        exchange.answer("200 OK", "Content-Type: text/plain\r\n", "halfhalf");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    let mut client = ficus.connect();
    client.send("GET /items/7 HTTP/1.1\r\nHost: crm.example\r\n\r\n");
    client.head();
    client.expect("half");
    assert_eq!(
        (rust.requests() as u64, counter(&ficus, "ficus_shadow_queue")),
        (0, 0),
        "half an answer is out"
    );
    *open.0.lock().unwrap() = true;
    open.1.notify_all();
    client.expect("half");
    wait(&ficus, "match", 1);
    assert_eq!((legacy.requests(), rust.requests()), (1, 1));
}

#[test]
fn a_hung_side_delays_nobody_and_nothing_is_served_twice() {
    let legacy = html("<p>a</p>");
    let open = Arc::new((Mutex::new(false), Condvar::new()));
    let gate = Arc::clone(&open);
    let rust = Backend::tcp(move |_exchange| {
        let mut opened = gate.0.lock().unwrap();
        while !*opened {
            opened = gate.1.wait(opened).unwrap();
        }
        Then::Close
    });
    let ficus = Setup::new(&legacy)
        .route(SHADOWED)
        .rust_at(&rust.url())
        .set("shadow.queue", "10")
        .set("shadow.concurrency", "2")
        // Longer than this test may take on any machine: nothing hung ends before it is let go.
        .set("shadow.timeout", "10m")
        .set("shadow.self_test", "24h")
        .start();
    // Probes take places in the same queue; they must not be among the copies.
    eventually("comparing is tested", || ficus.metric("ficus_shadow_self_test{route=\"item\"}") == 1);
    let mut client = ficus.connect();
    for _ in 0..200 {
        assert_eq!(client.get("/items/7").text(), "<p>a</p>");
    }
    // Every answer is out while the side that hangs has answered nothing: nobody waited for it.
    assert_eq!((compared(&ficus, "unanswered"), compared(&ficus, "match")), (0, 0), "{}", numbers(&ficus));
    assert_eq!(legacy.requests(), 200, "the served side was asked once for each request");
    // The last copy finds its place, or none, after its answer is out.
    let placed = || dropped(&ficus, "queue_full") + counter(&ficus, "ficus_shadow_queue");
    eventually("every copy waits or is dropped", || placed() == 200);
    let lost = dropped(&ficus, "queue_full");
    assert!((185..200).contains(&lost), "{lost} copies were dropped\n{}", numbers(&ficus));
    assert!(rust.requests() <= 2, "no more copies are in progress than allowed");
    *open.0.lock().unwrap() = true;
    open.1.notify_all();
    wait(&ficus, "unanswered", 200 - lost);
    assert_eq!(legacy.requests(), 200);
}

#[test]
fn a_hung_side_takes_no_evidence_from_the_others() {
    let legacy = html("<p>a</p>");
    // Says nothing until the other end gives up.
    let hung = Backend::tcp(|exchange| {
        while !exchange.receive().is_empty() {}
        Then::Close
    });
    let next = html("<p>a</p>");
    let lines =
        format!("{SHADOWED}[[route]]\nname = \"other\"\nrule = \"/other\"\ncandidate = \"next\"\n{SHADOWED}");
    let ficus = Setup::new(&legacy)
        .route(&lines)
        .rust_at(&hung.url())
        .set("backends.next", &next.url())
        .set("shadow.queue", "5")
        .set("shadow.concurrency", "1")
        .set("shadow.timeout", "60s")
        .start();
    let mut client = ficus.connect();
    for _ in 0..20 {
        client.get("/items/7");
    }
    eventually("most copies are dropped", || dropped(&ficus, "queue_full") > 10);
    client.get("/other");
    let line = "ficus_shadow_compared_total{route=\"other\",result=\"match\"}";
    eventually("the other route is compared", || counter(&ficus, line) == 1);
}

#[test]
fn what_is_not_copied_is_counted_with_its_reason() {
    let large = "x".repeat(3_000);
    let legacy = Backend::tcp(move |exchange| {
        if exchange.head.contains(" /items/1 ") {
            exchange.answer("200 OK", "Content-Type: text/plain\r\n", &large);
        } else if exchange.head.contains(" /items/2 ") {
            exchange.read_body();
            exchange.send(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 5\r\n\r\n: hi\n",
            );
        } else {
            exchange.ok("a");
        }
        Then::Keep
    });
    let rust = Backend::saying("a");
    let ficus =
        Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).set("shadow.body_bytes", "2000").start();
    let mut client = ficus.connect();
    client.get("/items/1");
    client.get("/items/2");
    client.request("POST", "/items/3", "", "a=1");
    client.request("OPTIONS", "/items/3", "", "");
    client.request("GET", "/items/3", "", &"y".repeat(2_001));
    for (reason, times) in [("body_too_large", 2), ("streaming", 1), ("unsafe_method", 2)] {
        eventually(&format!("{times} {reason}:\n{}", numbers(&ficus)), || dropped(&ficus, reason) == times);
    }
    client.request("HEAD", "/items/4", "", "");
    wait(&ficus, "empty", 1);
    client.request("GET", "/items/5", "", "body");
    wait(&ficus, "match", 1);
    let copies = rust.received();
    let lines: Vec<&str> = copies.iter().map(|copy| copy.request_line()).collect();
    assert_eq!(lines, ["HEAD /items/4 HTTP/1.1", "GET /items/5 HTTP/1.1"]);
    assert_eq!(copies[1].body, b"body");
}

#[test]
fn an_answer_that_breaks_off_is_not_compared() {
    let legacy = Backend::tcp(|exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nhalf");
        Then::Close
    });
    let rust = Backend::saying("half");
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    assert!(!ficus.connect().get("/items/7").complete);
    eventually("the reason", || dropped(&ficus, "incomplete") == 1);
    assert_eq!(rust.requests(), 0);
}

#[test]
fn a_side_that_is_down_or_hands_back_is_no_match() {
    let legacy = html("<p>a</p>");
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&nobody()).start();
    assert_eq!(ficus.connect().get("/items/7").status, 200);
    wait(&ficus, "unanswered", 1);

    let rust = Backend::tcp(|exchange| {
        exchange.answer("503 Service Unavailable", "X-Ficus-Defer: 1\r\n", "");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    assert_eq!(ficus.connect().get("/items/7").status, 200);
    wait(&ficus, "deferred", 1);
}

#[test]
fn a_request_that_fell_back_proves_nothing() {
    let (legacy, rust) = (html("<p>a</p>"), Backend::tcp(|_| Then::Close));
    let lines = format!("serve = \"rust\"\n{SHADOWED}");
    let ficus = Setup::new(&legacy).route(&lines).rust_at(&rust.url()).start();
    assert_eq!(ficus.connect().get("/items/7").text(), "<p>a</p>");
    eventually("the reason", || dropped(&ficus, "fell_back") == 1);
    assert_eq!(legacy.requests(), 1);
}

#[test]
fn a_body_of_the_other_side_beyond_the_limit_is_incomparable() {
    let legacy = html("<p>a</p>");
    let large = "x".repeat(3_000);
    let rust = Backend::tcp(move |exchange| {
        exchange.answer("200 OK", "Content-Type: text/html\r\n", &large);
        Then::Keep
    });
    let ficus =
        Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).set("shadow.body_bytes", "2000").start();
    ficus.connect().get("/items/7");
    wait(&ficus, "incomparable", 1);
}

#[test]
fn a_share_is_copied_and_what_is_rare_always() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fails);
    let legacy = Backend::tcp(move |exchange| {
        let status = if failing.load(Ordering::SeqCst) { "404 Not Found" } else { "200 OK" };
        exchange.answer(status, "Content-Type: text/plain\r\n", "a");
        Then::Keep
    });
    let rust = Backend::tcp(|exchange| {
        exchange.answer("200 OK", "Content-Type: text/plain\r\n", "a");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).route("shadow = { sample = 0.0001 }\n").rust_at(&rust.url()).start();
    let mut client = ficus.connect();
    for _ in 0..60 {
        client.get("/items/7");
    }
    fails.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        client.get("/items/7");
    }
    // The first twenty of a status, and with luck one of the sixty by its share.
    wait(&ficus, "mismatch", 3);
    assert!((23..30).contains(&rust.requests()), "{} copies", rust.requests());
}

#[test]
fn routes_without_shadow_are_never_copied() {
    let (legacy, rust) = (html("<p>a</p>"), html("<p>b</p>"));
    for lines in ["", "shadow = { sample = 0.0 }\n"] {
        let ficus = Setup::new(&legacy).route(lines).rust_at(&rust.url()).start();
        for path in ["/items/7", "/elsewhere"] {
            assert_eq!(ficus.connect().get(path).text(), "<p>a</p>");
        }
        assert!(!ficus.metrics().contains("ficus_shadow_compared_total{"), "{}", numbers(&ficus));
    }
    assert_eq!(rust.requests(), 0);
}

#[test]
fn rules_are_counted_by_name() {
    let (legacy, rust) = (html("<p class=\"age\">3 min</p>"), html("<p class=\"age\">4 min</p>"));
    let lines = "shadow = { ignore = [\n\
        { path = \"html p.age text\", reason = \"r\", author = \"a\", expires = \"2099-01-31\" },\n] }\n";
    let ficus = Setup::new(&legacy).route(lines).rust_at(&rust.url()).start();
    ficus.connect().get("/items/7");
    wait(&ficus, "ignored", 1);
    let line = "ficus_shadow_ignored_total{route=\"item\",rule=\"html p.age text\"}";
    assert_eq!(counter(&ficus, line), 1, "{}", numbers(&ficus));
}

/// What nobody may find again in anything that Ficus wrote.
const PLANTED: &[&str] = &[
    "ana.andersson@example.com",
    "+41 44 668 18 00",
    "4242424242424242",
    "Kowalski",
    "Bahnhofstrasse 12",
    "hunter2",
    "sk_live_51Habcdef",
    "tok_abcdef123456",
    "CH93 0076 2011 6238 5295 7",
    "geheim42",
    "eyJfdXNlcl9pZCI6IjQyIn0",
];

/// A page, a document, a cookie and headers full of what is nobody's business; each side in its own way.
fn indiscreet(other: bool) -> Backend {
    let swap = move |text: &str| if other { text.to_uppercase() } else { text.to_owned() };
    Backend::tcp(move |exchange| {
        let headers = format!(
            "Set-Cookie: session=eyJfdXNlcl9pZCI6IjQyIn0.aSDtRw.{}; Path=/\r\nSet-Cookie: who={}; Path=/\r\nX-Owner: {}\r\n",
            if other { "AAA" } else { "BBB" },
            swap("geheim42"),
            swap("ana.andersson@example.com"),
        );
        let (kind, body) = if exchange.head.contains("/items/1") {
            let body = format!(
                "<p class=\"Kowalski\" id=\"Kowalski\">{}</p><a href=\"mailto:{}\" data-owner=\"{}\">{}</a>{}",
                swap("Bahnhofstrasse 12"),
                swap("ana.andersson@example.com"),
                swap("Kowalski"),
                swap("+41 44 668 18 00, Kowalski"),
                if other { "<i>CH93 0076 2011 6238 5295 7</i>" } else { "<b>4242424242424242</b>" },
            );
            ("text/html", body)
        } else if exchange.head.contains("/items/2") {
            let key = if other { "x" } else { "y" };
            let body = format!(
                "{{\"ana.andersson@example.com\":\"{key}hunter2\",\"Kowalski\":{{\"iban\":\"{key} CH93 0076 2011 6238 5295 7\"}},\
                 \"card\":{},\"Kowalski, {key}\":1}}",
                if other { "4242424242424242" } else { "4242424242424243" },
            );
            ("application/json", body)
        } else if exchange.head.contains("/items/3") {
            let headers =
                format!("{headers}Location: /who/{}?key={}\r\n", swap("Kowalski"), swap("sk_live_51Habcdef"));
            exchange.answer("302 Found", &headers, "");
            return Then::Keep;
        } else {
            ("text/csv", format!("name\n{}\n{}\n", swap("Kowalski"), swap("geheim42")))
        };
        exchange.answer("200 OK", &format!("Content-Type: {kind}\r\n{headers}"), &body);
        Then::Keep
    })
}

/// Every byte of every file in a directory, name by name.
fn files(directory: &std::path::Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), found);
        } else if entry.file_type().unwrap().is_file() {
            found.push((entry.path().display().to_string(), std::fs::read(entry.path()).unwrap()));
        }
    }
}

#[test]
fn nothing_that_is_nobodys_business_is_stored_logged_or_shown() {
    let (legacy, rust) = (indiscreet(false), indiscreet(true));
    let ficus = Setup::new(&legacy)
        .route("shadow = { show = [\"json $.card\"] }\n")
        .rust_at(&rust.url())
        .set("log.level", "debug")
        .set("flask.secret_key", "hunter2")
        .start();
    let mut client = ficus.connect();
    let headers = "Cookie: session=eyJfdXNlcl9pZCI6IjQyIn0.aSDtRw.x; token=tok_abcdef123456\r\n\
                   Authorization: Bearer tok_abcdef123456\r\nReferer: http://crm.example/?q=Kowalski\r\n";
    for item in 1..=4 {
        let target = format!("/items/{item}?q=Kowalski&mail=ana.andersson@example.com&key=sk_live_51Habcdef");
        client.request("GET", &target, headers, "");
    }
    wait(&ficus, "mismatch", 4);
    let cli = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_ficus"))
            .args(["--config", "ficus.toml"])
            .args(arguments)
            .current_dir(ficus.file(""))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let mut shown = Vec::new();
    eventually("four samples are stored", || {
        shown = cli(&["diffs", "export"]);
        let document: serde_json::Value = serde_json::from_slice(&shown).unwrap();
        let groups = document["groups"].as_array().unwrap();
        let requests: std::collections::BTreeSet<String> = groups
            .iter()
            .flat_map(|group| group["samples"].as_array().cloned().unwrap_or_default())
            .map(|sample| sample["trace_id"].to_string())
            .collect();
        requests.len() == 4
    });
    let mut written = vec![
        ("ficus diffs export".to_owned(), shown.clone()),
        ("ficus diffs".to_owned(), cli(&["diffs", "item"])),
        ("ficus diffs show".to_owned(), cli(&["diffs", "show", "1"])),
        ("stderr".to_owned(), ficus.said().into_bytes()),
        ("metrics".to_owned(), ficus.metrics().into_bytes()),
    ];
    files(&ficus.file(""), &mut written);
    assert!(written.iter().any(|(name, bytes)| name.contains("ficus.db") && !bytes.is_empty()));
    for (name, bytes) in &written {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        for planted in PLANTED {
            assert!(!text.contains(&planted.to_lowercase()), "`{planted}` stands in {name}");
        }
    }
    let shown = String::from_utf8(shown).unwrap();
    assert!(
        shown.contains("/items/<int:id>?q=Xxxxxxxx&mail=xxx.xxxxxxxxx@xxxxxxx.xxx&key=xx_xxxx_99Xxxxxxx"),
        "{shown}"
    );
}

#[test]
fn answers_that_are_compressed_in_different_ways_are_compared() {
    let zipped = |coding: &'static str| {
        Backend::tcp(move |exchange| {
            exchange.read_body();
            let page = if exchange.head.contains("/items/8 ") { coding } else { "<p>a page</p>" };
            let body = match coding {
                "zstd" => zstd::stream::encode_all(page.as_bytes(), 3).unwrap(),
                _ => {
                    let mut out = Vec::new();
                    let mut packed = brotli::CompressorReader::new(page.as_bytes(), 4096, 5, 20);
                    std::io::Read::read_to_end(&mut packed, &mut out).unwrap();
                    out
                }
            };
            let length = body.len();
            exchange.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"
            ));
            exchange.send(body);
            Then::Keep
        })
    };
    let (legacy, rust) = (zipped("br"), zipped("zstd"));
    let ficus = Setup::new(&legacy).route(SHADOWED).rust_at(&rust.url()).start();
    ficus.connect().get("/items/7");
    wait(&ficus, "ignored", 1);
    ficus.connect().get("/items/8");
    wait(&ficus, "mismatch", 1);
}
