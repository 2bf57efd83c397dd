//! What a client and a backend see of Ficus, through the real binary, over raw sockets.
//!
//! `ficus` starts the binary, `backend` is a fake backend that a test scripts, `client` is a client that sends exact
//! bytes. Each other file holds the cases of one concern.

mod backend;
mod client;
mod ficus;

mod connections;
mod fallback;
mod framing;
mod headers;
mod limits;
mod outcomes;
mod streaming;
mod transparent;
