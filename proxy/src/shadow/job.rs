//! A copy on its way: what was asked, what was answered, and whom to ask again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, Method};

use super::compare::{Answer, Asked};
use super::self_test::Probe;
use super::writes::Rehearsal;
use crate::route::{IgnoreRule, Route};
use crate::upstream::Backend;

/// What tells a candidate its route.
const ROUTE: &str = "x-ficus-route";

/// A copy of one exchange.
#[derive(Debug)]
pub struct Job {
    /// What was served.
    pub served: Served,
    /// Who is asked now.
    pub target: Arc<Backend>,
    /// The request.
    pub request: Copied,
    /// What the client got.
    pub answer: Answer,
    /// When it was answered.
    pub at: DateTime<Utc>,
    /// Why it is made.
    pub purpose: Purpose,
}

/// Why a copy is made.
#[derive(Debug)]
pub enum Purpose {
    /// A user's request.
    Traffic,
    /// A request of a recording: it counts, marked as such.
    Recording,
    /// A user's request that was tried out before it was answered.
    Write(Box<Rehearsal>),
    /// A test of the way itself: it counts nowhere.
    Probe(Probe),
}

/// A request that can be sent again.
#[derive(Debug, Clone)]
pub struct Copied {
    /// The method.
    pub method: Method,
    /// Path and query, as they were sent.
    pub target: http::uri::PathAndQuery,
    /// The headers, for the other side.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// What comparing needs to know.
    pub asked: Asked,
}

impl Job {
    /// Whether the fallback served, and the candidate is asked now.
    pub(super) fn asks_candidate(&self) -> bool {
        self.served.by == self.served.route.fallback
    }

    /// The fallback, whichever side it is.
    pub(super) fn fallback(&self) -> &Arc<Backend> {
        if self.asks_candidate() { &self.served.backend } else { &self.target }
    }

    /// The request as this backend gets it: only candidates are told the route.
    pub(super) fn request_to(&self, backend: &Backend) -> Copied {
        let mut request = self.request.clone();
        match HeaderValue::from_str(self.route()) {
            Ok(route) if backend.name() != self.served.route.fallback => request.headers.insert(ROUTE, route),
            _ => request.headers.remove(ROUTE),
        };
        request
    }

    /// The route's name.
    pub(super) fn route(&self) -> &str {
        &self.served.route.name
    }

    /// What may differ because somebody said so.
    pub(super) fn rules(&self) -> &[IgnoreRule] {
        self.served.route.shadow.as_ref().map(|shadow| shadow.ignore.as_slice()).unwrap_or_default()
    }

    /// The query, without its `?`.
    pub(super) fn query(&self) -> &str {
        self.request.target.query().unwrap_or_default()
    }
}

/// What is known about a request that was served.
#[derive(Debug)]
pub struct Served {
    /// The route as it was when the request came.
    pub route: Arc<Route>,
    /// The revision of the routing it belongs to.
    pub revision: u64,
    /// Who served it.
    pub by: String,
    /// The same, to be asked again.
    pub backend: Arc<Backend>,
    /// How long the backend took to begin its answer.
    pub waited: Option<Duration>,
    /// The trace it belongs to.
    pub trace_id: String,
}

impl Job {
    /// A copy of a request that was just answered with this status, these headers and this body. A user's, until
    /// `purpose` says otherwise.
    pub fn new(
        served: Served,
        target: Arc<Backend>,
        request: Copied,
        answer: (u16, HeaderMap, Bytes),
    ) -> Self {
        let (status, headers, body) = answer;
        let answer = Answer { status, headers, body, complete: true };
        Self { served, target, request, answer, at: Utc::now(), purpose: Purpose::Traffic }
    }
}
