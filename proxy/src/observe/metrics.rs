//! The metrics' names, labels and help texts.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Bounds of the histograms in seconds: those of OpenTelemetry's HTTP metrics, and two below for fast handlers.
const BOUNDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) route: String,
    pub(super) backend: String,
    pub(super) method: &'static str,
    pub(super) code: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct BackendLabels {
    pub(super) route: String,
    pub(super) backend: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct RouteReason {
    pub(super) route: String,
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct ReasonLabel {
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct RouteServe {
    pub(super) route: String,
    pub(super) serve: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct UpstreamLabels {
    pub(super) backend: String,
    pub(super) upstream: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct BackendLabel {
    pub(super) backend: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Version {
    version: &'static str,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// All metrics.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) requests: Family<RequestLabels, Counter>,
    pub(super) duration: Histograms<BackendLabels>,
    pub(super) upstream_duration: Histograms<BackendLabels>,
    pub(super) in_progress: Gauge,
    pub(super) fallbacks: Family<RouteReason, Counter>,
    pub(super) unrepeatable: Family<RouteReason, Counter>,
    pub(super) rejected: Family<ReasonLabel, Counter>,
    pub(super) connections: Gauge,
    pub(super) log_dropped: Counter,
    pub(super) evidence_dropped: Counter,
    pub(super) route_info: Family<RouteServe, Gauge>,
    pub(super) backend_up: Family<UpstreamLabels, Gauge>,
    pub(super) backend_in_progress: Family<BackendLabel, Gauge>,
    pub(super) revision: Gauge,
    pub(super) reload_successful: Gauge,
    pub(super) reload_time: Gauge<f64, AtomicU64>,
    build: Family<Version, Gauge>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BOUNDS);
        let build = Family::<Version, Gauge>::default();
        build.get_or_create(&Version { version: env!("CARGO_PKG_VERSION") }).set(1);
        Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(histogram),
            upstream_duration: Family::new_with_constructor(histogram),
            in_progress: Gauge::default(),
            fallbacks: Family::default(),
            unrepeatable: Family::default(),
            rejected: Family::default(),
            connections: Gauge::default(),
            log_dropped: Counter::default(),
            evidence_dropped: Counter::default(),
            route_info: Family::default(),
            backend_up: Family::default(),
            backend_in_progress: Family::default(),
            revision: Gauge::default(),
            reload_successful: Gauge::default(),
            reload_time: Gauge::default(),
            build,
        }
    }

    /// Names and help texts; what is registered here shares its values with `self`.
    #[rustfmt::skip]
    pub(super) fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("ficus");
        let r = &mut registry;
        r.register("requests", "Requests answered, by the backend whose answer the client got", self.requests.clone());
        r.register("request_duration_seconds", "From the end of a request's head to the end of its answer", self.duration.clone());
        r.register("upstream_request_duration_seconds", "From asking a backend to the head of its answer", self.upstream_duration.clone());
        r.register("requests_in_progress", "Requests not yet answered", self.in_progress.clone());
        r.register("fallbacks", "Requests answered by the fallback in place of the backend first chosen", self.fallbacks.clone());
        r.register("unrepeatable_requests", "Requests that failed and were not given to the fallback, because they must not be repeated", self.unrepeatable.clone());
        r.register("requests_rejected", "Requests that no backend saw", self.rejected.clone());
        r.register("connections", "Open connections of clients", self.connections.clone());
        r.register("access_log_dropped", "Lines of the access log that were lost", self.log_dropped.clone());
        r.register("guard_evidence_dropped", "Requests of guarded routes that their guard did not see, because it was behind", self.evidence_dropped.clone());
        r.register("route_info", "The routes and what serves them; always 1", self.route_info.clone());
        r.register("backend_up", "Whether an upstream of a backend can be reached", self.backend_up.clone());
        r.register("backend_requests_in_progress", "Requests in progress on a backend", self.backend_in_progress.clone());
        r.register("config_revision", "Revision of the routing table in use", self.revision.clone());
        r.register("config_last_reload_successful", "Whether the last attempt to load routes.toml succeeded", self.reload_successful.clone());
        r.register("config_last_reload_success_timestamp_seconds", "When routes.toml was last loaded", self.reload_time.clone());
        r.register("build_info", "The version of this program; always 1", self.build.clone());
        registry
    }
}
