//! Proof before the switch: the side that does not serve gets a copy of the request, and both answers are compared.
//!
//! A served request leaves a `capture`; `sample` decides which ones become a `job`, `queue` is the way to the `worker`, who
//! asks the other side (`replay`), compares, asks again where answers differ (`confirm`), and hands mismatches to the store
//! (`reports`).
//! `compare` is the pure half: what two answers have in common by meaning. What is stored of a difference is its
//! shape (`mask`). What comparisons prove is kept by `ledger` in a `period` and read as a `certificate`, which ends when one
//! of the programs (`about`) or the rules change; `self_test` proves that comparing works; `noise` finds what differs from
//! itself. `record` writes users' traffic down, where somebody wants that, and `corpus` and `journey` read and play it. Users wait in this room for
//! nothing but a dry run of a write (`writes`), where a route wants that, and what the other side answers is never sent to anyone.

mod about;
mod bound;
mod capture;
mod case;
pub mod certificate;
mod coding;
pub mod compare;
mod confirm;
pub mod corpus;
mod evidence;
mod job;
pub mod journey;
mod latency;
mod ledger;
pub mod mask;
mod noise;
mod pair;
mod period;
mod queue;
mod record;
mod replay;
mod replayed;
mod reports;
pub mod rows;
mod rules;
mod sample;
mod self_test;
mod tally;
mod worker;
mod writes;

pub use bound::{clean_needed, upper_bound};
pub use capture::{Capture, Dropped};
pub use certificate::Certificate;
pub use compare::Asked;
pub use job::{Copied, Job, Purpose, Served};
pub use noise::{NoiseBook, NoiseField};
pub use queue::{Channel, Options, Roles, Shadow, Surroundings, Told};
pub use record::{RecordOptions, RecordStatus, RecordWish, Recordings, Taken, words_of};
pub use replay::MARK;
pub use replayed::{ReplayedRoute, ReplayedStratum};
pub use rules::hash as rules_hash;
pub use self_test::{Alarm, Probe};
pub use tally::RouteTally;
pub use worker::Outlet;
pub use writes::{Place, Rehearsal, Writes};
