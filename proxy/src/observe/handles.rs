//! The counters of one route, found once and then only incremented.
//!
//! Looking a label set up costs a hash of five strings and a lock; a request pays for an array index instead.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;

use super::Outcome;
use super::histogram::{Histogram, label};
use super::metrics::{Metrics, RequestLabels};

/// The methods that have a label of their own; all others share the last one, so that clients cannot invent labels.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "_OTHER"];
/// Those that promise to change nothing.
const SAFE: [&str; 3] = ["GET", "HEAD", "OPTIONS"];
/// A handler handed the request back.
const DEFERRED: &str = "deferred";
/// The classes of status; the last one is for clients that left before they got an answer.
const CODES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "aborted"];
const SERVER_ERRORS: usize = 4;
/// Statuses that get a histogram of their own, by route, backend and method; all others share one. Together with the
/// methods, this bounds what an application can make a scrape cost.
const STATUSES: usize = 16;

/// The name of the histogram that OpenTelemetry's conventions describe.
const SERVER: &str = "http_server_request_duration_seconds";
const UPSTREAM: &str = "ficus_upstream_request_duration_seconds";

/// The counters of one route.
#[derive(Debug)]
pub(super) struct RouteHandles {
    route: String,
    /// Its rule, which an edit of the routing file may change.
    pub(super) rule: Option<String>,
    by_backend: Box<[BackendHandles]>,
}

#[derive(Debug)]
struct BackendHandles {
    backend: String,
    by_method: [OnceLock<Box<MethodHandles>>; METHODS.len()],
    upstream_duration: OnceLock<Box<Histogram>>,
    fallbacks: AtomicU64,
    defers: AtomicU64,
    sessions: AtomicU64,
    micros: AtomicU64,
}

#[derive(Debug, Default)]
struct MethodHandles {
    requests: [OnceLock<Counter>; CODES.len()],
    /// By status, in the order in which they first came; 0 stands for no answer.
    durations: [OnceLock<Box<(u16, Histogram)>>; STATUSES],
    other: OnceLock<Box<Histogram>>,
}

impl MethodHandles {
    fn duration(&self, status: u16) -> &Histogram {
        for slot in &self.durations {
            let (of, histogram) = &**slot.get_or_init(|| Box::new((status, Histogram::default())));
            if *of == status {
                return histogram;
            }
        }
        self.other.get_or_init(Box::default)
    }
}

impl RouteHandles {
    /// Counters of `route`; `backends` are all names that can occur.
    pub(super) fn new(route: &str, rule: Option<&str>, backends: &[String]) -> Self {
        let handles = |backend: &String| BackendHandles {
            backend: backend.clone(),
            by_method: Default::default(),
            upstream_duration: OnceLock::new(),
            fallbacks: AtomicU64::new(0),
            defers: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
            micros: AtomicU64::new(0),
        };
        let by_backend = backends.iter().map(handles).collect();
        Self { route: route.to_owned(), rule: rule.map(str::to_owned), by_backend }
    }

    /// The route's name.
    pub(super) fn name(&self) -> &str {
        &self.route
    }

    /// Counts one request.
    pub(super) fn count(&self, outcome: &Outcome<'_>, metrics: &Metrics) {
        let name = outcome.backend.unwrap_or(super::NONE);
        let Some(handles) = self.by_backend.iter().find(|handles| handles.backend == name) else { return };
        let method = METHODS.iter().position(|m| *m == outcome.method).unwrap_or(METHODS.len() - 1);
        let code =
            outcome.status.map_or(CODES.len() - 1, |status| usize::from((status / 100).clamp(1, 5)) - 1);
        let trace = outcome.sampled.then_some(outcome.trace_id);
        let by_method = handles.by_method[method].get_or_init(Box::default);
        by_method.requests[code]
            .get_or_init(|| {
                metrics.requests.get_or_create_owned(&RequestLabels {
                    route: self.route.clone(),
                    backend: handles.backend.clone(),
                    method: METHODS[method],
                    code: CODES[code],
                })
            })
            .inc();
        by_method.duration(outcome.status.unwrap_or(0)).observe(outcome.total, trace);
        if let Some(upstream) = outcome.upstream {
            handles.upstream_duration.get_or_init(Box::default).observe(upstream, trace);
        }
        if outcome.fallback.is_some() {
            handles.fallbacks.fetch_add(1, Ordering::Relaxed);
        }
        if outcome.fallback == Some(DEFERRED) {
            handles.defers.fetch_add(1, Ordering::Relaxed);
        }
        if outcome.session {
            handles.sessions.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(outcome.upstream.unwrap_or(outcome.total).as_micros()).unwrap_or(u64::MAX);
        handles.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted for the tally, by backend; backends without requests are left out.
    pub(super) fn tallied(&self) -> impl Iterator<Item = super::Counted> + '_ {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.counters().filter_map(move |counters| {
            let handles = self.by_backend.iter().find(|handles| handles.backend == counters.backend)?;
            let unsafe_methods =
                METHODS.iter().zip(&handles.by_method).filter(|(name, _)| !SAFE.contains(name));
            let requests = unsafe_methods.filter_map(|(_, method)| method.get()).flat_map(|m| &m.requests);
            Some(super::Counted {
                route: counters.route,
                backend: counters.backend,
                requests: counters.requests,
                errors: counters.errors,
                fallbacks: counters.fallbacks,
                defers: of(&handles.defers),
                writes: requests.filter_map(OnceLock::get).map(Counter::get).sum(),
                sessions: of(&handles.sessions),
                micros: of(&handles.micros),
            })
        })
    }

    /// What was counted, by backend; backends without requests are left out.
    pub(super) fn counters(&self) -> impl Iterator<Item = super::RouteCounters> + '_ {
        let sum = |handles: &BackendHandles, codes: std::ops::Range<usize>| -> u64 {
            let methods = handles.by_method.iter().filter_map(OnceLock::get);
            methods.flat_map(|m| &m.requests[codes.clone()]).filter_map(OnceLock::get).map(Counter::get).sum()
        };
        self.by_backend.iter().filter_map(move |handles| {
            let requests = sum(handles, 0..CODES.len());
            (requests > 0).then(|| super::RouteCounters {
                route: self.route.clone(),
                backend: handles.backend.clone(),
                requests,
                errors: sum(handles, SERVER_ERRORS..SERVER_ERRORS + 1),
                fallbacks: handles.fallbacks.load(Ordering::Relaxed),
            })
        })
    }

    fn labels(&self, handles: &BackendHandles, method: &str, status: &str) -> String {
        let mut labels = String::new();
        for (name, value) in [
            ("http_request_method", method),
            ("http_response_status_code", status),
            ("http_route", self.rule.as_deref().unwrap_or_default()),
            ("ficus_route", &self.route),
            ("ficus_backend", &handles.backend),
        ] {
            label(&mut labels, name, value);
        }
        labels
    }

    fn write_server(&self, text: &mut String, exemplars: bool) {
        for handles in &self.by_backend {
            for (method, by_method) in METHODS.iter().zip(&handles.by_method) {
                let Some(by_method) = by_method.get() else { continue };
                for (status, histogram) in by_method.durations.iter().filter_map(OnceLock::get).map(|d| &**d)
                {
                    // No answer, no status: the label is left empty, which is the same as absent.
                    let status = if *status == 0 { String::new() } else { status.to_string() };
                    histogram.write(text, SERVER, &self.labels(handles, method, &status), exemplars);
                }
                if let Some(other) = by_method.other.get() {
                    other.write(text, SERVER, &self.labels(handles, method, "_OTHER"), exemplars);
                }
            }
        }
    }

    fn write_upstream(&self, text: &mut String, exemplars: bool) {
        for handles in &self.by_backend {
            let Some(histogram) = handles.upstream_duration.get() else { continue };
            let mut labels = String::new();
            label(&mut labels, "route", &self.route);
            label(&mut labels, "backend", &handles.backend);
            histogram.write(text, UPSTREAM, &labels, exemplars);
        }
    }
}

/// Writes the histograms of all routes, in OpenMetrics or in the older format, which knows neither units nor
/// exemplars.
pub(super) fn write_histograms<'a>(
    text: &mut String,
    routes: impl Iterator<Item = &'a RouteHandles> + Clone,
    open_metrics: bool,
) {
    let declare = |text: &mut String, name: &str, help: &str| {
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} histogram\n"));
        if open_metrics {
            text.push_str(&format!("# UNIT {name} seconds\n"));
        }
    };
    declare(text, SERVER, "From the end of a request's head to the end of its answer.");
    for route in routes.clone() {
        route.write_server(text, open_metrics);
    }
    declare(text, UPSTREAM, "From asking a backend to the head of its answer.");
    for route in routes {
        route.write_upstream(text, open_metrics);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn outcome(method: &'static str, status: u16) -> Outcome<'static> {
        Outcome {
            guarded: None,
            unkept: None,
            request_id: "r-1",
            trace_id: "t-1",
            sampled: false,
            method,
            path: "/customers/7",
            protocol: "HTTP/1.1",
            rule: Some("/customers/<int:id>"),
            route: Some("customers.detail"),
            backend: Some("legacy"),
            reason: "route",
            revision: 1,
            fallback: None,
            unrepeatable: None,
            session: false,
            bucket: None,
            status: Some(status),
            bytes: 1,
            total: Duration::from_millis(2),
            upstream: Some(Duration::from_millis(1)),
        }
    }

    /// The cardinality budget: whatever clients and an application come up with, a route and a backend have at most
    /// this many series.
    #[test]
    fn what_a_scrape_costs_is_bounded() {
        let metrics = Metrics::new();
        let backends = ["legacy".to_owned(), super::super::NONE.to_owned()];
        let handles = RouteHandles::new("customers.detail", Some("/customers/<int:id>"), &backends);
        for number in 0..1_000_u16 {
            let invented: &'static str = Box::leak(format!("M{number}").into_boxed_str());
            handles.count(&outcome(invented, 200), &metrics);
            for method in METHODS {
                handles.count(&outcome(method, 100 + number % 900), &metrics);
            }
        }
        let mut text = String::new();
        write_histograms(&mut text, [&handles].into_iter(), false);
        let histograms = text.lines().filter(|line| line.starts_with(&format!("{SERVER}_count"))).count();
        assert_eq!(histograms, METHODS.len() * (STATUSES + 1));
        let counted: u64 = handles.counters().map(|counters| counters.requests).sum();
        assert_eq!(counted, 9_000);
    }

    #[test]
    fn an_ordinary_route_costs_one_histogram_and_its_upstreams() {
        let metrics = Metrics::new();
        let handles =
            RouteHandles::new("customers.detail", Some("/customers/<int:id>"), &["legacy".to_owned()]);
        for _ in 0..100 {
            handles.count(&outcome("GET", 200), &metrics);
        }
        let mut text = String::new();
        write_histograms(&mut text, [&handles].into_iter(), false);
        assert_eq!(text.lines().filter(|line| line.contains("_count{")).count(), 2, "{text}");
        assert!(text.contains(
            "http_server_request_duration_seconds_count{http_request_method=\"GET\",\
             http_response_status_code=\"200\",http_route=\"/customers/<int:id>\",\
             ficus_route=\"customers.detail\",ficus_backend=\"legacy\"} 100\n"
        ));
    }
}
