//! The backends: their addresses, which of them can be reached, and how pingora is told to connect.
//!
//! Step 5 of a request (forward) picks an upstream here. Which backend is asked was decided in `decide`; what is
//! sent to it is in `gateway`.

mod address;
mod admission;
mod answer;
mod backend;
mod breaker;
mod characters;
mod chunks;
mod connect;
mod dial;
mod ejection;
mod extension;
mod finish;
mod lent;
mod loan;
mod outage;
mod places;
pub mod probe;
mod recovery;
mod replay;
mod vitals;
mod whole;

use std::collections::BTreeMap;
use std::sync::Arc;

use pingora::connectors::TransportConnector;

pub use address::{Patience, Upstream};
pub use admission::{Claim, InFlight};
pub use answer::is_in_order;
pub use backend::{Backend, Serving, Tried};
pub use characters::{alphanumeric_and, is_token};
pub use chunks::{BadChunk, Chunks};
pub use dial::Stream;
pub use loan::{Loan, Terms, keep_own_connections};
pub use whole::MOST as MOST_AT_ONCE;

use crate::settings::Settings;

/// All backends of this node.
#[derive(Debug)]
pub struct Backends {
    by_name: BTreeMap<String, Arc<Backend>>,
}

/// What is known about a backend, for status pages and readiness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendHealth {
    /// Its name.
    pub name: String,
    /// Requests in progress on it.
    pub in_flight: usize,
    /// Requests that wait for a place on it.
    pub queued: usize,
    /// Requests that wait for its return.
    pub waiting: usize,
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
    /// Whether requests are sent there.
    pub up: bool,
    /// How it is.
    pub state: State,
    /// Why it was last down.
    pub cause: Option<String>,
    /// Failures to connect in a row.
    pub failures: u32,
    /// Requests in progress on it.
    pub in_flight: usize,
    /// How often it was left alone because it failed.
    pub ejections: u64,
}

/// How an upstream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Up,
    /// Back, and not yet with its whole share.
    Recovering,
    /// Left alone because it fails.
    Ejected,
    /// Its health checks fail.
    Unwell,
    /// The last attempts to connect failed.
    Unreachable,
    /// Its host name has no address.
    Unresolved,
}

impl State {
    /// A stable word for status pages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Recovering => "recovering",
            Self::Ejected => "ejected",
            Self::Unwell => "unwell",
            Self::Unreachable => "unreachable",
            Self::Unresolved => "unresolved",
        }
    }
}

impl Backends {
    /// The backends of the settings. Host names have no address before [`probe::first_look`].
    pub fn new(settings: &Settings) -> Self {
        let connector = Arc::new(TransportConnector::new(None));
        let backend = |(name, backend): (&String, _)| {
            let backend = Backend::new(name, backend, &settings.timeouts, &connector);
            (name.clone(), Arc::new(backend))
        };
        Self { by_name: settings.backends.iter().map(backend).collect() }
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

/// Whether a connection failed because this machine has no descriptor or port left: no fault of the upstream.
pub fn is_our_shortage(error: &pingora::Error) -> bool {
    const NOTHING_LEFT: [i32; 3] = [23, 24, 99];
    let io = error.root_cause().downcast_ref::<std::io::Error>();
    io.and_then(std::io::Error::raw_os_error).is_some_and(|code| NOTHING_LEFT.contains(&code))
}

/// Why a connection failed, in one line for people.
pub fn cause_of(error: &pingora::Error) -> String {
    use pingora::ErrorType;
    if matches!(error.etype(), ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout) {
        return "no answer".to_owned();
    }
    match error.etype() {
        // Here the root is only where the connection came from.
        ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert => {
            error.context.as_ref().map_or_else(|| error.to_string(), |context| context.as_str().to_owned())
        }
        _ => error.root_cause().to_string(),
    }
}
