//! What ficus.toml, the environment and the command line say about this node, checked.
//!
//! Start-up step 1. These types cannot hold a wrong value; reading and checking are in the files beside this
//! one. What runs where is not here: that is routes.toml, in `route`.

mod admin;
mod backends;
mod certificates;
mod current;
mod keys;
mod layers;
mod read;
mod schema;
mod shadow;
mod telemetry;
mod values;
mod webhooks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use flask_compat::Profile;

pub use crate::diagnostic::Network;
pub use admin::{AdminSettings, Member};
pub use backends::{Backend, Ejection, HealthCheck, UpstreamAddress};
pub use current::{Current, Difference, RELOADABLE, Written};
pub use keys::{BACKEND, HEALTH, KEYS, Key, variable};
pub use layers::Inputs;
pub use read::{admin_socket, load};
pub use schema::schema;
pub use shadow::{ShadowSettings, Stack};
pub use telemetry::{Endpoint, Sampler};
pub use webhooks::Webhooks;

/// Everything this node needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: Listen,
    /// Who may use the admin API, and from where.
    pub admin: AdminSettings,
    /// The backends by name; `legacy` is always there.
    pub backends: BTreeMap<String, Backend>,
    /// What the Flask application does, as far as Ficus must know it.
    pub flask: Flask,
    /// How users are told apart and kept on their side.
    pub canary: CanarySettings,
    /// How the routing is changed.
    pub control: ControlSettings,
    /// Where revisions and the audit are kept.
    pub store: StoreSettings,
    /// What the other nodes need to know of this one.
    pub fleet: FleetSettings,
    /// Bounds on what a client may send.
    pub limits: Limits,
    /// How long to wait for whom.
    pub timeouts: Timeouts,
    /// What copies of requests may cost.
    pub shadow: ShadowSettings,
    /// What is logged, and where.
    pub log: Log,
    /// Who is told of changes.
    pub webhooks: Webhooks,
    /// Where traces go; absent: nowhere.
    pub telemetry: Option<Telemetry>,
    /// The routing file; absent: everything goes to legacy.
    pub routes: Option<PathBuf>,
    /// The file these settings were read from, if there was one.
    pub config: Option<PathBuf>,
    /// That file, key by key.
    pub written: Written,
}

/// Addresses to listen on.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Plain HTTP.
    pub http: Option<SocketAddr>,
    /// HTTPS, HTTP/2 by ALPN.
    pub https: Option<Https>,
    /// `/metrics`, `/livez`, `/readyz` over TCP (read-only).
    pub admin: Option<SocketAddr>,
    /// The admin API for the CLI on this machine: peer credentials, no token.
    pub admin_socket: PathBuf,
    /// Whether answers carry `x-ficus-route`, `x-ficus-backend`, `x-ficus-revision`.
    pub reveal: bool,
    /// Peers whose X-Forwarded-* and X-Request-Id are believed and continued.
    pub trusted_proxies: Vec<Network>,
    /// Peers whose connections begin with a preamble of the PROXY protocol, and are refused without.
    pub proxy_protocol: Vec<Network>,
}

/// A TLS listener.
#[derive(Debug, Clone)]
pub struct Https {
    /// Where to listen.
    pub address: SocketAddr,
    /// Certificates with their keys; the first one is for clients that do not say whom they want, or want somebody else.
    pub pairs: Vec<CertificatePair>,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePair {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// What Ficus must know of the Flask application.
#[derive(Debug, Clone)]
pub struct Flask {
    /// The secret key; absent: identities are taken from the client address.
    pub secret_key: Option<Secret>,
    /// Name of the session cookie.
    pub session_cookie: String,
    /// Name of Flask-Login's remember cookie.
    pub remember_cookie: String,
    /// The key of the session that holds the user's role or roles; absent: roles are not known.
    pub role_key: Option<String>,
    /// Whose matching, cookies and redirects to follow.
    pub profile: Profile,
    /// What opens the private channel of legacy-shim; absent: the application is not asked what it runs.
    pub channel_secret: Option<Secret>,
}

/// What canaries need to know of this node.
#[derive(Debug, Clone, Default)]
pub struct CanarySettings {
    /// Signs visitor cookies, pins and testers' tokens; absent: Flask's secret key does.
    pub secret_key: Option<Secret>,
    /// Name of the visitor cookie; absent: none is set, and visitors are told apart by address.
    pub visitor_cookie: Option<String>,
}

/// What the control needs to know of this node.
#[derive(Debug, Clone)]
pub struct ControlSettings {
    /// How long a rollback lies over a file that cannot be written; absent: until the file agrees.
    pub override_expires: Option<Duration>,
}

/// A value that never shows in logs or dumps.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The control store.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// `sqlite:PATH`; for a fleet `postgres://…`, without a password.
    pub url: String,
    /// The password of that user of PostgreSQL; absent: none is needed.
    pub password: Option<Secret>,
    /// Directory of this node's own small files: revision, overrides, last good routes, journal.
    pub directory: PathBuf,
}

impl StoreSettings {
    /// Whether this node shares its store with others.
    pub fn is_shared(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// Where this node keeps what it does not share.
    pub fn local_url(&self) -> String {
        match self.is_shared() {
            true => format!("sqlite:{}", self.directory.join("ficus.db").display()),
            false => self.url.clone(),
        }
    }
}

/// A node of a fleet.
#[derive(Debug, Clone)]
pub struct FleetSettings {
    /// Its name, another one on every node.
    pub node: String,
    /// How often it looks for revisions that it was not told of, and says that it is there.
    pub poll: Duration,
    /// How long a change waits until every node runs it.
    pub wait: Duration,
}

/// Bounds on requests.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest request body in bytes; a larger one is answered 413.
    pub body_bytes: u64,
    /// Largest request head in bytes; a larger one is answered 431.
    pub header_bytes: usize,
    /// Longest request target in bytes; a longer one is answered 414.
    pub uri_bytes: usize,
    /// Whether a target may have bytes beyond ASCII, which HTTP does not allow; otherwise it is answered 400.
    pub raw_targets: bool,
    /// Most requests in progress on a backend that does not say otherwise; above it they wait.
    pub backend_requests: usize,
    /// Fewest bytes per second of a body, once it has taken longer than `timeouts.client_body`; a slower one is
    /// answered 408.
    pub body_rate: u64,
    /// Whether a small body is awaited before a backend is asked, so that no slow client keeps a worker waiting.
    pub buffer_bodies: bool,
    /// Largest body that is kept for the fallback.
    pub replay_bytes: usize,
    /// Most memory for all bodies that are kept at one time.
    pub replay_memory: usize,
    /// Most connections of clients.
    pub connections: usize,
    /// Most connections of one client address that is no trusted proxy.
    pub connections_per_client: usize,
}

/// Waiting times.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// For a connection to an upstream.
    pub connect: Duration,
    /// For an upstream's next bytes, when the route names no `timeout`.
    pub upstream: Duration,
    /// For a client's complete head.
    pub client_header: Duration,
    /// For a client's next bytes of a body.
    pub client_body: Duration,
    /// Idle keep-alive connections of clients.
    pub client_idle: Duration,
    /// Idle keep-alive connections to upstreams; below gunicorn's own keep-alive.
    pub upstream_idle: Duration,
    /// On SIGTERM: how long requests in progress may go on.
    pub drain: Duration,
    /// On SIGTERM: how long this node says that it is not ready before it accepts no more connections.
    pub before_drain: Duration,
    /// On an upgrade: how long the new process may take until it is ready.
    pub upgrade: Duration,
}

/// Logging.
#[derive(Debug, Clone)]
pub struct Log {
    /// Where the access log goes.
    pub access: AccessLog,
    /// What its lines look like.
    pub format: LogFormat,
    /// What they say of paths.
    pub paths: LogPaths,
    /// The program's own log: a `tracing` filter such as `info`.
    pub level: String,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// Appended to a file.
    File(PathBuf),
}

/// What a line of the access log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object.
    Json,
    /// The common log format, without address and user.
    Common,
}

/// What the access log and spans say of a request's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPaths {
    /// The path as the client sent it, without its query.
    Full,
    /// The rule of its route: where paths hold what nobody should read in a log.
    Rule,
}

/// Sending traces.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// The collector.
    pub endpoint: Endpoint,
    /// Headers that it wants to see, such as a token.
    pub headers: Vec<(String, Secret)>,
    /// PEM file with the certificate that it is known by; absent: the public ones.
    pub certificate: Option<PathBuf>,
    /// Who we are, such as `service.name`.
    pub resource: Vec<(String, String)>,
    /// Which requests are traced.
    pub sampler: Sampler,
    /// How long the collector may take.
    pub timeout: Duration,
    /// Requests whose spans may wait.
    pub queue: usize,
    /// Spans sent at once.
    pub batch: usize,
    /// How long spans are gathered.
    pub delay: Duration,
}
