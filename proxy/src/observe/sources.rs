//! What a scrape shows beside requests: whoever knows it is asked when somebody looks.

use chrono::{DateTime, Utc};

/// What a scrape shows beside requests, from where it is known.
pub struct Sources {
    /// The backends.
    pub backends: Box<dyn Fn() -> Vec<BackendState> + Send>,
    /// Whether the last look at routes.toml ended well, and when a text was last taken.
    pub reload: Box<dyn Fn() -> (bool, Option<DateTime<Utc>>) + Send>,
    /// The fleet; absent: this node is alone.
    pub fleet: Box<dyn Fn() -> Option<FleetState> + Send>,
}

/// What a scrape says about the fleet, as this node sees it.
#[derive(Debug, Clone)]
pub struct FleetState {
    /// Nodes that were heard lately.
    pub live: usize,
    /// Nodes that were heard within a day, and not lately.
    pub gone: usize,
    /// Live nodes that run an older revision than the newest one.
    pub behind: usize,
    /// How many revisions this node is behind the newest one.
    pub revisions_behind: u64,
    /// The store cannot be reached.
    pub cut_off: bool,
    /// When it last answered.
    pub last_contact: Option<DateTime<Utc>>,
    /// Changes that the others have not heard of.
    pub unshared: u64,
    /// Changes that wait for other nodes.
    pub waiting: usize,
}

/// What a scrape says about a backend.
#[derive(Debug, Clone)]
pub struct BackendState {
    /// Its name.
    pub name: String,
    /// Requests in progress on it.
    pub in_flight: usize,
    /// Requests that wait for a place on it.
    pub queued: usize,
    /// Requests that wait for its return.
    pub waiting: usize,
    /// Its addresses.
    pub upstreams: Vec<UpstreamState>,
}

/// What a scrape says about an upstream.
#[derive(Debug, Clone)]
pub struct UpstreamState {
    /// Its address.
    pub address: String,
    /// Whether requests are sent there.
    pub up: bool,
    /// Requests in progress on it.
    pub in_flight: usize,
    /// How often it was left alone.
    pub ejections: u64,
}
