//! Faults at 5 % of requests, trial after trial, and equal sides that never trip: the numbers that guards are held to.
//!
//! A few trials here; `cargo xtask trials` runs 50 of each, `cargo xtask aa --minutes 60` equal sides for an hour, and
//! `cargo xtask nightly` both. Each says how far it is, and ends with one line. Requests are sent at a rate that was set
//! beforehand, not as fast as they are answered: a run of an hour leaves the machine to others.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::backend::{Backend, Exchange, Then};
use crate::client::Client;
use crate::ficus::{Ficus, Setup, eventually};

/// A route rolls back at its so manyth bad request at the latest.
const BOUND: usize = 20;
/// Requests that were on their way when it was decided: one client and its copies in progress.
const ON_THEIR_WAY: usize = 10;
/// A trial ends here in any case.
const MOST: usize = 4_000;
/// Trials beside each other: slow answers are mostly waited for.
const BESIDE: usize = 8;
/// So much later comes a slow answer: far beyond what a busy machine does to the others.
const SLOW: Duration = Duration::from_millis(300);
/// How often equal sides say how far they are.
const NEWS: usize = 60;
/// Equal sides: routes, and connections that requests are sent on.
const ROUTES: usize = 4;
const CONNECTIONS: usize = 8;
/// A request that was sent so much later than it was due tells of a machine that was too busy.
const LATE: Duration = Duration::from_secs(1);

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap())
}

/// When requests are due: so many a second from a moment on, whenever those before were answered.
#[derive(Clone, Copy)]
struct Pace {
    began: Instant,
    rate: usize,
}

impl Pace {
    /// 0: at once.
    fn new(rate: usize) -> Self {
        Self { began: Instant::now(), rate }
    }

    /// Waits until the request with this number is due; how late it is. Nobody depends on how long that took.
    fn wait(self, number: usize) -> Duration {
        if self.rate == 0 {
            return Duration::ZERO;
        }
        let due = Duration::from_secs_f64(number as f64 / self.rate as f64);
        let passed = self.began.elapsed();
        std::thread::sleep(due.saturating_sub(passed));
        passed.saturating_sub(due)
    }
}

/// The client that sends the request with this number: 62,500 of them, one after another.
fn client(number: usize) -> String {
    format!("198.51.{}.{}", number / 250 % 250, number % 250 + 1)
}

/// The route of a request, `/t7/3` -> 7.
fn trial(head: &str) -> usize {
    let path = head.split(' ').nth(1).unwrap_or_default();
    path.trim_start_matches("/t").split('/').next().unwrap_or_default().parse().unwrap()
}

/// How often each trial's candidate was asked, and was bad.
#[derive(Default)]
struct Counts(Mutex<HashMap<usize, (usize, usize)>>);

/// Bad at 5 % of the requests of each trial, by chance that is the same in every run.
fn sometimes(counts: &Arc<Counts>, bad: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> Backend {
    let counts = Arc::clone(counts);
    Backend::tcp(move |exchange| {
        let trial = trial(exchange.head);
        let is_bad = {
            let mut counts = counts.0.lock().unwrap();
            let count = counts.entry(trial).or_default();
            count.0 += 1;
            let is_bad = chance(trial as u64, count.0 as u64) < 0.05;
            count.1 += usize::from(is_bad);
            is_bad
        };
        if is_bad {
            bad(exchange)
        } else {
            exchange.ok("the same")
        }
        Then::Keep
    })
}

/// SplitMix64.
fn chance(one: u64, other: u64) -> f64 {
    let mut bits = one.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ other.wrapping_mul(0xd1b5_4a32_d192_ed03);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A route for each trial.
fn start(trials: usize, legacy: &Backend, rust: &Backend, lines: &str) -> Ficus {
    let mut routes = String::new();
    for n in 0..trials {
        let rule = format!("rule = \"/t{n}/<int:id>\"");
        writeln!(routes, "[[route]]\nname = \"t{n}\"\n{rule}\n{lines}\n").unwrap();
    }
    let setup = Setup::new(legacy).rust_at(&rust.url()).routes(&routes);
    setup.set("listen.trusted_proxies", "127.0.0.1/32").set("log.access", "off").start()
}

/// What was wrong with each route, and how many different answers its guard had seen by then.
fn tripped(ficus: &Ficus) -> HashMap<String, (String, usize)> {
    let text = std::fs::read_to_string(ficus.file("state/incidents.jsonl")).unwrap_or_default();
    let word = |value: &serde_json::Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let different =
        |one: &serde_json::Value| one["candidate"]["mismatches"].as_u64().unwrap_or_default() as usize;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.map(|one| (word(&one, "route"), (word(&one, "fault"), different(&one)))).collect()
}

/// Runs the trials, some beside each other; how many bad requests each took.
fn run(fault: &str, bad: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static, lines: &str) {
    let trials = number("FICUS_TRIALS", 3);
    let counts = Arc::<Counts>::default();
    let (legacy, rust) = (Backend::saying("the same"), sometimes(&counts, bad));
    let ficus = start(trials, &legacy, &rust, lines);
    let (began, next, done) = (Instant::now(), AtomicUsize::new(0), AtomicUsize::new(0));
    let seconds = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..BESIDE.min(trials) {
            scope.spawn(|| {
                loop {
                    let trial = next.fetch_add(1, Ordering::SeqCst);
                    if trial >= trials {
                        return;
                    }
                    let alone = Instant::now();
                    let requests = until_it_trips(&ficus, trial);
                    let (done, took) = (done.fetch_add(1, Ordering::SeqCst) + 1, began.elapsed().as_secs());
                    let alone = alone.elapsed().as_secs_f64();
                    println!(
                        "  {fault}: {done} of {trials}, {took} s: t{trial} rolled back after {requests} requests in \
                         {alone:.1} s"
                    );
                    seconds.lock().unwrap().push(alone);
                }
            });
        }
    });
    eventually("every incident", || tripped(&ficus).len() >= trials);
    let found = tripped(&ficus);
    let counts = counts.0.lock().unwrap();
    // Copies go on after a rollback until the client has noticed it: of these only what the guard had seen counts.
    let mut bad: Vec<usize> = (0..trials)
        .map(|trial| match fault {
            "mismatches" => found[&format!("t{trial}")].1,
            _ => counts.get(&trial).map_or(0, |count| count.1),
        })
        .collect();
    bad.sort_unstable();
    let mut seconds = seconds.into_inner().unwrap();
    seconds.sort_unstable_by(f64::total_cmp);
    println!(
        "trials of {fault}: {} of {trials} rolled back, after {} bad requests in the middle and {} at most, {:.1} s in the \
         middle and {:.1} s at most, in {} s",
        found.len(),
        bad[bad.len() / 2],
        bad[bad.len() - 1],
        seconds[seconds.len() / 2],
        seconds[seconds.len() - 1],
        began.elapsed().as_secs()
    );
    assert!(found.values().all(|(found, _)| found == fault), "{found:?}");
    // How soon slowness shows depends on how slow everything else is: on a busy machine that must not decide a test.
    if fault == "latency" && std::env::var_os("FICUS_TRIALS").is_none() {
        return;
    }
    let late = bad.iter().filter(|bad| **bad > BOUND + ON_THEIR_WAY).count();
    assert!(late * 50 <= trials, "{late} of {trials} later than at the {BOUND}th bad request: {bad:?}");
}

/// One client after another, half of them in the canary; how many requests it took.
fn until_it_trips(ficus: &Ficus, trial: usize) -> usize {
    let mut connection = ficus.connect();
    let name = format!("t{trial}");
    let pace = Pace::new(number("FICUS_TRIALS_RATE", 0).div_ceil(BESIDE));
    let mut read = 0;
    for n in 0..MOST {
        pace.wait(n);
        assert_eq!(ask(&mut connection, trial, n), 200);
        // Reading all incidents again and again would slow down what is measured.
        let written = std::fs::metadata(ficus.file("state/incidents.jsonl")).map_or(0, |found| found.len());
        if written != read && tripped(ficus).contains_key(&name) {
            return n + 1;
        }
        read = written;
    }
    panic!("{name} never tripped");
}

/// One request; the status of its answer.
fn ask(connection: &mut Client, route: usize, n: usize) -> u16 {
    let from = client(n);
    connection
        .send(format!("GET /t{route}/{n} HTTP/1.1\r\nHost: crm.test\r\nX-Forwarded-For: {from}\r\n\r\n"));
    connection.answer().status
}

const CANARY: &str = "canary = { percent = 50.0, group = \"g\" }\n";

#[test]
fn errors_at_five_percent_roll_back() {
    let bad = |exchange: &mut Exchange<'_>| exchange.answer("500 Internal Server Error", "", "broken");
    run("errors", bad, &format!("{CANARY}guard = {{}}\n"));
}

#[test]
fn slowness_at_five_percent_rolls_back() {
    let bad = |exchange: &mut Exchange<'_>| {
        std::thread::sleep(SLOW);
        exchange.ok("the same");
    };
    run("latency", bad, &format!("{CANARY}guard = {{}}\n"));
}

#[test]
fn wrong_answers_at_five_percent_roll_back() {
    let bad = |exchange: &mut Exchange<'_>| exchange.ok("another");
    run("mismatches", bad, &format!("{CANARY}shadow = {{ sample = 1.0 }}\nguard = {{}}\n"));
}

/// Both sides fail and dawdle now and then, alike.
fn alike() -> Backend {
    let asked = AtomicUsize::new(0);
    Backend::tcp(move |exchange| {
        let n = asked.fetch_add(1, Ordering::SeqCst) as u64;
        match chance(n, 7) {
            share if share < 0.01 => exchange.answer("500 Internal Server Error", "", "both do"),
            share if share < 0.03 => {
                std::thread::sleep(Duration::from_millis(20));
                exchange.ok("the same");
            }
            _ => exchange.ok("the same"),
        }
        Then::Keep
    })
}

#[test]
fn equal_sides_never_trip() {
    let (seconds, rate) = (number("FICUS_AA_SECONDS", 5), number("FICUS_AA_RATE", 400));
    let (legacy, rust) = (alike(), alike());
    let ficus = start(ROUTES, &legacy, &rust, &format!("{CANARY}guard = {{}}\n"));
    let (pace, all) = (Pace::new(rate), seconds * rate);
    let (next, late) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut connection = ficus.connect();
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n >= all {
                        return;
                    }
                    if pace.wait(n) > LATE {
                        late.fetch_add(1, Ordering::SeqCst);
                    }
                    let status = ask(&mut connection, n % ROUTES, n);
                    assert!([200, 500].contains(&status), "{status}");
                    if n > 0 && n % (NEWS * rate) == 0 {
                        let (passed, late, trips) =
                            (n / rate, late.load(Ordering::SeqCst), tripped(&ficus).len());
                        println!("  {passed} of {seconds} s: {n} requests, {late} late, {trips} trips");
                    }
                }
            });
        }
    });
    let (late, tripped) = (late.into_inner(), tripped(&ficus));
    let verdict = if tripped.is_empty() { "no false trip" } else { "FALSE TRIPS" };
    println!(
        "equal sides: {verdict} in {all} requests, {rate} a second for {seconds} s ({late} more than a second late, {} s in \
         all), {} trips",
        pace.began.elapsed().as_secs(),
        tripped.len()
    );
    assert!(tripped.is_empty(), "{tripped:?}");
}
