//! The routing table that requests read, swapped whole.
//!
//! The request path and the control path meet here and know nothing else of each other.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Table;

/// A numbered state of routes.toml.
#[derive(Debug)]
pub struct Routing {
    /// The revision, from 1, growing.
    pub revision: u64,
    /// The table.
    pub table: Table,
}

/// The current [`Routing`]; a request loads it once and keeps it for its whole life.
#[derive(Debug)]
pub struct Live(ArcSwap<Routing>);

impl Live {
    /// Starts with a routing.
    pub fn new(routing: Routing) -> Self {
        Self(ArcSwap::from_pointee(routing))
    }

    /// The current routing.
    pub fn load(&self) -> Arc<Routing> {
        self.0.load_full()
    }

    /// Replaces the routing; requests that loaded the old one keep it.
    pub fn store(&self, routing: Routing) {
        self.0.store(Arc::new(routing));
    }
}
