//! The counters of one route, found once and then only incremented.
//!
//! Looking a label set up costs a hash of five strings and a lock; a request pays for an array index instead.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use super::Outcome;
use super::metrics::{BackendLabels, Metrics, RequestLabels};

/// The methods that have a label of their own; all others share the last one, so that clients cannot invent labels.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"];
/// The classes of status; the last one is for clients that left before they got an answer.
const CODES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "aborted"];
const SERVER_ERRORS: usize = 4;

/// The counters of one route.
#[derive(Debug)]
pub(super) struct RouteHandles {
    route: String,
    by_backend: Box<[BackendHandles]>,
}

#[derive(Debug)]
struct BackendHandles {
    backend: String,
    requests: [[OnceLock<Counter>; CODES.len()]; METHODS.len()],
    duration: OnceLock<Histogram>,
    upstream_duration: OnceLock<Histogram>,
    fallbacks: AtomicU64,
}

impl RouteHandles {
    /// Counters of `route`; `backends` are all names that can occur.
    pub(super) fn new(route: &str, backends: &[String]) -> Self {
        let handles = |backend: &String| BackendHandles {
            backend: backend.clone(),
            requests: Default::default(),
            duration: OnceLock::new(),
            upstream_duration: OnceLock::new(),
            fallbacks: AtomicU64::new(0),
        };
        Self { route: route.to_owned(), by_backend: backends.iter().map(handles).collect() }
    }

    /// Counts one request.
    pub(super) fn count(&self, outcome: &Outcome<'_>, metrics: &Metrics) {
        let name = outcome.backend.unwrap_or(super::NONE);
        let Some(handles) = self.by_backend.iter().find(|handles| handles.backend == name) else { return };
        let method = METHODS.iter().position(|m| *m == outcome.method).unwrap_or(METHODS.len() - 1);
        let code =
            outcome.status.map_or(CODES.len() - 1, |status| usize::from((status / 100).clamp(1, 5)) - 1);
        let labels = || BackendLabels { route: self.route.clone(), backend: handles.backend.clone() };
        handles.requests[method][code]
            .get_or_init(|| {
                metrics.requests.get_or_create_owned(&RequestLabels {
                    route: self.route.clone(),
                    backend: handles.backend.clone(),
                    method: METHODS[method],
                    code: CODES[code],
                })
            })
            .inc();
        handles
            .duration
            .get_or_init(|| metrics.duration.get_or_create_owned(&labels()))
            .observe(outcome.total.as_secs_f64());
        if let Some(upstream) = outcome.upstream {
            handles
                .upstream_duration
                .get_or_init(|| metrics.upstream_duration.get_or_create_owned(&labels()))
                .observe(upstream.as_secs_f64());
        }
        if outcome.fallback.is_some() {
            handles.fallbacks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted, by backend; backends without requests are left out.
    pub(super) fn counters(&self) -> impl Iterator<Item = super::RouteCounters> + '_ {
        let sum = |cells: &mut dyn Iterator<Item = &OnceLock<Counter>>| -> u64 {
            cells.filter_map(OnceLock::get).map(Counter::get).sum()
        };
        self.by_backend.iter().filter_map(move |handles| {
            let requests = sum(&mut handles.requests.iter().flatten());
            (requests > 0).then(|| super::RouteCounters {
                route: self.route.clone(),
                backend: handles.backend.clone(),
                requests,
                errors: sum(&mut handles.requests.iter().map(|codes| &codes[SERVER_ERRORS])),
                fallbacks: handles.fallbacks.load(Ordering::Relaxed),
            })
        })
    }
}
