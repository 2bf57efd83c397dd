//! Ficus: a strangler-fig reverse proxy in front of a legacy Flask application.
//!
//! The rooms of this crate, in the order in which they may use each other (a room uses only rooms above it):
//! `diagnostic`, `settings`, `route`, `census`, `identity`, `decide`, `store`, `control`, `upstream`, `observe`, `shadow`,
//! `gateway`, `rollout`, `admin`,
//! `server`, `cli`. What each is for, and two walkthroughs, stand in `docs/architecture.md`.

pub mod admin;
pub mod census;
pub mod cli;
pub mod control;
pub mod decide;
pub mod diagnostic;
pub mod gateway;
pub mod identity;
pub mod observe;
pub mod rollout;
pub mod route;
pub mod server;
pub mod settings;
pub mod shadow;
pub mod store;
pub mod upstream;
