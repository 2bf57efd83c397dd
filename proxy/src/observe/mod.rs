//! What became of each request: counters for Prometheus and the access log.
//!
//! Step 7 of a request (record). The request path hands over one outcome; nothing here waits for a disk or a
//! reader. Who reads the numbers is not here: the admin API renders them, the CLI prints them.

mod access_log;
mod evidence;
mod handles;
mod metrics;
mod outcome;
mod text;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;

pub use evidence::{Evidence, Guarded};
pub use outcome::Outcome;

use crate::route::{Live, Serve};
use crate::settings::Settings;
use access_log::AccessLog;
use handles::RouteHandles;
use metrics::{BackendLabel, Metrics, ReasonLabel, RouteReason, RouteServe, UpstreamLabels};

/// The label of requests without a route, and of answers that no backend gave.
pub const NONE: &str = "-";

type ByRoute = HashMap<String, Arc<RouteHandles>>;

/// Records outcomes and renders them.
pub struct Observer {
    live: Arc<Live>,
    metrics: Metrics,
    registry: Registry,
    access_log: AccessLog,
    /// Every backend and [`NONE`].
    backends: Vec<String>,
    by_route: ArcSwap<ByRoute>,
    /// Only one thread at a time adds a route, or rewrites the gauges that are read elsewhere.
    adding: Mutex<()>,
    sources: Mutex<Option<Sources>>,
    /// Who watches guarded routes.
    watcher: OnceLock<mpsc::Sender<Evidence>>,
}

/// What a scrape shows beside requests, from where it is known.
pub struct Sources {
    /// The backends.
    pub backends: Box<dyn Fn() -> Vec<BackendState> + Send>,
    /// Whether the last look at routes.toml ended well, and when a text was last taken.
    pub reload: Box<dyn Fn() -> (bool, Option<DateTime<Utc>>) + Send>,
}

/// What a scrape says about a backend.
#[derive(Debug, Clone)]
pub struct BackendState {
    /// Its name.
    pub name: String,
    /// Requests in progress on it.
    pub in_flight: usize,
    /// Its addresses and whether they can be reached.
    pub upstreams: Vec<(String, bool)>,
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
    /// When the access log cannot be opened.
    pub fn new(live: Arc<Live>, settings: &Settings) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        let access_log = AccessLog::open(&settings.log.access, metrics.log_dropped.clone())?;
        let backends = settings.backends.keys().cloned().chain([NONE.to_owned()]).collect();
        let registry = metrics.registry();
        Ok(Self {
            live,
            metrics,
            registry,
            access_log,
            backends,
            by_route: ArcSwap::default(),
            adding: Mutex::new(()),
            sources: Mutex::new(None),
            watcher: OnceLock::new(),
        })
    }

    /// Records what became of a request.
    pub fn record(&self, outcome: &Outcome<'_>) {
        let route = outcome.route.unwrap_or(NONE);
        self.handles(route).count(outcome, &self.metrics);
        let labels = |reason| RouteReason { route: route.to_owned(), reason };
        if let Some(reason) = outcome.fallback {
            self.metrics.fallbacks.get_or_create(&labels(reason)).inc();
        }
        if let Some(reason) = outcome.unrepeatable {
            self.metrics.unrepeatable.get_or_create(&labels(reason)).inc();
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

    /// Counts a request as in progress until the result is dropped.
    pub fn request_started(&self) -> Ongoing {
        Ongoing::count(&self.metrics.in_progress)
    }

    /// Counts a connection as open until the result is dropped.
    pub fn connection_opened(&self) -> Ongoing {
        Ongoing::count(&self.metrics.connections)
    }

    /// All metrics, in the text format that Prometheus scrapes.
    pub fn render(&self) -> String {
        let _guard = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh_gauges();
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text::prometheus(&text)
    }

    /// What each route did since start-up.
    pub fn routes(&self) -> Vec<RouteCounters> {
        let by_route = self.by_route.load();
        let mut counters: Vec<_> = by_route.values().flat_map(|handles| handles.counters()).collect();
        counters.sort_by(|a, b| (&a.route, &a.backend).cmp(&(&b.route, &b.backend)));
        counters
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

    /// Opens the access log again, after it was renamed away.
    pub fn reopen_log(&self) {
        self.access_log.reopen();
    }

    fn handles(&self, route: &str) -> Arc<RouteHandles> {
        if let Some(handles) = self.by_route.load().get(route) {
            return Arc::clone(handles);
        }
        let _guard = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.by_route.load();
        if let Some(handles) = known.get(route) {
            return Arc::clone(handles);
        }
        let handles = Arc::new(RouteHandles::new(route, &self.backends));
        let mut more = ByRoute::clone(&known);
        more.insert(route.to_owned(), Arc::clone(&handles));
        self.by_route.store(Arc::new(more));
        handles
    }

    fn refresh_gauges(&self) {
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
        for state in (sources.backends)() {
            let backend = state.name;
            let in_flight = i64::try_from(state.in_flight).unwrap_or(i64::MAX);
            let labels = BackendLabel { backend: backend.clone() };
            self.metrics.backend_in_progress.get_or_create(&labels).set(in_flight);
            for (upstream, up) in state.upstreams {
                let labels = UpstreamLabels { backend: backend.clone(), upstream };
                self.metrics.backend_up.get_or_create(&labels).set(i64::from(up));
            }
        }
    }
}
