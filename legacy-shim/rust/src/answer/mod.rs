//! Answers that Flask, Werkzeug and Flask-RESTful make by themselves, as texts: JSON ([`jsonify`], [`restful_json`]),
//! redirects ([`redirect`]) and error pages ([`error_page`]). No HTTP library is needed; the axum side wraps them.

mod error_page;
mod html;
mod json;
mod redirect;

pub use error_page::{description, error_page, phrase};
pub use html::{escape, escape_markup};
pub use json::{jsonify, restful_error, restful_json};
pub use redirect::{Redirect, redirect};

/// `Content-Type` of Flask's HTML pages.
pub const HTML: &str = "text/html; charset=utf-8";
/// `Content-Type` of Flask's JSON.
pub const JSON: &str = "application/json";
