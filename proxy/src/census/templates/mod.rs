//! Templates rendered by both engines: Jinja2 within the application, minijinja here, with the same context.
//!
//! `line` is the conversation with the shim, which lends what templates ask for; `remote` is such an object on this side;
//! `engine` renders; `difference` compares two texts. For `ficus check-templates`; nothing here is on the path of a request.

mod difference;
mod engine;
mod line;
mod remote;

pub use difference::Difference;
pub use engine::{Outcome, Page, Renderer};
pub use line::RouteTemplates;
