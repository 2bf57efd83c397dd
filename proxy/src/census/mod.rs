//! What the Flask application says about itself, and whether Ficus routes as it does.
//!
//! Used by `ficus init`, `ficus census`, `ficus prove-routes` and `ficus check-templates` only: nothing here is on the path of a request. `shim` asks
//! the application's own interpreter (`python -m legacy_shim`), `document` is its answer, `files` writes what `init` writes,
//! `changes` compares a routing file with the application. For the proof, `requests` (with `rule`, `values`, `dice`) invents
//! requests, `recorded` reads them from a log, `oracle` puts them to the application's own matcher, `judge` to ours.
//! `templates` renders with both engines; `child` is the process that both ways of talking share. `needs` is what the source
//! says about one view.

mod changes;
mod child;
mod dice;
mod document;
mod files;
mod judge;
mod needs;
mod oracle;
mod recorded;
mod requests;
mod rule;
mod shim;
mod templates;
mod values;

pub use changes::{ChangedEndpoint, ChangedMethods, Changes, Endpoint, compare};
pub use document::{App, Census, Extension, RouteFacts, RuleFacts, SecretKey, Session, Versions};
pub use files::{Outcome, settings_differences, settings_text, write};
pub use judge::{Group, Judge, Verdict, grouped};
pub use needs::{Line, Lines, NeededRule, Needs, Reference, Template, Unread};
pub use oracle::{Answer, Header, Oracle};
pub use recorded::recorded;
pub use requests::{Generator, Question};
pub use shim::{Interpreter, ShimError};
pub use templates::{Difference, Outcome as TemplateOutcome, Page, Renderer, RouteTemplates};
