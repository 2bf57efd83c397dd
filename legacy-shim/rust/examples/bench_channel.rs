//! What a question through the channel costs:
//! `cargo run -p flask-compat --features channel --example bench_channel -- 127.0.0.1:PORT SECRET [COOKIE]`.
//! Not a benchmark of Rust: nearly all of it is Flask's.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use flask_compat::channel::{Caller, ShimChannel};
use http::{HeaderMap, HeaderValue};

const ROUNDS: usize = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, secret, rest @ ..] = &arguments[..] else {
        panic!("usage: bench_channel ADDRESS SECRET [COOKIE]")
    };
    let channel = ShimChannel::new(address, secret).unwrap();
    let mut headers = HeaderMap::new();
    if let Some(cookie) = rest.first() {
        headers.insert("cookie", HeaderValue::from_str(cookie).unwrap());
    }
    let caller = Caller::new("GET", "/", &headers);
    let loaded = channel.load(&caller).await.unwrap();
    println!("{} keys in the session, refresh: {}", loaded.data.len(), loaded.refresh);
    let (mut load, mut save, mut user) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        channel.load(&caller).await.unwrap();
        load.push(start.elapsed());
        let start = Instant::now();
        channel.refresh(&caller).await.unwrap();
        save.push(start.elapsed());
        let start = Instant::now();
        channel.user(&caller).await.unwrap();
        user.push(start.elapsed());
    }
    for (name, mut times) in [("load", load), ("refresh", save), ("user", user)] {
        times.sort_unstable();
        let at = |share: usize| micros(times[times.len() * share / 100]);
        println!("{name}: median {} us, p90 {} us, p99 {} us", at(50), at(90), at(99));
    }
}

fn micros(time: Duration) -> u128 {
    time.as_micros()
}
