//! Jinja2 templates in Rust: minijinja set up the way Flask sets up Jinja, so that the legacy templates give the same text.
//!
//! [`environment`] makes the engine (escapes, filters, methods of Python's types); [`Page`] is what one request adds to
//! it (`url_for`, `request`, `session`, `current_user`, ...); [`render`] puts them together. [`DateTime`], [`Pagination`]
//! and [`anonymous_user`] are objects for the context. Undefined names print nothing, as in Flask.
//!
//! Which of 180 probe templates give Jinja2's text, and which cannot, is written down in `tests/templates.rs`: macros have
//! no `varargs`/`kwargs`, lists and dictionaries cannot be changed (`append`, `update`), `"..." % x` on texts and
//! `super.super()` are missing, imported macros see the caller's context. Source: Flask 1.1.2 with Jinja2 2.11.3.

mod engine;
mod filters;
mod methods;
mod objects;
mod page;
mod text;

pub use engine::{environment, render};
pub use objects::{
    DateTime, Pagination, anonymous_user, authenticated_user, session_value, to_session_value, user_with,
};
pub use page::{Page, TemplateRequest};
pub use text::{escape_value, python_repr, python_str};
