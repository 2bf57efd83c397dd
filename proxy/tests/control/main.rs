//! The control half through the real binary: what `check` says, what a flip does to file, table and history, what a
//! hand edit does, what happens when things cannot be written. A file here is one theme; `ficus` starts the binary,
//! `origin` stands in for the backends.

// All of this is test code, also what is not marked as a test.
#![allow(clippy::unwrap_used)]

mod api;
mod audit;
mod broken;
mod canary;
mod chaos;
mod cli;
mod cluster;
mod crashes;
mod disks;
mod editor_schemas;
mod events;
mod ficus;
mod fleet;
mod fleet_gates;
mod fleet_load;
mod fleet_sweep;
mod fleet_tallies;
mod flips;
mod fmt;
mod holds;
mod hostile;
mod journeys;
mod journeys_fleet;
mod offline;
mod origin;
mod overrides;
mod own_cluster;
mod progress;
mod promotion;
mod prompts;
mod properties;
mod reference;
mod refusals;
mod restarts;
mod roles;
mod schema;
mod secured;
mod shadow;
mod store_tls;
mod transcripts;
mod twice;
mod undo;
mod watching;
