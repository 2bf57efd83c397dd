//! The admin API: JSON over a Unix socket for the CLI, health and metrics over TCP.
//!
//! The socket's peers are known by the kernel (`peer`): root, the user ficus runs as, and its group. They may change
//! the routing, through `control` only. Over TCP there is nothing but numbers to read. Paths are in `api` and `changes`,
//! refusals in `problem`, the answer to "who would answer this" in `explain`.

mod api;
mod ask;
mod changes;
mod diffs;
mod evidence;
mod explain;
mod health;
mod incidents;
mod leaving;
mod listing;
mod peer;
mod problem;
mod promotion;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use crate::control::Control;
use crate::identity::Tokens;
use crate::observe::Observer;
use crate::rollout::{Gates, Incidents};
use crate::shadow::Shadow;
use crate::store::Diffs;
use crate::upstream::Backends;
use leaving::{Leaving, closing};

pub use ask::{Ask, Asks, Reread};
pub use explain::{Explanation, Question, explain};
pub use leaving::Ending;
pub use listing::{RouteLine, backend_lines, route_lines};
pub use problem::{MOVED, Problem};

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
        Arc::new(Self { control, observer, backends, kept, draining, asks, started })
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
pub fn socket_router(admin: &Arc<Admin>) -> Router {
    api::router(admin)
        .merge(tcp_router(admin))
        .layer(axum::middleware::from_fn(peer::authorize))
        .fallback(problem::not_found)
}

/// Health and metrics, read-only.
pub fn tcp_router(admin: &Arc<Admin>) -> Router {
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

/// Opens the admin socket: what an earlier process left there is removed, nobody but owner and group may connect.
///
/// # Errors
/// When another ficus answers there, or the directory cannot be written.
pub fn bind_socket(path: &Path) -> std::io::Result<UnixListener> {
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
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o660))?;
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
    let service = socket_router(&admin).into_make_service_with_connect_info::<peer::Peer>();
    let listener = Leaving { listener, ending: ending.clone() };
    axum::serve(listener, service).with_graceful_shutdown(closing(ending)).await
}

/// Answers over TCP until the end.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve_tcp(
    listener: TcpListener,
    admin: Arc<Admin>,
    ending: watch::Receiver<Ending>,
) -> std::io::Result<()> {
    let listener = Leaving { listener, ending: ending.clone() };
    axum::serve(listener, tcp_router(&admin)).with_graceful_shutdown(closing(ending)).await
}
