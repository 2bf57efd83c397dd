//! What became of each request: counters for Prometheus and the access log.
//!
//! Step 7 of a request (record). The request path hands over one outcome; nothing here waits for a disk or a
//! reader. Who reads the numbers is not here: the admin API renders them, the CLI prints them.

use std::sync::Arc;

use crate::route::Live;

/// Records outcomes and renders them.
#[derive(Debug)]
pub struct Observer {
    live: Arc<Live>,
}

/// What one route did since start-up, by the backend that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteCounters {
    /// The route's name; `-` for requests that no route matched.
    pub route: String,
    /// The backend that answered; `-` when Ficus itself did.
    pub backend: String,
    /// Requests.
    pub requests: u64,
    /// Of these, answered with a status of 500 or more.
    pub errors: u64,
    /// Of these, answered by the fallback in place of the backend first chosen.
    pub fallbacks: u64,
}

impl Observer {
    /// An observer of the requests on this table.
    pub fn new(live: Arc<Live>) -> Self {
        Self { live }
    }

    /// All metrics, in the text format that Prometheus scrapes.
    pub fn render(&self) -> String {
        format!("{}", self.live.load().revision)
    }

    /// What each route did since start-up.
    pub fn routes(&self) -> Vec<RouteCounters> {
        Vec::new()
    }

    /// Records whether the last attempt to load routes.toml succeeded.
    pub fn config_reloaded(&self, successful: bool) {
        let _ = successful;
    }
}
