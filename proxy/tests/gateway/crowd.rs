//! Many connections: bounded, cheap while idle, and no trouble for others.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::backend::{Backend, Then};
use crate::client::Client;
use crate::ficus::{Ficus, Setup, eventually};

fn refused(ficus: &Ficus, reason: &str) -> u64 {
    ficus.metric(&format!("ficus_connections_refused_total{{reason=\"{reason}\"}}"))
}

/// A connection that has been used and is kept.
fn kept(ficus: &Ficus) -> Client {
    let mut client = ficus.connect();
    assert_eq!(client.get("/").status, 200);
    client
}

#[test]
fn one_client_gets_so_many_connections_and_no_more() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("limits.connections_per_client", "3").start();
    let mut clients: Vec<Client> = (0..3).map(|_| kept(&ficus)).collect();
    let refusal = ficus.connect().head();
    assert_eq!((refusal.status, refusal.header("retry-after")), (503, Some("5")));
    assert_eq!(refused(&ficus, "client"), 1);
    for client in &mut clients {
        assert_eq!(client.get("/").status, 200, "those that are there are not concerned");
    }
    drop(clients.pop());
    eventually("the place to be free", || {
        let mut client = ficus.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").head().status == 200
    });
}

#[test]
fn a_full_house_gives_up_who_is_idle_for_who_is_new() {
    let (entered, arrivals) = channel();
    let (release, wait) = channel::<()>();
    let (entered, wait) = (Mutex::new(entered), Mutex::new(wait));
    let legacy = Backend::tcp(move |exchange| {
        if exchange.head.starts_with("GET /work") {
            entered.lock().unwrap().send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
        }
        exchange.ok("legacy");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).set("limits.connections", "3").start();
    let work = |mut client: Client| {
        client.send("GET /work HTTP/1.1\r\nHost: a\r\n\r\n");
        arrivals.recv().unwrap();
        client
    };
    let mut at_work = vec![work(ficus.connect()), work(ficus.connect())];
    let mut idle = kept(&ficus);
    // Another thread lets newcomers in: it may not have heard yet that the one who has its answer is idle.
    eventually("a newcomer to be let in", || ficus.connect().status_of("/") == Some(200));
    assert!(idle.is_closed());
    assert_eq!(refused(&ficus, "idle"), 1);
    eventually("the newcomer to be gone", || ficus.metric("ficus_connections") == 2);
    at_work.push(work(ficus.connect()));
    let before = refused(&ficus, "full");
    assert_eq!(ficus.connect().head().status, 503);
    assert_eq!(refused(&ficus, "full"), before + 1);
    for _ in 0..3 {
        release.send(()).unwrap();
    }
    for client in &mut at_work {
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn few_descriptors_are_shared_so_that_every_request_is_answered() {
    let (release, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let legacy = Backend::tcp(move |exchange| {
        if exchange.head.starts_with("GET /work") {
            let _ = wait.lock().unwrap().recv();
        }
        exchange.ok("legacy");
        Then::Keep
    });
    let ficus = Setup::new(&legacy).open_files(200).start();
    ficus.wait_for("more than open files allow");
    // Far more than there is room for, one after the other: the oldest ones leave.
    let clients: Vec<Client> = (0..300).map(|_| kept(&ficus)).collect();
    drop(clients);
    let mut busy: Vec<Client> = (0..150)
        .map(|_| {
            let mut client = ficus.connect();
            let _ = client.try_send(b"GET /work HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    eventually("requests at the backend", || legacy.requests() >= 300 + 50);
    drop(release);
    let statuses: Vec<Option<u16>> = busy.iter_mut().map(Client::status).collect();
    let answered = statuses.iter().filter(|status| **status == Some(200)).count();
    // The others were refused at the door.
    assert!(answered >= 50 && statuses.iter().all(|s| matches!(s, Some(200 | 503) | None)), "{statuses:?}");
    drop(busy);
    eventually("room for somebody new", || ficus.connect().status_of("/") == Some(200));
}

/// 10,000 idle connections and 2,000 slow senders, or as many as this process may have open.
#[test]
fn a_crowd_disturbs_nobody() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    // Backends get a third of what there is at most.
    let places = usize::try_from(hard.min(30_000) * 2 / 3).unwrap() - 500;
    let idle = (places * 5 / 6).min(10_000);
    let slow = (places / 6).min(2_000);
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy)
        .set("timeouts.client_idle", "1h")
        .set("timeouts.client_header", "1h")
        .set("log.access", "off")
        .start();
    let mut first = kept(&ficus);
    let before = ficus.memory();
    let mut waiting = Vec::with_capacity(idle);
    while waiting.len() < idle {
        let batch = 100.min(idle - waiting.len());
        let mut clients: Vec<Client> = (0..batch).map(|_| ficus.connect()).collect();
        for client in &mut clients {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        for client in &mut clients {
            assert_eq!(client.answer().status, 200);
        }
        waiting.extend(clients.into_iter().map(Client::stream));
    }
    let each = (ficus.memory() - before) / idle as u64;
    assert!(each < 30 * 1_024, "an idle connection costs {each} bytes");
    let senders: Vec<TcpStream> = (0..slow)
        .map(|_| {
            let mut stream = TcpStream::connect(ficus.http()).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
            stream
        })
        .collect();
    eventually("all of them to be there", || ficus.metric("ficus_connections") >= (idle + slow + 1) as u64);
    for _ in 0..50 {
        assert_eq!(first.get("/").status, 200);
        assert_eq!(ficus.connect().get("/").status, 200);
    }
    for stream in waiting.into_iter().step_by(idle / 20) {
        assert_eq!(Client::over(stream).get("/").status, 200);
    }
    assert_eq!((refused(&ficus, "full"), refused(&ficus, "client"), refused(&ficus, "idle")), (0, 0, 0));
    drop(senders);
}
