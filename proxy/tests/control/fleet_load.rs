//! Flips under load, as clients see them: no request fails. How long the old side still answers is printed, and decides
//! nothing: `cargo xtask bench-flips` shows it for a thousand flips.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ficus::{Ficus, ROUTES};
use crate::fleet::{Fleet, tell};

const CLIENTS_PER_NODE: usize = 2;

/// What one client has seen.
#[derive(Default)]
struct Seen {
    answers: AtomicU64,
    failures: AtomicU64,
    /// When each side answered last, in nanoseconds since the start.
    last: [AtomicU64; 2],
}

/// Asks over one connection until told to stop.
fn client(port: u16, began: Instant, seen: &Seen, stop: &AtomicBool) {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while !stop.load(Ordering::Relaxed) {
        let asked = writer.write_all(b"GET /customers/ HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let side = asked.ok().and_then(|()| answer(&mut reader));
        let at = u64::try_from(began.elapsed().as_nanos()).unwrap();
        match side.as_deref() {
            Some("legacy") => seen.last[0].store(at, Ordering::SeqCst),
            Some("rust") => seen.last[1].store(at, Ordering::SeqCst),
            _ => {
                seen.failures.fetch_add(1, Ordering::SeqCst);
                return;
            }
        }
        seen.answers.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// The body of an answer with status 200.
fn answer(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut length, mut first) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        if first.is_empty() {
            first.clone_from(&line);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    first.contains(" 200 ").then(|| String::from_utf8_lossy(&body).into_owned())
}

/// What came of one flip.
struct Flip {
    /// Towards the candidate; else back to safety.
    up: bool,
    /// From the command to the last answer of the old side, as clients have it.
    seen: Duration,
    /// The same to the answer to the command.
    answered: Duration,
    /// What the node says of itself.
    took: Value,
}

/// Flips to and fro, one node after the other.
fn flips(nodes: &[&Ficus], count: usize) -> Vec<Flip> {
    let (began, stop) = (Instant::now(), AtomicBool::new(false));
    let clients: Vec<Arc<Seen>> = (0..nodes.len() * CLIENTS_PER_NODE).map(|_| Arc::default()).collect();
    let times = std::thread::scope(|scope| {
        for (number, seen) in clients.iter().enumerate() {
            let port = nodes[number % nodes.len()].port;
            let (seen, stop) = (Arc::clone(seen), &stop);
            scope.spawn(move || client(port, began, &seen, stop));
        }
        let times = (0..count).map(|number| {
            let node = nodes[number % nodes.len()];
            let (to, old) = if number % 2 == 0 { ("rust", 0) } else { ("legacy", 1) };
            let body = format!("{{\"route\":\"customers.list\",\"to\":\"{to}\",\"wait\":\"30s\"}}");
            let length = body.len();
            let request = format!(
                "POST /v1/flip HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\n\r\n{body}"
            );
            let asked = u64::try_from(began.elapsed().as_nanos()).unwrap();
            let told = tell(node, &request);
            let answered = Duration::from_nanos(u64::try_from(began.elapsed().as_nanos()).unwrap() - asked);
            assert_eq!(told["changes"][0]["after"], to, "{told}");
            wait_for_more(&clients, began);
            let last = clients.iter().map(|seen| seen.last[old].load(Ordering::SeqCst)).max().unwrap();
            let seen = Duration::from_nanos(last.saturating_sub(asked));
            Flip { up: old == 0, seen, answered, took: told["took"].clone() }
        });
        let times: Vec<Flip> = times.collect();
        stop.store(true, Ordering::Relaxed);
        times
    });
    let failures: u64 = clients.iter().map(|seen| seen.failures.load(Ordering::SeqCst)).sum();
    let answers: u64 = clients.iter().map(|seen| seen.answers.load(Ordering::SeqCst)).sum();
    assert_eq!(failures, 0, "of {answers} requests");
    println!("{answers} requests by {} clients, none failed", clients.len());
    times
}

/// Waits until every client has an answer to a request that it sent after now.
fn wait_for_more(clients: &[Arc<Seen>], began: Instant) {
    let answers = |seen: &Arc<Seen>| seen.answers.load(Ordering::SeqCst);
    let before: Vec<u64> = clients.iter().map(answers).collect();
    let deadline = began.elapsed() + Duration::from_secs(60);
    while clients.iter().zip(&before).any(|(seen, before)| answers(seen) < before + 2) {
        let failed = clients.iter().any(|seen| seen.failures.load(Ordering::SeqCst) > 0);
        assert!(!failed && began.elapsed() < deadline, "a client has stopped");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn count() -> usize {
    std::env::var("FICUS_FLIPS").ok().and_then(|count| count.parse().ok()).unwrap_or(60)
}

/// The numbers, and where the time goes. The 99th percentile must be below `bound`, in ms, where they were asked for
/// (`cargo xtask bench-flips`); elsewhere a busy machine would decide.
fn tell_times(what: &str, flips: &[Flip], bound: f64) {
    println!("{what}: {} flips, in ms from the command", flips.len());
    println!("  {:46} {:>9} {:>9} {:>9}", "", "p50", "p99", "most");
    for (direction, up) in [("to the candidate", true), ("back to the fallback", false)] {
        let own = || flips.iter().filter(move |flip| flip.up == up);
        let row = |what: &str, times: Vec<f64>| {
            print_times(&format!("{direction}: {what}"), times);
        };
        row("last answer of the old side", own().map(|flip| ms(flip.seen)).collect());
        for (phase, key) in [
            ("requests are swapped", "swapped_us"),
            ("the store has it", "published_us"),
            ("it is durable", "durable_us"),
            ("all nodes confirmed", "confirmed_us"),
        ] {
            row(phase, own().filter_map(|flip| flip.took[key].as_f64()).map(|micros| micros / 1e3).collect());
        }
        row("the command is answered", own().map(|flip| ms(flip.answered)).collect());
    }
    let p99 =
        print_times("both: last answer of the old side", flips.iter().map(|flip| ms(flip.seen)).collect());
    if std::env::var_os("FICUS_FLIPS").is_some() {
        assert!(
            p99 < bound,
            "{what}: the p99 of the last answer of the old side is {p99:.2} ms, allowed are {bound}"
        );
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Prints one line; the 99th percentile.
fn print_times(what: &str, mut times: Vec<f64>) -> f64 {
    times.retain(|time| *time > 0.0);
    if times.is_empty() {
        return 0.0;
    }
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    println!("  {what:46} {:9.2} {:9.2} {:9.2}", at(50), at(99), at(100));
    at(99)
}

#[test]
fn no_request_fails_while_three_nodes_flip() {
    let fleet = Fleet::start(3, ROUTES);
    let nodes: Vec<&Ficus> = fleet.nodes.iter().collect();
    tell_times("three nodes with PostgreSQL", &flips(&nodes, count()), 100.0);
}

#[test]
fn no_request_fails_while_one_node_flips() {
    let ficus = Ficus::start(ROUTES);
    tell_times("one node", &flips(&[&ficus], count()), 5.0);
}
