//! The backends: their addresses, which of them can be reached, and how pingora is told to connect.
//!
//! Step 5 of a request (forward) picks an upstream here. Which backend is asked was decided in `decide`; what is
//! sent to it is in `gateway`.

mod address;
mod backend;
mod breaker;
pub mod probe;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use address::Upstream;
pub use backend::{Backend, InFlight, Tried};

use crate::settings::Settings;

/// All backends of this node.
#[derive(Debug)]
pub struct Backends {
    by_name: BTreeMap<String, Arc<Backend>>,
    connect_timeout: Duration,
}

/// What is known about a backend, for status pages and readiness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendHealth {
    /// Its name.
    pub name: String,
    /// Requests in progress on it.
    pub in_flight: usize,
    /// Its addresses.
    pub upstreams: Vec<UpstreamHealth>,
}

impl BackendHealth {
    /// Whether at least one upstream can be tried.
    pub fn is_up(&self) -> bool {
        self.upstreams.iter().any(|upstream| upstream.up)
    }
}

/// What is known about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamHealth {
    /// The address as in the settings.
    pub address: String,
    /// False when the last attempts to connect failed, or when its host name has no address.
    pub up: bool,
    /// Failures to connect in a row.
    pub failures: u32,
}

impl Backends {
    /// The backends of the settings. Host names have no address before [`probe::first_look`].
    pub fn new(settings: &Settings) -> Self {
        let backend = |(name, backend): (&String, _)| {
            let backend = Backend::new(name, backend, &settings.timeouts, &settings.limits);
            (name.clone(), Arc::new(backend))
        };
        Self {
            by_name: settings.backends.iter().map(backend).collect(),
            connect_timeout: settings.timeouts.connect,
        }
    }

    /// The backend of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Backend>> {
        self.by_name.get(name)
    }

    /// All backends, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Backend>> {
        self.by_name.values()
    }

    /// What is known about every backend, by name.
    pub fn health(&self) -> Vec<BackendHealth> {
        self.all().map(|backend| backend.health()).collect()
    }
}
