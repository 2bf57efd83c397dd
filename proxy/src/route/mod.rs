//! routes.toml, checked, as one immutable table.
//!
//! Step 2 of a request (match) reads it; a flip replaces it whole. Reading and checking the text is in the files
//! beside this one; who may change it is in `control`.

mod check;
mod entry;
mod groups;
pub mod keys;
mod live;
mod read;
mod table;
mod trial;

use std::time::Duration;

pub use live::{Live, Routing};
pub use read::{Context, Defaults, read};
pub use table::{Found, Table};

/// One entry of routes.toml.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Unique name: the Flask endpoint, with a suffix when methods moved apart.
    pub name: String,
    /// The Flask endpoint; the name unless routes.toml says otherwise.
    pub endpoint: String,
    /// Werkzeug rules, verbatim; at least one.
    pub rules: Vec<String>,
    /// Methods as written, upper case; `None`: GET. HEAD and OPTIONS follow as in Flask.
    pub methods: Option<Vec<String>>,
    /// Which backend answers.
    pub serve: Serve,
    /// The backend being tried.
    pub candidate: String,
    /// The backend that is safe.
    pub fallback: String,
    /// Share of users served by the candidate.
    pub canary: Option<Canary>,
    /// Under which conditions the route rolls itself back.
    pub guard: Option<Guard>,
    /// Longest wait for the backend's next bytes.
    pub timeout: Option<Duration>,
    /// Line of the `[[route]]` in routes.toml, from 1; 0 if it has none.
    pub line: usize,
}

/// What answers a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serve {
    /// The backend of this name.
    Backend(String),
    /// Nobody: 503.
    Off,
}

/// A fixed share of users served by the candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// Buckets below this number (of 100,000) are served by the candidate.
    pub buckets: u32,
    /// User ids that are always served by the candidate.
    pub users: Vec<String>,
    /// Seed of the hash; routes of one group keep a user on one side.
    pub group: String,
}

/// The condition under which a route rolls itself back.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    /// The share of requests (0 to 1) by which the candidate may fail, be slow or differ beyond the fallback.
    pub max_error_ratio: f64,
    /// An answer is slow from so many times the fallback's 95th percentile on; absent: times do not count.
    pub max_p95_ratio: Option<f64>,
    /// What "lately" means.
    pub window: Duration,
    /// Below this number of requests the candidate is not yet called good.
    pub min_requests: u64,
    /// What happens to a candidate that is bad.
    pub on_trip: OnTrip,
}

/// What a guard does when it trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTrip {
    /// Everybody is answered by the fallback.
    Rollback,
    /// The route stays as it is and is held.
    Freeze,
}

impl OnTrip {
    /// The word in routes.toml.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Freeze => "freeze",
        }
    }
}
