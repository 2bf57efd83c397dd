//! The admin API: JSON over a Unix socket for the CLI, and over TCP if the settings say so; health and metrics over TCP.
//!
//! Every endpoint is a line of `table`, with the role that it needs; `door` lets in who has it: the socket's peers are
//! known by the kernel (`peer`), others by a token (`tokens`). Changes go through `control` only. What endpoints do is
//! in `api`, `changes` and the files of their names, refusals are in `problem`, the description is in `openapi`.

mod access;
mod api;
mod ask;
mod changes;
mod diffs;
mod door;
mod events;
mod evidence;
mod explain;
mod health;
mod idempotency;
mod incidents;
mod leaving;
mod listing;
mod once;
mod openapi;
mod peer;
mod problem;
mod progress;
mod promotion;
mod record;
mod replayed;
mod role;
mod secured;
mod table;
mod token_api;
mod tokens;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::control::Control;
use crate::identity::Tokens;
use crate::observe::Observer;
use crate::rollout::progress::Tallies;
use crate::rollout::{Gates, Incidents};
use crate::route::Route;
use crate::settings::AdminSettings;
use crate::shadow::Shadow;
use crate::store::{self, Diffs, Refusal};
use crate::upstream::Backends;
use access::Access;
use idempotency::Answers;
use leaving::{Leaving, closing};
use secured::Secured;
use table::Endpoint;
use tokens::ApiTokens;

pub use ask::{Ask, Asks, Reread};
pub use explain::{Explanation, Question, explain};
pub(crate) use idempotency::HEADER as IDEMPOTENCY_KEY;
pub use leaving::Ending;
pub use listing::{RouteLine, backend_lines, route_lines};
pub use openapi::document as openapi;
pub use problem::{IN_PROGRESS, MOVED, Problem};
pub use role::Role;
pub use table::ENDPOINTS;

/// What the admin API shows besides the routing.
#[derive(Debug)]
pub struct Kept {
    /// What makes tokens for testers; absent: nothing can.
    pub tokens: Option<Tokens>,
    /// What guards did.
    pub incidents: Arc<Incidents>,
    /// What became of copies.
    pub shadow: Arc<Shadow>,
    /// Where answers differ.
    pub diffs: Arc<Diffs>,
    /// How often each route was asked.
    pub tallies: Arc<Tallies>,
    /// Who may do what.
    pub settings: AdminSettings,
    /// Where tokens, and who was refused, are written down.
    pub directory: std::path::PathBuf,
    /// Gates and rehearsals.
    pub gates: Arc<Gates>,
    /// Where plain HTTP is listened for.
    pub http: Option<std::net::SocketAddr>,
}

/// What the admin API shows and changes.
#[derive(Debug)]
pub struct Admin {
    control: Arc<Control>,
    observer: Arc<Observer>,
    backends: Arc<Backends>,
    kept: Kept,
    draining: AtomicBool,
    asks: Asks,
    started: chrono::DateTime<chrono::Utc>,
    settings: AdminSettings,
    tokens: ApiTokens,
    access: Access,
    answers: Answers,
    kept_answers: Option<Arc<store::Answers>>,
    readers: Arc<Semaphore>,
}

impl Admin {
    /// Shows and changes these.
    pub fn new(
        control: Arc<Control>,
        observer: Arc<Observer>,
        backends: Arc<Backends>,
        kept: Kept,
        asks: Asks,
    ) -> Arc<Self> {
        let (draining, started) = (AtomicBool::new(false), chrono::Utc::now());
        let (tokens, access) = (ApiTokens::new(&kept.directory), Access::new(&kept.directory));
        let kept_answers = store::Answers::start(&kept.directory).map(Arc::new);
        if let Err(error) = &kept_answers {
            tracing::warn!(%error, "answers to changes will not outlive this process");
        }
        let (settings, readers) = (kept.settings.clone(), Arc::new(Semaphore::new(events::READERS)));
        Arc::new(Self {
            control,
            observer,
            backends,
            kept,
            draining,
            asks,
            started,
            settings,
            tokens,
            access,
            answers: Answers::default(),
            kept_answers: kept_answers.ok(),
            readers,
        })
    }

    /// Counts a refusal at the door, puts it on record, and writes down the first ones of a minute.
    fn refused(&self, endpoint: &Endpoint, problem: &Problem, author: Option<String>) {
        let reason = problem.reason();
        self.observer.admin_refused(reason);
        let what = format!("{} {}", endpoint.method, endpoint.path);
        self.control.refused(Refusal { author, what: what.clone(), route: None, reason: reason.to_owned() });
        if self.access.refused(&what, reason) {
            tracing::warn!(what, reason, detail = problem.detail, "the admin API refused a request");
        }
    }

    /// Puts a refusal by an endpoint on record.
    fn refused_by_endpoint(
        &self,
        endpoint: &Endpoint,
        reason: &str,
        (author, route): (String, Option<String>),
    ) {
        let what = format!("{} {}", endpoint.method, endpoint.path);
        self.control.refused(Refusal { author: Some(author), what, route, reason: reason.to_owned() });
    }

    /// A route that is running, or why there is none of that name.
    fn known(&self, route: &str) -> Result<Arc<Route>, Problem> {
        let unknown = || Problem::unknown_route(route, self.control.nearest_routes(route));
        self.control.live().load().table.route(route).cloned().ok_or_else(unknown)
    }

    /// From now on `/readyz` says no: this node is about to stop.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Why this node should get no traffic; `None`: it should.
    fn unready(&self) -> Option<&'static str> {
        if self.draining.load(Ordering::Relaxed) {
            Some("draining")
        } else if self.backends.health().iter().any(crate::upstream::BackendHealth::is_up) {
            None
        } else {
            Some("no backend can be reached")
        }
    }
}

/// Everything, for peers on this machine.
pub fn socket_router(admin: &Arc<Admin>, ending: watch::Receiver<Ending>) -> Router {
    finish(table::router(admin).merge(open_router(admin)), ending)
}

/// Health and metrics; everything else for those with a token, if the settings say so.
pub fn tcp_router(admin: &Arc<Admin>, ending: watch::Receiver<Ending>) -> Router {
    let open = open_router(admin);
    finish(if admin.settings.api { table::router(admin).merge(open) } else { open }, ending)
}

/// What holds for every answer.
fn finish(router: Router, ending: watch::Receiver<Ending>) -> Router {
    router
        .fallback(problem::not_found)
        .layer(Extension(ending))
        .layer(DefaultBodyLimit::max(door::BODY))
        .layer(axum::middleware::from_fn(door::answer))
}

/// Health and metrics: nothing but numbers to read.
fn open_router(admin: &Arc<Admin>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(health::readyz))
        .route("/healthz", get(health::readyz))
        .with_state(Arc::clone(admin))
}

async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    let open_metrics = headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("application/openmetrics-text")));
    let kind = if open_metrics {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        "text/plain; version=0.0.4; charset=utf-8"
    };
    ([(header::CONTENT_TYPE, kind)], admin.observer.render(open_metrics)).into_response()
}

/// Opens the admin socket: what an earlier process left there is removed. `mode` says who may connect; what they may do
/// is asked of the kernel afterwards.
///
/// # Errors
/// When another ficus answers there, or the directory cannot be written.
pub fn bind_socket(path: &Path, mode: u32) -> std::io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory)?;
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => {
            return Err(std::io::Error::new(std::io::ErrorKind::AddrInUse, "another ficus answers there"));
        }
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode))?;
    Ok(listener)
}

/// Answers on the socket until the end.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve_socket(
    listener: UnixListener,
    admin: Arc<Admin>,
    ending: watch::Receiver<Ending>,
) -> std::io::Result<()> {
    let service = socket_router(&admin, ending.clone()).into_make_service_with_connect_info::<peer::Peer>();
    let listener = Leaving { listener, ending: ending.clone() };
    axum::serve(listener, service).with_graceful_shutdown(closing(ending)).await
}

/// Answers over TCP until the end, with TLS or without.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve_tcp(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    admin: Arc<Admin>,
    ending: watch::Receiver<Ending>,
) -> std::io::Result<()> {
    let listener = Leaving { listener, ending: ending.clone() };
    let router = tcp_router(&admin, ending.clone());
    match tls {
        None => axum::serve(listener, router).with_graceful_shutdown(closing(ending)).await,
        Some(tls) => {
            axum::serve(Secured::new(listener, tls), router).with_graceful_shutdown(closing(ending)).await
        }
    }
}
