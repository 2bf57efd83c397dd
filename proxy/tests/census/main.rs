//! `init`, `census`, `prove-routes` and `check-templates` through the real binary, against real Flask applications: the office of the shim's
//! tests and small ones written here, on Flask 1.1, 2.3 and 3.1. `site` starts the commands.

// All of this is test code, also what is not marked as a test.
#![allow(clippy::unwrap_used)]

mod apps;
mod changes;
mod init;
mod proof;
mod retire;
mod site;
mod templates;
mod transcripts;
