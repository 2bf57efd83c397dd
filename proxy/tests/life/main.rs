//! The life of the process and what it tells of itself, through the real binary: start, stop, upgrade, reload,
//! accidents; health, metrics, traces, logs.
//!
//! Backend, client and the way ficus is started are those of the tests of the gateway.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[allow(dead_code, reason = "shared with the tests of the gateway")]
#[path = "../gateway/backend.rs"]
mod backend;
#[allow(dead_code, reason = "shared with the tests of the gateway")]
#[path = "../gateway/client.rs"]
mod client;
#[allow(dead_code, reason = "shared with the tests of the gateway")]
#[path = "../gateway/ficus.rs"]
mod ficus;

mod accidents;
mod admin;
mod certificates;
mod collector;
mod drain;
mod health;
mod metrics;
mod reread;
mod secrets;
mod sweep;
mod systemd;
mod traces;
mod tunnel;
mod upgrade;
