//! routes.toml, checked, as one immutable table.
//!
//! Step 2 of a request (match) reads it; a flip replaces it whole. Reading and checking the text is in the files
//! beside this one; who may change it is in `control`.

mod canonical;
mod check;
mod entry;
mod groups;
pub mod keys;
mod live;
mod naming;
mod plan;
mod rate;
mod read;
mod schema;
mod shadow;
mod table;
mod trial;

use std::time::Duration;

use crate::diagnostic::Network;

pub use canonical::{NotCanonical, canonical};
pub use live::{Live, Routing};
pub use naming::covers;
pub use plan::{Gate, Hours, Plan, Step};
pub use read::{Context, Defaults, read};
pub use schema::schema;
pub use shadow::{Allows, IgnoreRule, Pattern, Shadow};
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
    /// Methods as written, upper case; `None`: GET; `*` alone: any. HEAD and OPTIONS follow as in Flask.
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
    /// Which requests are copied to the other side, and what may differ.
    pub shadow: Option<Shadow>,
    /// The steps to the candidate and what they need, if the file says so.
    pub plan: Option<Plan>,
    /// Longest wait for the backend's next bytes.
    pub timeout: Option<Duration>,
    /// Longest wait for a connection to the backend, and for its return.
    pub connect_timeout: Option<Duration>,
    /// Longest time for the whole answer.
    pub total_timeout: Option<Duration>,
    /// How often one client or user may ask.
    pub rate: Option<Rate>,
    /// Line of the `[[route]]` in routes.toml, from 1; 0 if it has none.
    pub line: usize,
}

/// How often somebody may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// Who is counted.
    pub per: Per,
    /// So many requests ..
    pub requests: u32,
    /// .. in this time.
    pub window: Duration,
    /// So many of them may come at once.
    pub burst: u32,
}

/// Who is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// An address.
    Client,
    /// A logged-in user; an address for everybody else.
    User,
}

/// What answers a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serve {
    /// The backend of this name.
    Backend(String),
    /// Nobody: 503.
    Off,
}

/// Who is served by the candidate while everybody else is served by the fallback.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Canary {
    /// Buckets below this number (of 100,000) are served by the candidate.
    pub buckets: u32,
    /// User ids that are always served by the candidate.
    pub users: Vec<String>,
    /// Roles whose users are always served by the candidate.
    pub roles: Vec<String>,
    /// Clients in these networks are always served by the candidate.
    pub networks: Vec<Network>,
    /// Testers may choose their side, even if nobody else is served by the candidate.
    pub testers: bool,
    /// Seed of the hash; routes of one group keep a user on one side.
    pub group: String,
    /// After a write a user stays for so long on the side that answered it; `None`: not at all.
    pub pin: Option<Duration>,
}

impl Canary {
    /// Whether it serves anybody at all by the candidate.
    pub fn has_anybody(&self) -> bool {
        self.buckets > 0
            || self.testers
            || !(self.users.is_empty() && self.roles.is_empty() && self.networks.is_empty())
    }

    /// Nobody is served by the candidate any more; seed and pin stay as they are written.
    pub fn clear(&mut self) {
        let (group, pin) = (std::mem::take(&mut self.group), self.pin);
        *self = Self { group, pin, ..Self::default() };
    }
}

impl Route {
    /// Whether a canary sends anybody to the candidate: only on a route that is served by its fallback. It never moves
    /// users to where the route already is, and never away from a third backend that someone chose on purpose.
    pub fn active_canary(&self) -> Option<&Canary> {
        let served_by_fallback = matches!(&self.serve, Serve::Backend(name) if *name == self.fallback);
        self.canary.as_ref().filter(|canary| served_by_fallback && canary.has_anybody())
    }
}

/// The condition under which a route rolls itself back.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    /// The share of requests (0 to 1) by which the candidate may fail, be slow or differ beyond the fallback.
    pub max_error_ratio: f64,
    /// An answer is slow from so many times the fallback's 95th percentile on; none: times do not count.
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
