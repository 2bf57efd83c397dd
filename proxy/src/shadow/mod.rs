//! Proof before the switch: the side that does not serve gets a copy of the request, and both answers are compared.
//!
//! A served request leaves a `capture`; `sample` decides which ones become a `job`, `queue` is the way to the `worker`, who
//! asks the other side (`replay`), compares, and hands mismatches to the store (`reports`).
//! `compare` is the pure half: what two answers have in common by meaning. What is stored of a difference is its
//! shape (`mask`). Users never wait for anything in this room, and what the other side answers is never sent to anyone.

mod capture;
pub mod compare;
pub mod corpus;
mod job;
pub mod journey;
pub mod mask;
mod queue;
mod replay;
mod reports;
pub mod rows;
mod sample;
mod tally;
mod worker;

pub use capture::{Capture, Dropped};
pub use compare::Asked;
pub use job::{Copied, Job, Served};
pub use queue::{Options, Shadow, Told};
pub use replay::MARK;
pub use tally::RouteTally;
pub use worker::Outlet;
