//! The backends: their addresses, which of them can be reached, and how pingora is told to connect.
//!
//! Step 5 of a request (forward) picks an upstream here. Which backend is asked was decided in `decide`; what is
//! sent to it is in `gateway`.

use std::collections::BTreeMap;

use crate::settings::Settings;

/// All backends of this node.
#[derive(Debug)]
pub struct Backends {
    names: BTreeMap<String, Vec<String>>,
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
    /// False while its breaker is open: connecting failed and it is not tried again yet.
    pub up: bool,
    /// Failures to connect in a row.
    pub failures: u32,
}

impl Backends {
    /// The backends of the settings.
    pub fn new(settings: &Settings) -> Self {
        let names = settings.backends.keys().map(|name| (name.clone(), Vec::new())).collect();
        Self { names }
    }

    /// What is known about every backend, by name.
    pub fn health(&self) -> Vec<BackendHealth> {
        let health = |(name, _): (&String, &Vec<String>)| BackendHealth {
            name: name.clone(),
            in_flight: 0,
            upstreams: Vec::new(),
        };
        self.names.iter().map(health).collect()
    }
}
