//! Numbers of shadow traffic.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteResult {
    route: String,
    result: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteRule {
    route: String,
    rule: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRoute {
    route: String,
}

fn of(route: &str) -> OfRoute {
    OfRoute { route: route.to_owned() }
}

/// Counters of shadow traffic.
#[derive(Debug, Clone, Default)]
pub struct ShadowMetrics {
    compared: Family<RouteResult, Counter>,
    again: Family<RouteResult, Counter>,
    dropped: Family<super::metrics::RouteReason, Counter>,
    ignored: Family<RouteRule, Counter>,
    waiting: Gauge,
    self_test: Family<OfRoute, Gauge>,
    comparisons: Family<OfRoute, Gauge>,
    mismatches: Family<OfRoute, Gauge>,
    bound: Family<OfRoute, Gauge<f64, AtomicU64>>,
    worst_bound: Family<OfRoute, Gauge<f64, AtomicU64>>,
    recorded: Family<RouteResult, Counter>,
    recording: Gauge,
}

impl ShadowMetrics {
    #[rustfmt::skip]
    pub(super) fn register(&self, r: &mut Registry) {
        r.register("shadow_compared", "Pairs of answers that were compared, by result", self.compared.clone());
        r.register("shadow_asked_again", "Differences, by what came out when the sides were asked again", self.again.clone());
        r.register("shadow_dropped", "Requests that were to be copied and were not, by reason", self.dropped.clone());
        r.register("shadow_ignored", "Differences that a rule allowed", self.ignored.clone());
        r.register("shadow_queue", "Copies of requests that wait", self.waiting.clone());
        r.register("shadow_self_test", "Whether known differences and equalities were last seen as such; 0: comparing this route does not work", self.self_test.clone());
        r.register("certificate_comparisons", "Comparisons that a route's certificate counts", self.comparisons.clone());
        r.register("certificate_mismatches", "Of these, the ones that differ", self.mismatches.clone());
        r.register("certificate_bound", "With 95 % certainty at most this share of a route's answers differs", self.bound.clone());
        r.register("certificate_worst_bound", "The same of the method, status class and role about which least is known", self.worst_bound.clone());
        r.register("recorded_requests", "Requests of routes that are recorded: recorded, or why not", self.recorded.clone());
        r.register("recording", "Whether users' traffic is recorded now", self.recording.clone());
    }

    /// Counts a request of a route that is recorded.
    pub fn recorded(&self, route: &str, result: &'static str) {
        self.recorded.get_or_create(&RouteResult { route: route.to_owned(), result }).inc();
    }

    /// Shows whether users' traffic is recorded.
    pub fn recording(&self, on: bool) {
        self.recording.set(i64::from(on));
    }

    /// Shows how a test of a route's shadowing ended.
    pub fn self_test(&self, route: &str, passed: bool) {
        self.self_test.get_or_create(&of(route)).set(i64::from(passed));
    }

    /// The route is not tested any more.
    pub fn forget_self_test(&self, route: &str) {
        self.self_test.remove(&of(route));
    }

    /// Routes come and go.
    pub fn clear_certificates(&self) {
        self.comparisons.clear();
        self.mismatches.clear();
        self.bound.clear();
        self.worst_bound.clear();
    }

    /// Shows a route's certificate: comparisons and mismatches, both bounds.
    pub fn certificate(&self, route: &str, counts: (u64, u64), bounds: (f64, f64)) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let route = of(route);
        self.comparisons.get_or_create(&route).set(number(counts.0));
        self.mismatches.get_or_create(&route).set(number(counts.1));
        self.bound.get_or_create(&route).set(bounds.0);
        self.worst_bound.get_or_create(&route).set(bounds.1);
    }

    /// Counts a pair of answers.
    pub fn compared(&self, route: &str, result: &'static str) {
        self.compared.get_or_create(&RouteResult { route: route.to_owned(), result }).inc();
    }

    /// Counts a difference about which the sides were asked again.
    pub fn again(&self, route: &str, result: &'static str) {
        self.again.get_or_create(&RouteResult { route: route.to_owned(), result }).inc();
    }

    /// Counts a request that was not copied.
    pub fn dropped(&self, route: &str, reason: &'static str) {
        self.dropped.get_or_create(&super::metrics::RouteReason { route: route.to_owned(), reason }).inc();
    }

    /// Counts differences that a rule allowed.
    pub fn ignored(&self, route: &str, rule: &str, times: u64) {
        let labels = RouteRule { route: route.to_owned(), rule: rule.to_owned() };
        self.ignored.get_or_create(&labels).inc_by(times);
    }

    /// Counts a copy as waiting until the result is dropped.
    pub fn waits(&self) -> super::Ongoing {
        super::Ongoing::count(&self.waiting)
    }
}
