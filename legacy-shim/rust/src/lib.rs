//! Flask's formats and Werkzeug's routing rules in Rust, so that a request may be answered by either side.
//!
//! Core modules are pure: bytes and the current time go in, values come out, nothing panics on hostile input, no secret
//! reaches an error or a log line. axum is known to `web` only (feature `axum`), minijinja to `templates` and `forms`
//! only (feature `templates`), the network to `channel` only (feature `channel`).

pub mod answer;
#[cfg(feature = "channel")]
pub mod channel;
pub mod cookie;
pub mod csrf;
pub mod dry_run;
pub mod fernet;
pub mod flash;
pub mod form_body;
#[cfg(feature = "templates")]
pub mod forms;
pub mod login;
pub mod password;
pub mod profile;
pub mod python;
pub mod random;
pub mod routing;
pub mod session;
pub mod signing;
#[cfg(feature = "templates")]
pub mod templates;
pub mod url;
#[cfg(feature = "axum")]
pub mod web;

pub use profile::Profile;

/// The examples of the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
