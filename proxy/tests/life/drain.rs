//! SIGTERM: what has begun is answered, whatever it is, and then the process ends.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use crate::backend::{Backend, Then};
use crate::certificates::{Tls, block_on};
use crate::ficus::{Setup, eventually};
use crate::tunnel;

/// A backend that waits for a word before it answers.
fn waiting() -> (Backend, Sender<()>) {
    let (release, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let backend = Backend::tcp(move |exchange| {
        wait.lock().unwrap().recv().unwrap();
        exchange.ok("done");
        Then::Keep
    });
    (backend, release)
}

#[test]
fn http2_clients_are_told_to_go_and_get_their_answers() {
    let (legacy, release) = waiting();
    let tls = Tls::with(&["crm.example"]);
    let mut ficus = tls.serve(Setup::new(&legacy).set("timeouts.drain", "5m")).start();
    block_on(async {
        let stream = tls.connect(&ficus, "crm.example", "h2").await;
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        let request = || http::Request::get("https://crm.example/").body(()).unwrap();
        let (answer, _) = client.send_request(request(), true).unwrap();
        tokio::task::spawn_blocking(move || {
            eventually("the request at the backend", || legacy.requests() == 1);
            legacy
        })
        .await
        .unwrap();
        ficus.signal("TERM");
        // GOAWAY arrives while the request is still in progress: no further one can be begun.
        let refused = async {
            loop {
                match client.clone().ready().await {
                    Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
                    Err(error) => return error,
                }
            }
        };
        let refused = tokio::time::timeout(crate::ficus::PATIENCE, refused).await.unwrap();
        assert!(refused.is_go_away(), "{refused}");
        release.send(()).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "done");
        drop(client);
        // The connection is over, whoever was the first to say so.
        let _ = connection.await.unwrap();
    });
    assert!(ficus.ended().success());
    ficus.wait_for("every request was answered");
}

#[test]
fn an_upload_in_progress_is_taken_to_its_end() {
    let legacy = Backend::tcp(|exchange| {
        let body = exchange.read_body();
        exchange.ok(&format!("{} bytes", body.len()));
        Then::Close
    });
    let mut ficus = Setup::new(&legacy).set("timeouts.drain", "5m").start();
    let mut client = ficus.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
    client.send(vec![b'x'; 100_000]);
    eventually("the request at the backend", || legacy.requests() == 1);
    ficus.signal("TERM");
    ficus.wait_for("stopping");
    client.send(vec![b'x'; 100_000]);
    assert_eq!(client.answer().text(), "200000 bytes");
    assert!(ficus.ended().success());
    ficus.wait_for("every request was answered");
}

#[test]
fn events_go_on_until_the_backend_ends_them() {
    let (release, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let legacy = Backend::tcp(move |exchange| {
        exchange.send(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
             9\r\ndata: 1\n\n\r\n",
        );
        wait.lock().unwrap().recv().unwrap();
        exchange.send("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
        Then::Close
    });
    let mut ficus = Setup::new(&legacy).set("timeouts.drain", "5m").start();
    let mut client = ficus.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head();
    client.expect("9\r\ndata: 1\n\n\r\n");
    ficus.signal("TERM");
    ficus.wait_for("stopping");
    assert!(ficus.is_running());
    release.send(()).unwrap();
    client.expect("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
    assert!(ficus.ended().success());
    ficus.wait_for("every request was answered");
}

#[test]
fn a_tunnel_ends_at_the_latest_when_the_time_is_up() {
    let legacy = Backend::tcp(tunnel::echo);
    let mut ficus = Setup::new(&legacy).set("timeouts.drain", "700ms").start();
    let mut tunnel = tunnel::open(&ficus);
    ficus.signal("TERM");
    assert!(ficus.ended().success());
    ficus.wait_for("stopped before every request was answered");
    assert!(tunnel.is_closed());
}

#[test]
fn a_load_balancer_is_told_before_anybody_is_turned_away() {
    let legacy = Backend::saying("legacy");
    let mut ficus = Setup::new(&legacy).set("timeouts.before_drain", "10m").start();
    ficus.signal("TERM");
    ficus.wait_for("stopping");
    assert_eq!(ficus.ask("/readyz", ""), (503, "draining\n".to_owned()));
    let mut client = ficus.connect();
    assert_eq!(client.get("/").header("connection"), Some("keep-alive"), "all goes on meanwhile");
    ficus.signal("TERM");
    assert!(ficus.ended().success());
    ficus.wait_for("every request was answered");
}

#[test]
fn the_answer_to_a_request_in_progress_is_whole_when_the_process_ends() {
    let (legacy, release) = waiting();
    let mut ficus = Setup::new(&legacy).set("timeouts.drain", "5m").start();
    let mut client = ficus.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request at the backend", || legacy.requests() == 1);
    ficus.signal("TERM");
    ficus.wait_for("stopping");
    assert_eq!(ficus.ask("/readyz", "").0, 503);
    assert_eq!(ficus.ask("/livez", "").0, 200);
    release.send(()).unwrap();
    let answer = client.answer();
    assert!(answer.complete && answer.text() == "done");
    assert!(ficus.ended().success());
}
