//! The endpoints of the CRM that moved to Rust: an axum service on a Unix socket, in a process of its own.
//!
//! `main` reads the [`config`], checks the [`schema`], and serves [`app::router`]. A folder per Flask blueprint
//! ([`customers`], [`api`]), a file per endpoint, named as in routes.toml; [`crm`] holds the tables. Sessions, logins,
//! CSRF, templates and forms come from `flask-compat`. What a handler is not sure of it defers: Flask answers instead.

pub mod api;
pub mod app;
pub mod config;
pub mod crm;
pub mod customers;
pub mod errors;
pub mod failure;
mod filters;
mod page;
pub mod routes_file;
pub mod schema;
