//! Flask's formats and Werkzeug's routing rules in Rust, so that a request may be answered by either side.
//!
//! Core modules are pure: bytes and the current time go in, values come out, nothing panics on hostile input, no secret
//! reaches an error or a log line. axum is known to `web` only (feature `axum`), minijinja to `templates` and `forms`
//! only (feature `templates`).

pub mod cookie;
pub mod profile;
pub mod python;
pub mod routing;
pub mod session;
pub mod signing;

pub use profile::Profile;
