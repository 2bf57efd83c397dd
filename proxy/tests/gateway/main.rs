//! What a client and a backend see of Ficus, through the real binary, over raw sockets.
//!
//! `ficus` starts the binary, `backend` is a fake backend that a test scripts, `client` is a client that sends exact
//! bytes. Each other file holds the cases of one concern.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backend;
mod client;
#[allow(dead_code, reason = "shared with the tests of the life of the process")]
mod ficus;

mod backends;
mod certify;
mod connections;
mod crowd;
mod evidence;
mod fallback;
mod framing;
mod guard;
mod headers;
mod limits;
mod noise;
mod outcomes;
mod preamble;
mod promotion;
mod rates;
mod recording;
mod replay;
mod shadow;
mod streaming;
mod tls;
mod transparent;
mod trials;
mod uploads;
mod upstream_tls;
mod waiting;
