//! What the Flask application says about itself, and whether Ficus routes as it does.
//!
//! Used by `ficus init`, `ficus census` and `ficus prove-routes` only: nothing here is on the path of a request. `shim` asks
//! the application's own interpreter (`python -m legacy_shim`), `document` is its answer, `files` writes what `init` writes,
//! `changes` compares a routing file with the application.

mod changes;
mod document;
mod files;
mod shim;

pub use changes::{ChangedEndpoint, ChangedMethods, Changes, Endpoint, compare};
pub use document::{App, Census, Extension, RouteFacts, RuleFacts, SecretKey, Session, Versions};
pub use files::{Outcome, settings_differences, settings_text, write};
pub use shim::{Interpreter, ShimError};
