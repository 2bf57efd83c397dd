//! Jinja2 templates in Rust: minijinja set up the way Flask sets up Jinja, so that the legacy templates give the same text.
//!
//! [`environment`] makes the engine (escapes, filters, methods of Python's types); [`Page`] is what one request adds to
//! it (`url_for`, `request`, `session`, `current_user`, ...); [`render`] puts them together. [`DateTime`], [`Pagination`]
//! and [`anonymous_user`] are objects for the context. Undefined names print nothing, as in Flask.
//!
//! Templates are Jinja2's own files: give the environment [`folder_loader`] (or [`source_loader`]), which writes them in
//! minijinja's words where the two mean different things by the same ones.
//!
//! Which probe templates give Jinja2's text, and which cannot, is written down in `tests/templates.rs`. Source: Flask 1.1.2
//! with Jinja2 2.11.3.

mod engine;
mod filters;
mod loader;
mod methods;
mod objects;
mod operators;
mod page;
mod str_format;
mod text;
mod translate;

pub use engine::{environment, render};
pub use loader::{folder_loader, source_loader};
pub use objects::{
    DateTime, Pagination, anonymous_user, authenticated_user, session_value, to_session_value, user_with,
};
pub use operators::add_translations;
pub use page::{Page, TemplateRequest};
pub use text::{escape_value, python_repr, python_str};
