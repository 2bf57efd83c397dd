//! What a client and a backend see of Ficus, through the real binary, over raw sockets.
//!
//! `ficus` starts the binary, `backend` is a fake backend that a test scripts, `client` is a client that sends exact
//! bytes. Each other file holds the cases of one concern.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backend;
mod client;
mod ficus;

mod connections;
mod fallback;
mod framing;
mod guard;
mod headers;
mod limits;
mod outcomes;
mod streaming;
mod tls;
mod transparent;
