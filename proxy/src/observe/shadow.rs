//! Numbers of shadow traffic.

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

/// Counters of shadow traffic.
#[derive(Debug, Clone, Default)]
pub struct ShadowMetrics {
    compared: Family<RouteResult, Counter>,
    again: Family<RouteResult, Counter>,
    dropped: Family<super::metrics::RouteReason, Counter>,
    ignored: Family<RouteRule, Counter>,
    waiting: Gauge,
}

impl ShadowMetrics {
    #[rustfmt::skip]
    pub(super) fn register(&self, r: &mut Registry) {
        r.register("shadow_compared", "Pairs of answers that were compared, by result", self.compared.clone());
        r.register("shadow_asked_again", "Differences, by what came out when the sides were asked again", self.again.clone());
        r.register("shadow_dropped", "Requests that were to be copied and were not, by reason", self.dropped.clone());
        r.register("shadow_ignored", "Differences that a rule allowed", self.ignored.clone());
        r.register("shadow_queue", "Copies of requests that wait", self.waiting.clone());
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
