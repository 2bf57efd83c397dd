//! What became of each request: counters for Prometheus, the access log, spans for a collector of traces.
//!
//! Step 7 of a request (record). The request path hands over one outcome; nothing here waits for a disk or a
//! reader. Who reads the numbers is not here: the admin API renders them, the CLI prints them.

mod access_log;
mod evidence;
mod exporter;
mod fleet;
mod handles;
mod histogram;
mod json;
mod lines;
mod metrics;
mod outcome;
mod panics;
mod protobuf;
mod shadow;
mod sources;
mod text;
mod traces;
mod waiting;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use chrono::Utc;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;

pub use evidence::{Evidence, Guarded};
pub use lines::{Lines, Output};
pub use outcome::Outcome;
pub use panics::count_panics;
pub use shadow::ShadowMetrics;
pub use sources::{BackendState, FleetState, Sources, UpstreamState};
pub use traces::{Kind, Span, Traces, Value};
pub use waiting::{Awaited, Waiting};

use crate::route::{Live, Serve};
use crate::settings::Settings;
use access_log::AccessLog;
use handles::RouteHandles;
use metrics::{BackendLabel, BackendReason, Metrics, ReasonLabel, RouteReason, RouteServe, UpstreamLabels};
use traces::Counters;

/// The label of requests without a route, and of answers that no backend gave.
pub const NONE: &str = "-";

/// The last line of an OpenMetrics text.
const END: &str = "# EOF\n";

type ByRoute = HashMap<String, Arc<RouteHandles>>;

/// Records outcomes and renders them.
pub struct Observer {
    live: Arc<Live>,
    metrics: Metrics,
    shadow: ShadowMetrics,
    registry: Registry,
    access_log: AccessLog,
    traces: Option<Traces>,
    /// Every backend and [`NONE`].
    backends: Vec<String>,
    by_route: ArcSwap<ByRoute>,
    /// Only one thread at a time adds a route, or rewrites the gauges that are read elsewhere.
    adding: Mutex<()>,
    sources: Mutex<Option<Sources>>,
    /// Who watches guarded routes.
    watcher: OnceLock<mpsc::Sender<Evidence>>,
    waiting: Arc<Waiting>,
}

/// Something that is read again while the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rereading {
    /// ficus.toml.
    Settings,
    /// The certificates of the HTTPS listener.
    Certificates,
}

/// What one route did since start-up, by the backend that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteCounters {
    /// The route's name; [`NONE`] for requests that no route matched.
    pub route: String,
    /// The backend that answered; [`NONE`] when Ficus itself did.
    pub backend: String,
    /// Requests.
    pub requests: u64,
    /// Of these, answered with a status of 500 or more.
    pub errors: u64,
    /// Of these, answered by the fallback in place of the backend first chosen.
    pub fallbacks: u64,
}

/// What one route did since start-up, by the backend that answered: what the tally of its days is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The route's name; [`NONE`] for requests that no route matched.
    pub route: String,
    /// The backend that answered; [`NONE`] when Ficus itself did.
    pub backend: String,
    /// Requests.
    pub requests: u64,
    /// Of these, answered with a status of 500 or more.
    pub errors: u64,
    /// Of these, answered by the fallback in place of the backend first chosen.
    pub fallbacks: u64,
    /// Of these, because a handler handed them back.
    pub defers: u64,
    /// Of these, with a method that may change something.
    pub writes: u64,
    /// Of these, with a session cookie.
    pub sessions: u64,
    /// Time until they were answered, in microseconds.
    pub micros: u64,
}

/// Counts something that is going on, until it is dropped.
#[derive(Debug)]
pub struct Ongoing(Gauge);

impl Ongoing {
    fn count(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

impl Observer {
    /// An observer of the requests on this table; opens the access log.
    ///
    /// # Errors
    /// When the access log cannot be opened, or spans cannot be sent.
    pub fn new(live: Arc<Live>, settings: &Settings, program_log: &Counter) -> anyhow::Result<Self> {
        let mut metrics = Metrics::new();
        metrics.program_log_dropped = program_log.clone();
        let access_log = AccessLog::open(&settings.log, metrics.log_dropped.clone())?;
        let spans = |reason| metrics.spans.get_or_create_owned(&ReasonLabel { reason });
        let counters = Counters { sent: spans("sent"), dropped: spans("dropped") };
        let traces = settings.telemetry.as_ref().map(|telemetry| Traces::start(telemetry, counters));
        let traces = traces.transpose()?;
        metrics.settings_reloaded.set(1);
        metrics.certificates_reloaded.set(1);
        let backends = settings.backends.keys().cloned().chain([NONE.to_owned()]).collect();
        let mut registry = metrics.registry();
        let shadow = ShadowMetrics::default();
        shadow.register(&mut registry);
        Ok(Self {
            live,
            metrics,
            shadow,
            registry,
            access_log,
            traces,
            backends,
            by_route: ArcSwap::default(),
            adding: Mutex::new(()),
            sources: Mutex::new(None),
            watcher: OnceLock::new(),
            waiting: Arc::default(),
        })
    }

    /// Records what became of a request.
    pub fn record(&self, outcome: &Outcome<'_>) {
        let route = outcome.route.unwrap_or(NONE);
        self.handles(route, outcome.rule).count(outcome, &self.metrics);
        let labels = |reason| RouteReason { route: route.to_owned(), reason };
        if let Some(reason) = outcome.fallback {
            self.metrics.fallbacks.get_or_create(&labels(reason)).inc();
        }
        if let Some(reason) = outcome.unrepeatable {
            self.metrics.unrepeatable.get_or_create(&labels(reason)).inc();
        }
        if let Some(reason) = outcome.unkept {
            self.metrics.unkept.get_or_create(&labels(reason)).inc();
        }
        if let (Some(guarded), Some(watcher)) = (outcome.guarded, self.watcher.get())
            && watcher.try_send(Evidence::of(outcome, guarded)).is_err()
        {
            self.metrics.evidence_dropped.inc();
        }
        self.access_log.write(outcome, Utc::now());
    }

    /// Counts a request that no backend saw.
    pub fn rejected(&self, reason: &'static str) {
        self.metrics.rejected.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts what went wrong at a backend.
    pub fn trouble(&self, backend: &str, reason: &'static str) {
        self.metrics.troubles.get_or_create(&BackendReason { backend: backend.to_owned(), reason }).inc();
    }

    /// Counts a request that waits for a place on a backend, or for its return.
    pub fn waits(&self, backend: &str, reason: &'static str) {
        self.metrics.waits.get_or_create(&BackendReason { backend: backend.to_owned(), reason }).inc();
    }

    /// Counts a connection that was refused, or given up for another.
    pub fn connection_refused(&self, reason: &'static str) {
        self.metrics.connections_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a request that the admin API refused.
    pub fn admin_refused(&self, reason: &'static str) {
        self.metrics.admin_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Where shadow traffic is counted.
    pub fn shadow(&self) -> &ShadowMetrics {
        &self.shadow
    }

    /// Counts a request as in progress until the result is dropped.
    pub fn request_started(&self) -> Ongoing {
        Ongoing::count(&self.metrics.in_progress)
    }

    /// Counts a connection as open until the result is dropped.
    pub fn connection_opened(&self) -> Ongoing {
        Ongoing::count(&self.metrics.connections)
    }

    /// Where spans go, if the settings say so.
    pub fn traces(&self) -> Option<&Traces> {
        self.traces.as_ref()
    }

    /// All metrics: OpenMetrics with exemplars, or the older text format that every reader knows.
    pub fn render(&self, open_metrics: bool) -> String {
        let _guard = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh_gauges();
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text.truncate(text.len() - if text.ends_with(END) { END.len() } else { 0 });
        if !open_metrics {
            text = text::prometheus(&text);
        }
        let by_route = self.by_route.load();
        let mut routes: Vec<&RouteHandles> = by_route.values().map(AsRef::as_ref).collect();
        routes.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        handles::write_histograms(&mut text, routes.into_iter(), open_metrics);
        if open_metrics {
            text.push_str(END);
        }
        text
    }

    /// Remembers how another look at something ended.
    pub fn reread(&self, what: Rereading, good: bool) {
        let gauge = match what {
            Rereading::Settings => &self.metrics.settings_reloaded,
            Rereading::Certificates => &self.metrics.certificates_reloaded,
        };
        gauge.set(i64::from(good));
    }

    /// Writes and sends what waits, at the end of the process.
    pub fn finish(&self) {
        self.access_log.finish();
        if let Some(traces) = &self.traces {
            traces.finish();
        }
    }

    /// What each route did since start-up.
    pub fn routes(&self) -> Vec<RouteCounters> {
        let by_route = self.by_route.load();
        let mut counters: Vec<_> = by_route.values().flat_map(|handles| handles.counters()).collect();
        counters.sort_by(|a, b| (&a.route, &a.backend).cmp(&(&b.route, &b.backend)));
        counters
    }

    /// What each route did since start-up, for the tally.
    pub fn tallied(&self) -> Vec<Counted> {
        self.by_route.load().values().flat_map(|handles| handles.tallied()).collect()
    }

    /// Where a scrape asks about what is known elsewhere.
    pub fn ask(&self, sources: Sources) {
        *self.sources.lock().unwrap_or_else(PoisonError::into_inner) = Some(sources);
    }

    /// Sends what guarded routes do to a watcher that may be `room` requests behind; only the first call counts.
    pub fn watch_guarded(&self, room: usize) -> mpsc::Receiver<Evidence> {
        let (sender, receiver) = mpsc::channel(room);
        let _ = self.watcher.set(sender);
        receiver
    }

    /// Requests that candidates of guarded routes have not answered yet.
    pub fn waiting(&self) -> &Arc<Waiting> {
        &self.waiting
    }

    /// Where else evidence about guarded routes can be left; nobody may watch.
    pub fn watcher(&self) -> Option<mpsc::Sender<Evidence>> {
        self.watcher.get().cloned()
    }

    /// Opens the access log again, after it was renamed away.
    pub fn reopen_log(&self) {
        self.access_log.reopen();
    }

    fn handles(&self, route: &str, rule: Option<&str>) -> Arc<RouteHandles> {
        let known = |by_route: &ByRoute| {
            by_route.get(route).filter(|handles| handles.rule.as_deref() == rule).map(Arc::clone)
        };
        if let Some(handles) = known(&self.by_route.load()) {
            return handles;
        }
        let _guard = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let by_route = self.by_route.load();
        if let Some(handles) = known(&by_route) {
            return handles;
        }
        let handles = Arc::new(RouteHandles::new(route, rule, &self.backends));
        let mut more = ByRoute::clone(&by_route);
        more.insert(route.to_owned(), Arc::clone(&handles));
        self.by_route.store(Arc::new(more));
        handles
    }

    fn refresh_gauges(&self) {
        self.metrics.panics.inc_by(panics::count() - self.metrics.panics.get());
        let routing = self.live.load();
        self.metrics.revision.set(i64::try_from(routing.revision).unwrap_or(i64::MAX));
        self.metrics.route_info.clear();
        for route in routing.table.routes() {
            let serve = match &route.serve {
                Serve::Backend(name) => name.clone(),
                Serve::Off => "off".to_owned(),
            };
            self.metrics.route_info.get_or_create(&RouteServe { route: route.name.clone(), serve }).set(1);
        }
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sources) = sources.as_ref() else { return };
        let (successful, at) = (sources.reload)();
        self.metrics.reload_successful.set(i64::from(successful));
        if let Some(at) = at {
            self.metrics.reload_time.set(at.timestamp_millis() as f64 / 1_000.0);
        }
        if let Some(fleet) = (sources.fleet)() {
            self.metrics.show_fleet(&fleet);
        }
        self.refresh_backends((sources.backends)());
    }

    fn refresh_backends(&self, states: Vec<BackendState>) {
        let metrics = &self.metrics;
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        // Host names come and go with their addresses.
        metrics.backend_up.clear();
        metrics.upstream_in_progress.clear();
        for state in states {
            let backend = state.name;
            let labels = BackendLabel { backend: backend.clone() };
            metrics.backend_in_progress.get_or_create(&labels).set(number(state.in_flight));
            for (reason, count) in [("place", state.queued), ("return", state.waiting)] {
                let labels = BackendReason { backend: backend.clone(), reason };
                metrics.backend_waiting.get_or_create(&labels).set(number(count));
            }
            for upstream in state.upstreams {
                let labels = UpstreamLabels { backend: backend.clone(), upstream: upstream.address };
                metrics.backend_up.get_or_create(&labels).set(i64::from(upstream.up));
                metrics.upstream_in_progress.get_or_create(&labels).set(number(upstream.in_flight));
                let ejections = metrics.upstream_ejections.get_or_create(&labels);
                ejections.inner().store(upstream.ejections, Ordering::Relaxed);
            }
        }
    }
}
