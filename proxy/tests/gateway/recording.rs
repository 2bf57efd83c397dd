//! `ficus record`: users' traffic as sessions that can be replayed, bounded, masked, and never at a user's cost.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::backend::{Backend, Then};
use crate::evidence::{cli, document};
use crate::ficus::{Ficus, Setup, eventually};

const KEY: &str = "a-secret-key-of-these-tests";

/// Gives everybody without a cookie one, and with every answer another one, as Flask does.
fn visited() -> Backend {
    let next = AtomicU32::new(0);
    Backend::tcp(move |exchange| {
        let brought = exchange
            .head
            .lines()
            .find_map(|line| line.split_once("ookie: session="))
            .map(|(_, v)| v.to_owned());
        let cookie = match brought {
            Some(old) => format!("{old}x"),
            None => format!("Zimmermann{}", next.fetch_add(1, Ordering::Relaxed)),
        };
        let headers = format!("Content-Type: text/html\r\nSet-Cookie: session={cookie}; Path=/\r\n");
        exchange.answer("200 OK", &headers, "<p title='Zimmermann'>Zimmermann</p>");
        Then::Keep
    })
}

fn start(legacy: &Backend) -> Ficus {
    Setup::new(legacy).route("").set("flask.secret_key", KEY).start()
}

/// One request of somebody with this cookie; their next one.
fn ask(ficus: &Ficus, method: &str, target: &str, cookie: &str) -> String {
    let headers = if cookie.is_empty() { String::new() } else { format!("Cookie: session={cookie}\r\n") };
    let (form, body) = match method {
        "POST" => ("Content-Type: application/x-www-form-urlencoded\r\n", "name=Zimmermann&page=2"),
        _ => ("", ""),
    };
    let answer = ficus.connect().request(method, target, &format!("{headers}{form}"), body);
    assert_eq!(answer.status, 200, "{target}");
    let set = answer.all("set-cookie")[0].to_owned();
    set.trim_start_matches("session=").split(';').next().unwrap().to_owned()
}

fn status(ficus: &Ficus) -> Value {
    document(ficus, &["record", "status"])["recording"].clone()
}

fn folder(recording: &Value) -> PathBuf {
    recording["folder"].as_str().unwrap().into()
}

fn replay(ficus: &Ficus, recording: &Value, legacy: &Backend) -> Value {
    let output = run_replay(ficus, recording, legacy, &["--json"]);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn run_replay(ficus: &Ficus, recording: &Value, backend: &Backend, flags: &[&str]) -> Output {
    let folder = folder(recording);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ficus"));
    command.args(["replay", folder.to_str().unwrap(), "--against", &backend.url()]).args(flags);
    command.env("FICUS_FLASK_SECRET_KEY", KEY).env("TYPED_WORD", "Zimmermann");
    command.current_dir(ficus.file("")).output().unwrap()
}

/// Records what `ask` asks for: so many requests.
fn recorded(ficus: &Ficus, requests: u64, ask: impl FnOnce()) -> Value {
    document(ficus, &["record", "start", "*"]);
    ask();
    eventually("everything is written", || status(ficus)["requests"] == requests);
    document(ficus, &["record", "stop"])["recording"].clone()
}

/// The sessions of a recording, as they are on disk.
fn sessions(recording: &Value) -> String {
    let paths = std::fs::read_dir(folder(recording)).unwrap().map(|entry| entry.unwrap().path());
    let sessions = paths.filter(|path| path.extension().is_some_and(|extension| extension == "http"));
    sessions.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn nothing_is_recorded_unless_somebody_asks_for_it() {
    let legacy = visited();
    let ficus = start(&legacy);
    ask(&ficus, "GET", "/items/1", "");
    assert_eq!(status(&ficus), Value::Null);
    assert!(!ficus.file("state/recordings").exists());
    assert_eq!(ficus.metric("ficus_recording"), 0);
    let shown = cli(&ficus, &["record", "stop"]);
    assert!(String::from_utf8_lossy(&shown.stderr).contains("nothing is recorded"), "{shown:?}");
    let shown = cli(&ficus, &["record", "start", "items"]);
    assert!(String::from_utf8_lossy(&shown.stderr).contains("`items` means no route"), "{shown:?}");
}

#[test]
fn visitors_become_sessions_that_can_be_replayed_and_nobody_is_in_them() {
    let legacy = visited();
    let ficus = start(&legacy);
    let begun = document(&ficus, &["record", "start", "item", "--reason", "trial"]);
    assert_eq!(begun["undo"], "ficus record stop");
    assert_eq!(ficus.metric("ficus_recording"), 1);
    // Two people, turn by turn, and what matches no route.
    let (mut one, mut other) = (String::new(), String::new());
    for turn in 0..4 {
        let method = if turn == 2 { "POST" } else { "GET" };
        one = ask(&ficus, method, &format!("/items/{turn}?q=Zimmermann"), &one);
        other = ask(&ficus, "GET", &format!("/items/1{turn}"), &other);
    }
    ficus.connect().get("/elsewhere");
    eventually("everything is written", || status(&ficus)["requests"] == 8);
    let shown = String::from_utf8(cli(&ficus, &["record", "status"]).stdout).unwrap();
    assert!(
        shown.contains("recorded  8 requests of 2 visitors") && shown.contains("`ficus record stop`"),
        "{shown}"
    );
    assert!(ficus.status().contains("recording 8 requests so far"), "{}", ficus.status());
    let ended = document(&ficus, &["record", "stop"])["recording"].clone();
    assert_eq!((&ended["on"], &ended["sessions"]), (&false.into(), &2.into()), "{ended:#}");
    for entry in std::fs::read_dir(folder(&ended)).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("Zimmermann") && !text.contains(KEY), "{}:\n{text}", path.display());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let found = replay(&ficus, &ended, &legacy);
    assert_eq!(found["routes"]["item"]["agree"], 8, "{found:#}");
    assert_eq!(ficus.metric("ficus_recorded_requests_total{route=\"item\",result=\"recorded\"}"), 8);
    let history = document(&ficus, &["history"]);
    let actions: Vec<&str> = history["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|change| change["action"].as_str())
        .collect();
    assert_eq!(actions[..2], ["record", "record"], "{history:#}");
    assert!(cli(&ficus, &["audit", "--verify"]).status.success());
}

#[test]
fn it_ends_by_itself() {
    let legacy = visited();
    let ficus = start(&legacy);
    document(&ficus, &["record", "start", "*", "--limit", "3"]);
    let again = cli(&ficus, &["record", "start", "*"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("goes on already"), "{again:?}");
    let mut cookie = String::new();
    for number in 0..9 {
        cookie = ask(&ficus, "GET", &format!("/items/{number}"), &cookie);
    }
    eventually("the end by number", || status(&ficus)["on"] == false);
    let ended = status(&ficus);
    assert_eq!(ended["requests"], 3);
    assert!(ended["ended"]["why"].as_str().unwrap().contains("3 requests"), "{ended:#}");
    document(&ficus, &["record", "start", "*", "--for", "200ms"]);
    eventually("the end by time", || status(&ficus)["on"] == false);
    assert!(status(&ficus)["ended"]["why"].as_str().unwrap().contains("its time is over"));
    assert_eq!(ficus.metric("ficus_recording"), 0);
}

#[test]
fn what_is_not_recorded_is_counted_by_reason() {
    let legacy = Backend::tcp(|exchange| {
        let (kind, body) = match exchange.head.split(' ').nth(1).unwrap() {
            "/items/1" => ("text/event-stream", "data: a\n\n".to_owned()),
            "/items/2" => ("text/plain", "x".repeat(70_000)),
            _ => ("text/plain", "good".to_owned()),
        };
        exchange.answer("200 OK", &format!("Content-Type: {kind}\r\n"), &body);
        Then::Keep
    });
    let ficus =
        Setup::new(&legacy).route("").set("flask.secret_key", KEY).set("shadow.body_bytes", "64KiB").start();
    document(&ficus, &["record", "start", "item"]);
    for target in ["/items/1", "/items/2", "/items/3"] {
        assert_eq!(ficus.connect().get(target).status, 200);
    }
    let upload = ficus.connect().request("POST", "/items/4", "Content-Type: application/x-own\r\n", "own");
    assert_eq!(upload.status, 200);
    eventually("all are counted", || {
        let now = status(&ficus);
        let dropped = now["dropped"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>();
        dropped + now["requests"].as_u64().unwrap() == 4
    });
    let dropped = serde_json::json!({ "body_kind": 1, "body_too_large": 1, "streaming": 1 });
    assert_eq!(status(&ficus)["dropped"], dropped);
    assert_eq!(ficus.metric("ficus_recorded_requests_total{route=\"item\",result=\"streaming\"}"), 1);
}

#[test]
fn a_disk_that_is_full_ends_it_loudly_and_users_notice_nothing() {
    let legacy = Backend::tcp(|exchange| {
        exchange.answer(
            "200 OK",
            "Content-Type: text/plain\r\nSet-Cookie: session=a\r\n",
            &"12 ".repeat(10_000),
        );
        Then::Keep
    });
    // No file may be larger than 200 KiB: the sixth or seventh entry does not fit.
    let launch = "ulimit -f 200; exec \"$0\" \"$@\"";
    let ficus = Setup::new(&legacy)
        .route("")
        .set("flask.secret_key", KEY)
        .launched_by(&["bash", "-c", launch])
        .start();
    document(&ficus, &["record", "start", "item"]);
    let mut client = ficus.connect();
    for number in 0..30 {
        let answer = client.request("GET", &format!("/items/{number}"), "Cookie: session=a\r\n", "");
        assert_eq!(answer.status, 200);
    }
    ficus.wait_for("a recording has ended");
    eventually("the end", || status(&ficus)["on"] == false);
    let ended = status(&ficus);
    assert!(ended["ended"]["why"].as_str().unwrap().contains("the disk refuses"), "{ended:#}");
    assert!(ficus.said().contains("ERROR"), "{}", ficus.said());
    let written = ended["requests"].as_u64().unwrap();
    assert!((1..30).contains(&written), "{ended:#}");
    // No half of an entry.
    let found = replay(&ficus, &ended, &legacy);
    assert_eq!(found["routes"]["item"]["agree"], written, "{found:#}");
    assert_eq!(client.get("/items/99").status, 200);
}

#[test]
fn a_restart_ends_it_and_says_so() {
    let legacy = visited();
    let mut ficus = start(&legacy);
    document(&ficus, &["record", "start", "item"]);
    ask(&ficus, "GET", "/items/1", "");
    eventually("it is written", || status(&ficus)["requests"] == 1);
    let folder = folder(&status(&ficus));
    ficus.signal("TERM");
    assert!(ficus.ended().success());
    let manifest = || -> Value {
        serde_json::from_str(&std::fs::read_to_string(folder.join("recording.json")).unwrap()).unwrap()
    };
    assert_eq!(manifest()["ended"]["why"], "ficus was stopped");
    // As a process leaves it that was killed.
    let mut unfinished = manifest();
    unfinished["ended"] = Value::Null;
    unfinished["requests"] = 0.into();
    std::fs::write(folder.join("recording.json"), unfinished.to_string()).unwrap();
    let url = format!("sqlite:{}", ficus.file("state/ficus.db").display());
    let third = Setup::new(&legacy).route("").set("flask.secret_key", KEY).set("store.url", &url).start();
    third.wait_for("a recording has ended");
    assert!(manifest()["ended"]["why"].as_str().unwrap().contains("ficus was restarted"), "{:#}", manifest());
    assert_eq!(manifest()["requests"], 1);
    let shown = status(&third);
    assert_eq!(shown["on"], false, "{shown:#}");
}

#[test]
fn without_a_secret_key_nothing_is_recorded_and_nothing_written() {
    let legacy = visited();
    let ficus = Setup::new(&legacy).route("").start();
    let refused = cli(&ficus, &["record", "start", "item"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("`flask.secret_key` is not set"),
        "{refused:?}"
    );
    std::fs::write(ficus.file("a.http"), "### a\nGET /items/1\n").unwrap();
    let refused = cli(&ficus, &["replay", "a.http", "--against", &legacy.url(), "--write", "corpus"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("`flask.secret_key` is not set"),
        "{refused:?}"
    );
    assert!(!ficus.file("corpus").exists());
}

/// A page that says which one it is, and gives it again only to who has another one.
fn careful() -> Backend {
    Backend::tcp(|exchange| {
        let has = |line: &str| exchange.head.lines().any(|head| head.eq_ignore_ascii_case(line));
        let newest = has("If-None-Match: \"v7\"") || has("If-Modified-Since: Wed, 25 Nov 2026 10:00:00 GMT");
        let another = exchange.head.to_ascii_lowercase().contains("if-match:") && !has("If-Match: \"v7\"");
        let (status, body) = match exchange.head.split(' ').next().unwrap() {
            "PUT" if another => ("412 Precondition Failed", "another"),
            "PUT" => ("200 OK", "done"),
            _ if newest => ("304 Not Modified", ""),
            _ => ("200 OK", "page"),
        };
        let headers = "Content-Type: text/plain\r\nETag: \"v7\"\r\nLast-Modified: Wed, 25 Nov 2026 10:00:00 GMT\r\nSet-Cookie: session=a\r\n";
        exchange.answer(status, headers, body);
        Then::Keep
    })
}

#[test]
fn who_asks_for_what_is_new_is_recorded_and_asked_for_it_again() {
    let legacy = careful();
    let ficus = start(&legacy);
    let recording = recorded(&ficus, 6, || {
        for (method, target, condition, status) in [
            // What the browser had kept of it came before the recording.
            ("GET", "/items/1", "If-None-Match: \"v7\"", 304),
            ("GET", "/items/1?page=2", "If-None-Match: \"v6\"", 200),
            ("HEAD", "/items/2", "If-Modified-Since: Wed, 25 Nov 2026 10:00:00 GMT", 304),
            ("GET", "/items/2", "If-Modified-Since: Tue, 24 Nov 2026 10:00:00 GMT", 200),
            ("PUT", "/items/3", "If-Match: \"v7\"", 200),
            ("PUT", "/items/3", "If-Match: \"v6\"", 412),
        ] {
            let headers = format!("Cookie: session=a\r\n{condition}\r\n");
            assert_eq!(ficus.connect().request(method, target, &headers, "").status, status, "{condition}");
        }
    });
    assert_eq!(recording["dropped"], serde_json::json!({}), "{recording:#}");
    let text = sessions(&recording);
    assert!(!text.contains("v7") && !text.contains("v6"), "{text}");
    for kept in
        ["If-None-Match: {{etag}}", "If-Modified-Since: {{modified}}", "If-Match: \"another\"", "\n> 304\n"]
    {
        assert!(text.contains(kept), "`{kept}` is not in {text}");
    }
    let before = legacy.requests();
    let found = replay(&ficus, &recording, &legacy);
    assert_eq!(found["routes"]["item"]["agree"], 6, "{found:#}");
    // Three pages were fetched before, as the browser had fetched them.
    assert_eq!(legacy.requests() - before, 9);
    // One that gives the page every time does not answer as it was answered.
    let forgetful = Backend::tcp(|exchange| {
        exchange.answer(
            "200 OK",
            "Content-Type: text/plain\r\nETag: \"v7\"\r\nSet-Cookie: session=a\r\n",
            "page",
        );
        Then::Keep
    });
    let found = replay(&ficus, &recording, &forgetful);
    assert!(found["routes"]["item"]["differ"].as_u64().unwrap() >= 3, "{found:#}");
    assert_eq!(found["steps"][0]["differences"], serde_json::json!(["status"]), "{found:#}");
}

#[test]
fn compressed_pages_are_recorded_as_pages() {
    let page = "<p>Zimmermann</p>".repeat(40);
    let legacy = Backend::tcp(move |exchange| {
        exchange.read_body();
        let mut out = Vec::new();
        let coding = match exchange.head.split(' ').nth(1).unwrap() {
            _ if !exchange.head.to_ascii_lowercase().contains("accept-encoding") => {
                out.write_all(page.as_bytes()).unwrap();
                ""
            }
            "/items/1" => {
                brotli::CompressorReader::new(page.as_bytes(), 4096, 5, 20).read_to_end(&mut out).unwrap();
                "Content-Encoding: br\r\n"
            }
            "/items/2" => {
                out = zstd::stream::encode_all(page.as_bytes(), 3).unwrap();
                "Content-Encoding: zstd\r\n"
            }
            "/items/3" => {
                let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                zip.write_all(page.as_bytes()).unwrap();
                out = zip.finish().unwrap();
                "Content-Encoding: gzip\r\n"
            }
            _ => {
                out.extend(b"\x1f\x9d");
                "Content-Encoding: compress\r\n"
            }
        };
        let length = out.len();
        exchange.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: session=a\r\n{coding}Content-Length: {length}\r\n\r\n"
        ));
        exchange.send(out);
        Then::Keep
    });
    let ficus = start(&legacy);
    let recording = recorded(&ficus, 3, || {
        for item in 1..=4 {
            let headers = "Cookie: session=a\r\nAccept-Encoding: gzip, br, zstd\r\n";
            assert_eq!(ficus.connect().request("GET", &format!("/items/{item}"), headers, "").status, 200);
        }
        eventually("the last one is counted", || status(&ficus)["dropped"]["encoded"] == 1);
    });
    let text = sessions(&recording);
    assert_eq!(text.matches("<p>").count(), 120, "{text}");
    assert!(!text.contains("Zimmermann") && !text.contains("Content-Encoding"), "{text}");
    let found = replay(&ficus, &recording, &legacy);
    assert_eq!(found["routes"]["item"]["agree"], 3, "{found:#}");
}

/// Takes files and gives the last one back.
fn shelf() -> Backend {
    let kept = std::sync::Mutex::new(Vec::new());
    Backend::tcp(move |exchange| {
        let body = exchange.read_body();
        let headers = "Set-Cookie: session=a\r\n";
        if exchange.head.starts_with("POST ") {
            let begin = memchr::memmem::find(&body, b"image/png\r\n\r\n").unwrap() + 13;
            let end = memchr::memmem::find(&body[begin..], b"\r\n--").unwrap();
            *kept.lock().unwrap() = body[begin..begin + end].to_vec();
            exchange.answer(
                "200 OK",
                &format!("Content-Type: text/plain\r\n{headers}"),
                &format!("{end} bytes"),
            );
        } else {
            let file = kept.lock().unwrap().clone();
            let length = file.len();
            exchange.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n{headers}Content-Length: {length}\r\n\r\n"
            ));
            exchange.send(file);
        }
        Then::Keep
    })
}

#[test]
fn of_an_upload_the_form_is_recorded_and_another_file_is_sent() {
    let legacy = shelf();
    let ficus = start(&legacy);
    let file = format!("\u{89}PNG\r\n\u{1a}\nZimmermann{}", "Zimmermann\0".repeat(300))
        .chars()
        .map(|c| c as u8)
        .collect::<Vec<_>>();
    let recording = recorded(&ficus, 2, || {
        let mut body = b"--AaB\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nZimmermann, 2 pages\r\n\
            --AaB\r\nContent-Disposition: form-data; name=\"file\"; filename=\"Zimmermann.png\"\r\nContent-Type: image/png\r\n\r\n"
            .to_vec();
        body.extend(&file);
        body.extend(b"\r\n--AaB--\r\n");
        let mut client = ficus.connect();
        client.send(format!(
            "POST /items/1 HTTP/1.1\r\nHost: a\r\nCookie: session=a\r\nContent-Type: multipart/form-data; boundary=AaB\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ));
        client.send(body);
        assert_eq!(client.answer().text(), format!("{} bytes", file.len()));
        assert_eq!(client.request("GET", "/items/1", "Cookie: session=a\r\n", "").status, 200);
    });
    assert_eq!(recording["dropped"], serde_json::json!({}), "{recording:#}");
    let text = sessions(&recording);
    assert!(!text.contains("Zimmermann") && !text.contains("AaB"), "{text}");
    for kept in
        [&format!("{{{{file png {}}}}}", file.len()), "name=\"title\"", ", 2 ", "Content-Type: image/png"]
    {
        assert!(text.contains(kept), "`{kept}` is not in {text}");
    }
    let found = replay(&ficus, &recording, &legacy);
    assert_eq!(found["routes"]["item"]["agree"], 2, "{found:#}");
    let sent = legacy.received().into_iter().rfind(|one| one.head.starts_with("POST ")).unwrap();
    let at = |part: &[u8]| memchr::memmem::find(&sent.body, part);
    assert!(at(b"\x89PNG\r\n\x1a\n").is_some() && at(b"Zimmermann").is_none(), "{}", sent.head);
    assert!(sent.header("content-type").unwrap().contains("boundary=ficus-part"), "{}", sent.head);
}

/// Finds whom it knows.
fn finder() -> Backend {
    Backend::tcp(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        let asked = format!("{} {body}", exchange.head);
        let page = if asked.contains("Zimmermann") { "<p>3 found: Zimmermann</p>" } else { "<p>0 found</p>" };
        exchange.answer("200 OK", "Content-Type: text/html\r\nSet-Cookie: session=a\r\n", page);
        Then::Keep
    })
}

#[test]
fn words_that_people_typed_in_are_sent_if_somebody_says_them() {
    let legacy = finder();
    let ficus = start(&legacy);
    let recording = recorded(&ficus, 2, || {
        for (method, target, body) in
            [("GET", "/items/1?q=Zimmermann", ""), ("POST", "/items/2", "q=Zimmermann&x=1")]
        {
            let headers = "Cookie: session=a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
            assert!(ficus.connect().request(method, target, headers, body).text().contains("3 found"));
        }
    });
    // Nobody knows the word, and it is said which ones are missing.
    let found = replay(&ficus, &recording, &legacy);
    let masks = found["masks"].as_array().unwrap().clone();
    assert_eq!((masks.len(), &found["steps"][0]["differs"]), (1, &true.into()), "{found:#}");
    let mask = masks[0].as_str().unwrap();
    let said = run_replay(&ficus, &recording, &legacy, &[]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        said.contains(&format!("1 words that people typed in were sent as masks: `{mask}`; --values")),
        "{said}"
    );
    for line in
        [format!("{mask} = Zimmermann"), "= Zimmermann".to_owned(), format!("{mask} = env:TYPED_WORD")]
    {
        std::fs::write(ficus.file("values.txt"), format!("# test accounts\n{line}\n")).unwrap();
        let done = run_replay(&ficus, &recording, &legacy, &["--values", "values.txt", "--write", "written"]);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(done.status.code(), Some(0), "{line}: {said}{}", String::from_utf8_lossy(&done.stderr));
        let done = run_replay(&ficus, &recording, &legacy, &["--values", "values.txt", "--json"]);
        let found: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(
            (&found["routes"]["item"]["agree"], &found["masks"]),
            (&2.into(), &serde_json::json!([])),
            "{line}"
        );
        let written = std::fs::read_to_string(ficus.file("written/00001.http")).unwrap();
        assert!(!written.contains("Zimmermann") && written.contains(mask), "{written}");
    }
    // Another value than the one that was recorded: what is answered shows its mask again.
    let other = Backend::tcp(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        let known = format!("{} {body}", exchange.head).contains("Test+Account");
        let page = if known { "<p>3 found: Test Account</p>" } else { "<p>0 found</p>" };
        exchange.answer("200 OK", "Content-Type: text/html\r\nSet-Cookie: session=a\r\n", page);
        Then::Keep
    });
    std::fs::write(ficus.file("values.txt"), format!("{mask} = Test Account\nNobody = x\n")).unwrap();
    let done = run_replay(&ficus, &recording, &other, &["--values", "values.txt"]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let warned = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(0), "{said}{warned}");
    assert!(warned.contains("values.txt:2: `Nobody` stands in no request"), "{warned}");
    std::fs::write(ficus.file("values.txt"), "A B\nC = env:NOT_SET_ANYWHERE\n").unwrap();
    let refused = run_replay(&ficus, &recording, &legacy, &["--values", "values.txt"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(why.contains("values.txt:1: a line is `MASK = VALUE`"), "{why}");
    assert!(why.contains("values.txt:2: the variable `NOT_SET_ANYWHERE` is not set"), "{why}");
}
