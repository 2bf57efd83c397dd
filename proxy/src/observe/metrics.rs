//! The metrics' names, labels and help texts.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) route: String,
    pub(super) backend: String,
    pub(super) method: &'static str,
    pub(super) code: &'static str,
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
pub(super) struct BackendReason {
    pub(super) backend: String,
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Version {
    version: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct StateLabel {
    pub(super) state: &'static str,
}

/// Of what is shown only where there is something to show.
pub(super) type NoLabels = [(&'static str, &'static str); 0];

/// All metrics but the histograms, which are in `handles`.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) requests: Family<RequestLabels, Counter>,
    pub(super) in_progress: Gauge,
    pub(super) fallbacks: Family<RouteReason, Counter>,
    pub(super) unrepeatable: Family<RouteReason, Counter>,
    pub(super) unkept: Family<RouteReason, Counter>,
    pub(super) troubles: Family<BackendReason, Counter>,
    pub(super) waits: Family<BackendReason, Counter>,
    pub(super) connections_refused: Family<ReasonLabel, Counter>,
    pub(super) rejected: Family<ReasonLabel, Counter>,
    pub(super) connections: Gauge,
    pub(super) log_dropped: Counter,
    pub(super) program_log_dropped: Counter,
    pub(super) spans: Family<ReasonLabel, Counter>,
    pub(super) admin_refused: Family<ReasonLabel, Counter>,
    pub(super) panics: Counter,
    pub(super) evidence_dropped: Counter,
    pub(super) route_info: Family<RouteServe, Gauge>,
    pub(super) backend_up: Family<UpstreamLabels, Gauge>,
    pub(super) backend_in_progress: Family<BackendLabel, Gauge>,
    pub(super) backend_waiting: Family<BackendReason, Gauge>,
    pub(super) upstream_in_progress: Family<UpstreamLabels, Gauge>,
    pub(super) upstream_ejections: Family<UpstreamLabels, Counter>,
    pub(super) revision: Gauge,
    pub(super) reload_successful: Gauge,
    pub(super) reload_time: Gauge<f64, AtomicU64>,
    pub(super) settings_reloaded: Gauge,
    pub(super) certificates_reloaded: Gauge,
    pub(super) fleet_nodes: Family<StateLabel, Gauge>,
    pub(super) fleet_nodes_behind: Family<NoLabels, Gauge>,
    pub(super) fleet_revisions_behind: Family<NoLabels, Gauge>,
    pub(super) fleet_cut_off: Family<NoLabels, Gauge>,
    pub(super) fleet_last_contact: Family<NoLabels, Gauge<f64, AtomicU64>>,
    pub(super) fleet_unshared: Family<NoLabels, Gauge>,
    pub(super) fleet_unconfirmed: Family<NoLabels, Gauge>,
    build: Family<Version, Gauge>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let build = Family::<Version, Gauge>::default();
        build.get_or_create(&Version { version: env!("CARGO_PKG_VERSION") }).set(1);
        Self {
            requests: Family::default(),
            in_progress: Gauge::default(),
            fallbacks: Family::default(),
            unrepeatable: Family::default(),
            unkept: Family::default(),
            troubles: Family::default(),
            waits: Family::default(),
            connections_refused: Family::default(),
            rejected: Family::default(),
            connections: Gauge::default(),
            log_dropped: Counter::default(),
            program_log_dropped: Counter::default(),
            spans: Family::default(),
            admin_refused: Family::default(),
            panics: Counter::default(),
            evidence_dropped: Counter::default(),
            route_info: Family::default(),
            backend_up: Family::default(),
            backend_in_progress: Family::default(),
            backend_waiting: Family::default(),
            upstream_in_progress: Family::default(),
            upstream_ejections: Family::default(),
            revision: Gauge::default(),
            reload_successful: Gauge::default(),
            reload_time: Gauge::default(),
            settings_reloaded: Gauge::default(),
            certificates_reloaded: Gauge::default(),
            fleet_nodes: Family::default(),
            fleet_nodes_behind: Family::default(),
            fleet_revisions_behind: Family::default(),
            fleet_cut_off: Family::default(),
            fleet_last_contact: Family::default(),
            fleet_unshared: Family::default(),
            fleet_unconfirmed: Family::default(),
            build,
        }
    }

    /// Names and help texts; what is registered here shares its values with `self`.
    #[rustfmt::skip]
    pub(super) fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("ficus");
        let r = &mut registry;
        r.register("requests", "Requests answered, by the backend whose answer the client got", self.requests.clone());
        r.register("requests_in_progress", "Requests not yet answered", self.in_progress.clone());
        r.register("fallbacks", "Requests answered by the fallback in place of the backend first chosen", self.fallbacks.clone());
        r.register("unrepeatable_requests", "Requests that failed and were not given to the fallback, because they must not be repeated", self.unrepeatable.clone());
        r.register("bodies_not_kept", "Requests whose body was not kept for the fallback", self.unkept.clone());
        r.register("backend_troubles", "What went wrong at a backend before it answered", self.troubles.clone());
        r.register("backend_waits", "Requests that had to wait for a place on a backend, or for its return", self.waits.clone());
        r.register("connections_refused", "Connections of clients that were refused or given up for others", self.connections_refused.clone());
        r.register("requests_rejected", "Requests that no backend saw", self.rejected.clone());
        r.register("connections", "Open connections of clients", self.connections.clone());
        r.register("access_log_dropped", "Lines of the access log that were lost", self.log_dropped.clone());
        r.register("program_log_dropped", "Lines of the program's own log that were lost", self.program_log_dropped.clone());
        r.register("spans", "Spans of sampled requests, by what became of them", self.spans.clone());
        r.register("admin_requests_refused", "Requests that the admin API refused because of who asked, or how", self.admin_refused.clone());
        r.register("panics", "Mistakes in Ficus that ended one request or task", self.panics.clone());
        r.register("guard_evidence_dropped", "Requests of guarded routes that their guard did not see, because it was behind", self.evidence_dropped.clone());
        r.register("route_info", "The routes and what serves them; always 1", self.route_info.clone());
        r.register("backend_up", "Whether an upstream of a backend can be reached", self.backend_up.clone());
        r.register("backend_requests_in_progress", "Requests in progress on a backend", self.backend_in_progress.clone());
        r.register("backend_requests_waiting", "Requests waiting for a place on a backend, or for its return", self.backend_waiting.clone());
        r.register("upstream_requests_in_progress", "Requests in progress on an upstream", self.upstream_in_progress.clone());
        r.register("upstream_ejections", "How often an upstream was left alone because it failed", self.upstream_ejections.clone());
        r.register("config_revision", "Revision of the routing table in use", self.revision.clone());
        r.register("config_last_reload_successful", "Whether the last attempt to load routes.toml succeeded", self.reload_successful.clone());
        r.register("config_last_reload_success_timestamp_seconds", "When routes.toml was last loaded", self.reload_time.clone());
        r.register("settings_last_reload_successful", "Whether ficus.toml was good when it was last read", self.settings_reloaded.clone());
        r.register("certificates_last_reload_successful", "Whether the certificates were good when they were last read", self.certificates_reloaded.clone());
        r.register("fleet_nodes", "Nodes of the fleet that this node knows of, by whether they were heard lately", self.fleet_nodes.clone());
        r.register("fleet_nodes_behind", "Live nodes that run an older revision than the newest one, as this node sees it", self.fleet_nodes_behind.clone());
        r.register("fleet_revisions_behind", "How many revisions this node is behind the newest one that it knows of", self.fleet_revisions_behind.clone());
        r.register("fleet_cut_off", "Whether this node cannot reach the store of its fleet", self.fleet_cut_off.clone());
        r.register("fleet_last_contact_timestamp_seconds", "When the store of the fleet last answered this node", self.fleet_last_contact.clone());
        r.register("fleet_unshared_changes", "Changes made on this node that the others have not heard of", self.fleet_unshared.clone());
        r.register("fleet_changes_waiting", "Changes made on this node that wait until all live nodes run them", self.fleet_unconfirmed.clone());
        r.register("build_info", "The version of this program; always 1", self.build.clone());
        registry
    }
}
