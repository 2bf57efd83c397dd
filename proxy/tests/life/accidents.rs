//! Accidents: a mistake in one request, no descriptors left, a disk that is full, pipes that nobody reads. Requests
//! go on, and what is lost is counted.

use std::process::Stdio;

use crate::backend::Backend;
use crate::certificates::{Tls, block_on};
use crate::client::Client;
use crate::ficus::{Setup, eventually};

fn number(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{name}: {metrics}"))
}

#[test]
fn a_panic_ends_one_request_and_says_nothing_of_it() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).env("REHEARSE_A_PANIC_AT", "/mistake").start();
    let mut neighbour = ficus.connect();
    assert_eq!(neighbour.get("/").status, 200);
    for round in 1..=3 {
        let answer = ficus.connect().get("/mistake?token=secret");
        assert_eq!(answer.status, 500);
        assert!(answer.complete && answer.text().contains("500"), "{}", answer.text());
        assert_eq!(neighbour.get("/").text(), "legacy", "round {round}");
        assert_eq!(number(&ficus.metrics(), "ficus_panics_total"), round);
    }
    let line = ficus.log(7).into_iter().find(|line| line["path"] == "/mistake").unwrap();
    assert_eq!((line["status"].as_u64(), line["reason"].as_str()), (Some(500), Some("internal_error")));
    ficus.wait_for("a mistake in ficus");
    assert!(ficus.said().contains("contain.rs"), "it says where: {}", ficus.said());
    assert!(!ficus.said().contains("secret"), "{}", ficus.said());
    assert_eq!(legacy.requests(), 4);
}

#[test]
fn a_panic_takes_no_neighbour_on_the_same_http2_connection_with_it() {
    let legacy = Backend::saying("legacy");
    let tls = Tls::with(&["crm.example"]);
    let ficus = tls.serve(Setup::new(&legacy).env("REHEARSE_A_PANIC_AT", "/mistake")).start();
    let statuses = block_on(async {
        let (client, connection) =
            h2::client::handshake(tls.connect(&ficus, "crm.example", "h2").await).await.unwrap();
        tokio::spawn(connection);
        let mut answers = Vec::new();
        for path in ["/", "/mistake", "/"] {
            let mut ready = client.clone().ready().await.unwrap();
            let request = http::Request::get(format!("https://crm.example{path}")).body(()).unwrap();
            answers.push(ready.send_request(request, true).unwrap().0);
        }
        let mut statuses = Vec::new();
        for answer in answers {
            statuses.push(answer.await.unwrap().status().as_u16());
        }
        statuses
    });
    assert_eq!(statuses, [200, 500, 200]);
}

#[test]
fn a_crowd_beyond_the_descriptors_is_turned_away_and_nothing_breaks() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy)
        .set("log.level", "warn")
        .set("timeouts.upstream_idle", "20s")
        .launched_by(&["sh", "-c", "ulimit -n 96; exec \"$@\"", "sh"])
        .start();
    let crowd: Vec<Client> = (0..150).map(|_| ficus.connect()).collect();
    eventually("refused connections", || {
        ficus.metrics().contains("ficus_connections_refused_total{reason=\"full\"}")
    });
    drop(crowd);
    eventually("the crowd to be gone", || number(&ficus.metrics(), "ficus_connections") == 0);
    assert_eq!(ficus.connect().get("/").text(), "legacy", "and then everybody is again");
    assert!(!ficus.said().contains("cannot accept a connection"), "{}", ficus.said());
}

#[test]
fn as_many_files_may_be_open_as_the_system_allows() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).launched_by(&["sh", "-c", "ulimit -S -n 64; exec \"$@\"", "sh"]).start();
    let crowd: Vec<Client> = (0..100).map(|_| ficus.connect()).collect();
    assert_eq!(ficus.connect().get("/").text(), "legacy");
    assert!(!ficus.said().contains("cannot accept"), "{}", ficus.said());
    drop(crowd);
}

#[test]
fn a_full_disk_costs_lines_of_the_log_which_are_counted() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("log.access", "/dev/full").start();
    let mut client = ficus.connect();
    for _ in 0..20 {
        assert_eq!(client.get("/").text(), "legacy");
    }
    eventually("20 lost lines", || number(&ficus.metrics(), "ficus_access_log_dropped_total") == 20);
    ficus.wait_for("cannot write a log");
    assert_eq!(ficus.said().matches("cannot write a log").count(), 1, "{}", ficus.said());
}

#[test]
fn a_pipe_that_nobody_reads_holds_nobody_up() {
    let legacy = Backend::saying("legacy");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut ficus =
        Setup::new(&legacy).set("log.access", "stdout").streams(Stdio::null(), Stdio::from(writer)).start();
    let path = format!("/{}", "x".repeat(4_000));
    let mut client = ficus.connect();
    for _ in 0..100 {
        assert_eq!(client.get(&path).text(), "legacy");
    }
    drop(client);
    // 400 KB are more than a pipe holds. The end of the process does not wait for a reader either.
    ficus.signal("TERM");
    assert!(ficus.ended().success());
    drop(reader);
}

#[test]
fn a_closed_pipe_is_no_reason_to_end() {
    let legacy = Backend::saying("legacy");
    let (reader, writer) = std::io::pipe().unwrap();
    let ficus =
        Setup::new(&legacy).set("log.access", "stdout").streams(Stdio::null(), Stdio::from(writer)).start();
    drop(reader);
    let mut client = ficus.connect();
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), "legacy");
    }
    eventually("5 lost lines", || number(&ficus.metrics(), "ficus_access_log_dropped_total") == 5);
}

#[test]
fn a_rollback_needs_no_state_directory_and_a_flip_to_rust_does() {
    let legacy = Backend::saying("legacy");
    let rust = Backend::saying("rust");
    let ficus = Setup::new(&legacy).rust_at(&rust.url()).route("serve = \"rust\"\n").start();
    // A file where the directory was: nothing can be written there, not even by root.
    let state = ficus.file("state");
    std::fs::rename(&state, ficus.file("elsewhere")).unwrap();
    std::fs::create_dir(&state).unwrap();
    std::fs::rename(ficus.file("elsewhere/admin.sock"), state.join("admin.sock")).unwrap();
    std::fs::create_dir(state.join("routing.json.next")).unwrap();
    std::fs::create_dir(state.join("routing.json")).unwrap();
    std::fs::create_dir(state.join("journal.jsonl")).unwrap();
    std::fs::create_dir(state.join("ficus.db")).unwrap();
    assert_eq!(ficus.connect().get("/items/7").text(), "rust");
    let back = ficus.json(&["rollback", "item"]);
    assert!(!back["warnings"].as_array().unwrap().is_empty(), "{back}");
    assert_eq!(ficus.connect().get("/items/7").text(), "legacy");
    // A flip that is on no disk would be lost by a restart: more of Rust has to wait for one.
    let said = ficus.fails(&["resume", "item"]);
    assert!(said.contains("cannot be put on record, so it is not made"), "{said}");
    assert_eq!(ficus.connect().get("/items/7").text(), "legacy");
}
