//! What the requests of a guarded route tell whoever watches it.
//!
//! Handed over without waiting; what does not fit is counted and forgotten. Verdicts are not made here but in
//! `rollout`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::route::Route;

use super::Outcome;

/// How one request of a guarded route went, for the backend that was asked first.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The route as it was when the request began.
    pub route: Arc<Route>,
    /// Revision of the routing table that was used.
    pub revision: u64,
    /// The candidate was asked first, not the fallback.
    pub candidate: bool,
    /// Why the backend that was asked first failed, if it did and the fallback did not.
    pub failure: Option<&'static str>,
    /// Both sides' answers were compared, and this is what came of it: whether they differ.
    pub mismatch: Option<bool>,
    /// Status that the client got.
    pub status: Option<u16>,
    /// From asking to the head of the answer, or to the end if there was none.
    pub waited: Duration,
    /// W3C trace id.
    pub trace_id: String,
    /// When the request ended.
    pub at: Instant,
}

/// What the gateway knows about a request of a guarded route.
#[derive(Debug, Clone, Copy)]
pub struct Guarded<'a> {
    /// The route.
    pub route: &'a Arc<Route>,
    /// The candidate was asked first, not the fallback.
    pub candidate: bool,
    /// Why the backend that was asked first failed, if it did.
    pub failure: Option<&'static str>,
}

impl Evidence {
    /// Both sides' answers to one request were compared.
    pub fn compared(route: Arc<Route>, revision: u64, mismatch: bool, trace_id: &str) -> Self {
        let (trace_id, at) = (trace_id.to_owned(), Instant::now());
        let (candidate, failure, status, waited) = (true, None, None, Duration::ZERO);
        Self { route, revision, candidate, failure, mismatch: Some(mismatch), status, waited, trace_id, at }
    }

    /// The candidate has not answered a request yet, and that takes too long.
    pub(super) fn overdue(route: &Arc<Route>, revision: u64, trace_id: &str, waited: Duration) -> Self {
        let (route, trace_id, at) = (Arc::clone(route), trace_id.to_owned(), Instant::now());
        let (candidate, failure, mismatch, status) = (true, Some("hung"), None, None);
        Self { route, revision, candidate, failure, mismatch, status, waited, trace_id, at }
    }

    pub(super) fn of(outcome: &Outcome<'_>, guarded: Guarded<'_>) -> Self {
        Self {
            route: Arc::clone(guarded.route),
            revision: outcome.revision,
            candidate: guarded.candidate,
            failure: guarded.failure,
            mismatch: None,
            status: outcome.status,
            waited: outcome.upstream.unwrap_or(outcome.total),
            trace_id: outcome.trace_id.to_owned(),
            at: Instant::now(),
        }
    }
}
