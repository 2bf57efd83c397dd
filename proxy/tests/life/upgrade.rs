//! One process takes the place of another: nobody notices, and if it cannot, nothing has changed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::backend::{Backend, Then};
use crate::certificates::{Tls, block_on};
use crate::client::Client;
use crate::ficus::{Ficus, PATIENCE, Setup, eventually};
use crate::tunnel;

/// Clients that ask again and again; each answer counts, each failure is kept.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Result<(), String>>>,
}

impl Load {
    /// `kept`: over one connection as long as the other end keeps it, else over a new one each time.
    fn start(address: SocketAddr, clients: usize, kept: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let client = || {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            std::thread::spawn(move || {
                let mut stream: Option<TcpStream> = None;
                while !stop.load(Ordering::Relaxed) {
                    let mut open = match stream.take().filter(|_| kept) {
                        Some(open) => open,
                        None => TcpStream::connect(address).map_err(|error| format!("connect: {error}"))?,
                    };
                    if exchange(&mut open).map_err(|error| format!("exchange: {error}"))? {
                        stream = Some(open);
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        };
        let clients = (0..clients).map(|_| client()).collect();
        Self { stop, answered, clients }
    }

    fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits for so many more answers.
    fn go_on(&self, more: usize) {
        let before = self.answered();
        eventually("more answers", || self.answered() >= before + more);
    }

    /// All answers, if none failed.
    #[track_caller]
    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap().unwrap();
        }
        self.answered.load(Ordering::Relaxed)
    }
}

/// One request; whether the connection is kept.
fn exchange(stream: &mut TcpStream) -> std::io::Result<bool> {
    let bad = |text: &str| std::io::Error::other(text.to_owned());
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /load HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut bytes = [0; 1024];
    while !answer.ends_with(b"\r\n\r\nlegacy") {
        match stream.read(&mut bytes)? {
            0 => return Err(bad(&format!("closed after {:?}", String::from_utf8_lossy(&answer)))),
            read => answer.extend_from_slice(&bytes[..read]),
        }
    }
    let text = String::from_utf8_lossy(&answer).to_lowercase();
    if text.starts_with("http/1.1 200") { Ok(!text.contains("connection: close")) } else { Err(bad(&text)) }
}

fn upgraded(ficus: &Ficus) -> u32 {
    let document = ficus.json(&["upgrade"]);
    u32::try_from(document["process"].as_u64().unwrap()).unwrap()
}

#[test]
fn an_upgrade_under_load_fails_no_request() {
    let legacy = Backend::saying("legacy");
    let mut ficus = Setup::new(&legacy).start();
    let (kept, fresh) = (Load::start(ficus.http(), 4, true), Load::start(ficus.http(), 2, false));
    kept.go_on(50);
    let first = upgraded(&ficus);
    assert_ne!(first, ficus.pid());
    kept.go_on(50);
    fresh.go_on(20);
    assert!(ficus.ended().success(), "the old process ends when it has answered everything");
    let second = upgraded(&ficus);
    assert_ne!(first, second);
    kept.go_on(50);
    fresh.go_on(20);
    let (kept, fresh) = (kept.end(), fresh.end());
    println!("2 upgrades, {kept} answers over kept connections and {fresh} over fresh ones, 0 failed");
    ficus.wait_for(&format!("process {second} has taken over"));
    assert_eq!(ficus.successors(), [first, second]);
}

#[test]
fn what_the_old_process_has_begun_it_answers_to_the_end() {
    let (release, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let legacy = Backend::tcp(move |exchange| {
        if exchange.head.starts_with("GET /slow") {
            wait.lock().unwrap().recv().unwrap();
            exchange.ok("slow");
        } else if exchange.head.starts_with("GET /tunnel") {
            return tunnel::echo(exchange);
        } else {
            exchange.ok("quick");
        }
        Then::Keep
    });
    let mut ficus = Setup::new(&legacy).set("timeouts.drain", "5m").start();
    let mut slow = ficus.connect();
    slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut tunnel = tunnel::open(&ficus);
    let begun = |path: &str| legacy.received().iter().any(|one| one.head.starts_with(path));
    eventually("the slow request at the backend", || begun("GET /slow"));
    let successor = upgraded(&ficus);
    assert_eq!(ficus.connect().get("/quick").text(), "quick");
    assert!(ficus.is_running());
    // systemd stops all processes of a service at once: that is no reason to cut anybody off.
    ficus.signal("TERM");
    tunnel.send("over the tunnel");
    tunnel.expect("over the tunnel");
    release.send(()).unwrap();
    let answer = slow.answer();
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("slow", Some("close")));
    drop(tunnel);
    assert!(ficus.ended().success());
    assert_eq!(ficus.connect().get("/quick").text(), "quick");
    ficus.wait_for(&format!("process {successor} has taken over"));
}

#[test]
fn a_new_process_that_does_not_get_ready_changes_nothing() {
    let legacy = Backend::saying("legacy");
    let rust = Backend::saying("rust");
    let setup = Setup::new(&legacy).rust_at(&rust.url()).route("serve = \"legacy\"\n");
    let program = setup.directory.path().join("ficus-program");
    std::fs::hard_link(env!("CARGO_BIN_EXE_ficus"), &program)
        .or_else(|_| std::fs::copy(env!("CARGO_BIN_EXE_ficus"), &program).map(drop))
        .unwrap();
    let mut ficus = setup.program(&program).set("timeouts.upgrade", "3s").start();
    let load = Load::start(ficus.http(), 2, true);
    for (script, expected) in [
        ("#!/bin/sh\nexit 3\n", "exit status: 3"),
        ("#!/bin/sh\nexec sleep 600\n", "it was not ready within 3 s (`timeouts.upgrade`)"),
        ("no program at all", "cannot start"),
    ] {
        std::fs::remove_file(&program).unwrap();
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let said = ficus.fails(&["upgrade"]);
        assert!(said.contains(expected), "{said}");
        load.go_on(5);
    }
    // A wrong setting is found by the new process before anything is touched.
    std::fs::remove_file(&program).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ficus"), &program).unwrap();
    let settings = std::fs::read_to_string(ficus.file("ficus.toml")).unwrap();
    std::fs::write(ficus.file("ficus.toml"), format!("{settings}\n[listn]\n")).unwrap();
    let said = ficus.fails(&["upgrade"]);
    assert!(said.contains("the settings have 1 error"), "{said}");
    // The state is this process's own again, and a good one can still take over.
    ficus.json(&["flip", "item", "rust"]);
    load.go_on(5);
    assert!(ficus.is_running() && ficus.successors().is_empty());
    std::fs::write(ficus.file("ficus.toml"), settings).unwrap();
    upgraded(&ficus);
    load.go_on(5);
    load.end();
    assert_eq!(ficus.connect().get("/items/7").text(), "rust");
    assert!(ficus.ended().success());
}

#[test]
fn flips_during_upgrades_are_made_once_and_in_order() {
    let legacy = Backend::saying("legacy");
    let rust = Backend::saying("rust");
    let ficus = Setup::new(&legacy).rust_at(&rust.url()).route("serve = \"legacy\"\n").start();
    let ficus = Arc::new(ficus);
    let stop = Arc::new(AtomicBool::new(false));
    let flipping = {
        let (ficus, stop) = (Arc::clone(&ficus), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut revisions = Vec::new();
            while !stop.load(Ordering::Relaxed) || revisions.len() < 20 {
                let to = if revisions.len() % 2 == 0 { "rust" } else { "legacy" };
                let done = ficus.json(&["flip", "item", to]);
                revisions.push(done["revision"].as_u64().unwrap());
                // A connection may still reach the process that leaves, which learns of it from the file.
                eventually("the flip to hold", || ficus.connect().get("/items/7").text() == to);
            }
            revisions
        })
    };
    for _ in 0..3 {
        upgraded(&ficus);
    }
    stop.store(true, Ordering::Relaxed);
    let revisions = flipping.join().unwrap();
    let expected: Vec<u64> = (2..2 + revisions.len() as u64).collect();
    assert_eq!(revisions, expected, "each flip is one revision");
    eventually("everything in the store", || ficus.json(&["status"])["store"]["pending"] == 0);
    let history = ficus.json(&["history", "--limit", "1000"]);
    let mut stored: Vec<u64> = history["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["revision"].as_u64().unwrap())
        .collect();
    stored.reverse();
    assert_eq!(stored, (1..=*expected.last().unwrap()).collect::<Vec<u64>>(), "and is recorded once");
}

#[test]
fn a_flip_after_an_upgrade_reaches_requests_that_the_old_process_still_answers() {
    let legacy = Backend::saying("legacy");
    let rust = Backend::saying("rust");
    let ficus = Setup::new(&legacy).rust_at(&rust.url()).route("serve = \"legacy\"\n").start();
    // Each of these may bring one more request to the old process.
    let mut kept: Vec<Client> = (0..60).map(|_| ficus.connect()).collect();
    for client in &mut kept {
        assert_eq!(client.get("/items/7").header("connection"), Some("keep-alive"));
    }
    upgraded(&ficus);
    ficus.json(&["flip", "item", "rust"]);
    assert_eq!(ficus.connect().get("/items/7").text(), "rust");
    let mut kept = kept.into_iter();
    eventually("the flip in the old process", || {
        let answer = kept.next().unwrap().get("/items/7");
        assert_eq!(answer.header("connection"), Some("close"), "it is the old one that answers");
        std::thread::sleep(std::time::Duration::from_millis(20));
        answer.text() == "rust"
    });
}

#[test]
fn a_signal_asks_for_an_upgrade_too() {
    let legacy = Backend::saying("legacy");
    let mut ficus = Setup::new(&legacy).start();
    let mut kept = ficus.connect();
    assert_eq!(kept.get("/").header("connection"), Some("keep-alive"));
    ficus.signal("USR2");
    ficus.wait_for("has taken over");
    // A kept connection may bring one more request, and is told to come back on another one.
    let answer = kept.get("/");
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("legacy", Some("close")));
    assert!(kept.is_closed());
    assert!(ficus.ended().success());
    assert_eq!(Client::connect(ficus.http()).get("/").text(), "legacy");
    assert_eq!(ficus.ask("/readyz", "").0, 200);
    let socket = ficus.file("state/admin.sock");
    assert!(socket.exists(), "the old process does not remove what the new one uses");
}

#[test]
fn an_upgrade_takes_new_settings() {
    let legacy = Backend::saying("legacy");
    let mut ficus = Setup::new(&legacy).start();
    let settings = std::fs::read_to_string(ficus.file("ficus.toml")).unwrap();
    std::fs::write(ficus.file("ficus.toml"), format!("{settings}[limits]\nbackend_requests = 7\n")).unwrap();
    let said = String::from_utf8(ficus.cli(&["reload"]).stdout).unwrap();
    assert!(said.contains("limits.backend_requests: needs a new process"), "{said}");
    upgraded(&ficus);
    assert!(ficus.ended().success());
    let said = String::from_utf8(ficus.cli(&["reload"]).stdout).unwrap();
    assert!(said.contains("nothing has changed"), "{said}");
}

/// Asks over one HTTP/2 connection until its other end says goodbye, then over another one.
async fn http2_load(tls: &Tls, ficus: &Ficus, stop: &AtomicBool, answered: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        let stream = tls.connect(ficus, "crm.example", "h2").await;
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        while !stop.load(Ordering::Relaxed) {
            // A connection that is going away takes no further request; one that was begun is answered.
            let Ok(mut ready) = client.clone().ready().await else { break };
            let request = http::Request::get("https://crm.example/load").body(()).unwrap();
            let Ok((answer, _)) = ready.send_request(request, true) else { break };
            let mut answer = match answer.await {
                Ok(answer) => answer,
                // The goodbye was there before the request was on its way: nobody has seen it.
                Err(error) if error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR) => break,
                Err(error) => panic!("{error:?}"),
            };
            assert_eq!(answer.status(), 200);
            while let Some(data) = answer.body_mut().data().await {
                assert_eq!(data.unwrap(), "legacy");
            }
            answered.fetch_add(1, Ordering::Relaxed);
        }
        drop(client);
        // What was asked was answered; who closes first does not matter.
        let _ = connection.await.unwrap();
    }
}

#[test]
fn an_upgrade_fails_no_request_over_http2() {
    let legacy = Backend::saying("legacy");
    let tls = Tls::with(&["crm.example"]);
    let mut ficus = tls.serve(Setup::new(&legacy)).start();
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let go_on = |more: usize| {
        let before = answered.load(Ordering::Relaxed);
        eventually("more answers", || answered.load(Ordering::Relaxed) >= before + more);
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..3).map(|_| scope.spawn(|| block_on(http2_load(&tls, &ficus, &stop, &answered)))).collect();
        for _ in 0..2 {
            go_on(30);
            upgraded(&ficus);
        }
        go_on(30);
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
    });
    assert!(ficus.ended().success());
    assert_eq!(legacy.requests(), answered.load(Ordering::Relaxed), "none is lost, none is executed twice");
    println!("2 upgrades, {} answers over HTTP/2, 0 failed", answered.load(Ordering::Relaxed));
}
