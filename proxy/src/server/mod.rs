//! Puts the parts together, listens, and stops without cutting anybody off.
//!
//! Start-up, step by step, is `run`; the order matters: nothing listens before everything that could fail has been
//! tried, and readiness is announced when requests are answered. What happens to a request is in `gateway`.

mod admin;
mod listen;
mod log;
mod report;
mod stop;
mod tls;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use pingora::apps::HttpServerOptions;
use pingora::proxy::{HttpProxy, http_proxy};
use pingora::server::configuration::ServerConf;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use crate::control::{Control, Reloaded};
use crate::gateway::Gateway;
use crate::observe::{BackendState, Observer, Sources};
use crate::rollout::{self, Incidents};
use crate::settings::Settings;
use crate::upstream::{Backends, probe};
use listen::Door;
use report::Opened;
use stop::{Signals, Stop, Stopped};

/// Attempts of one request: each upstream once, a dead pooled connection, the fallback's. What is repeated is decided
/// in `gateway`; this only bounds it.
const MOST_ATTEMPTS: usize = 16;
/// Kept connections to upstreams.
const POOL: usize = 512;
/// So many requests may a guard be behind.
const EVIDENCE: usize = 8 * 1024;
/// How long tasks that are still running at the very end are waited for.
const LAST_MOMENT: Duration = Duration::from_millis(100);

/// The parts that live as long as the process.
struct Parts {
    settings: Arc<Settings>,
    control: Arc<Control>,
    backends: Arc<Backends>,
    observer: Arc<Observer>,
    incidents: Arc<Incidents>,
    draining: Arc<AtomicBool>,
}

/// Serves until told to stop.
///
/// # Errors
/// When a listener cannot be opened or the routing file is bad.
pub fn run(settings: Settings) -> anyhow::Result<()> {
    log::start(&settings.log.level);
    let parts = Parts::new(settings)?;
    let runtime = runtime("ficus", threads())?;
    let (opened, listeners) = {
        let _entered = runtime.enter();
        open(&parts.settings)?
    };
    let admin = admin::start(&parts)?;
    let opened = Opened { admin: admin.address, ..opened };
    let stopped = runtime.block_on(serve(&parts, &opened, listeners, &admin));
    // Answers have been sent; what is left are tasks that watch something.
    runtime.shutdown_timeout(LAST_MOMENT);
    admin.stop(&parts.settings.listen.admin_socket);
    stopped
}

impl Parts {
    fn new(settings: Settings) -> anyhow::Result<Self> {
        let control = Arc::new(Control::start(&settings)?);
        let backends = Arc::new(Backends::new(&settings));
        let observer = Arc::new(Observer::new(Arc::clone(control.live()), &settings)?);
        observer.ask(sources(&control, &backends));
        let incidents = Arc::new(Incidents::new(&settings.store.directory));
        Ok(Self { settings: Arc::new(settings), incidents, control, backends, observer, draining: Arc::default() })
    }

    fn proxy(&self) -> anyhow::Result<Arc<HttpProxy<Gateway>>> {
        let gateway = Gateway::new(
            Arc::clone(&self.settings),
            Arc::clone(self.control.live()),
            Arc::clone(&self.backends),
            Arc::clone(&self.observer),
            Arc::clone(&self.draining),
        )?;
        let conf = ServerConf {
            threads: threads(),
            max_retries: MOST_ATTEMPTS,
            upstream_keepalive_pool_size: POOL,
            ..ServerConf::default()
        };
        let mut proxy = http_proxy(&Arc::new(conf), gateway);
        let mut options = HttpServerOptions::default();
        options.h2_idle_timeout = Some(self.settings.timeouts.client_idle);
        proxy.server_options = Some(options);
        Ok(Arc::new(proxy))
    }
}

/// What a scrape asks the other rooms.
fn sources(control: &Arc<Control>, backends: &Arc<Backends>) -> Sources {
    let (control, backends) = (Arc::clone(control), Arc::clone(backends));
    let state = |backend: crate::upstream::BackendHealth| BackendState {
        name: backend.name,
        in_flight: backend.in_flight,
        upstreams: backend.upstreams.into_iter().map(|upstream| (upstream.address, upstream.up)).collect(),
    };
    Sources {
        backends: Box::new(move || backends.health().into_iter().map(state).collect()),
        reload: Box::new(move || control.reload_state()),
    }
}

async fn serve(
    parts: &Parts,
    opened: &Opened,
    listeners: Listeners,
    admin: &admin::Served,
) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let proxy = parts.proxy()?;
    let (closing, watch_closing) = watch::channel(false);
    let (connected, mut all_gone) = mpsc::channel(1);
    let door = Door {
        proxy: Arc::clone(&proxy),
        observer: Arc::clone(&parts.observer),
        closing: watch_closing,
        _connected: connected,
        head_time: parts.settings.timeouts.client_header,
    };
    let evidence = parts.observer.watch_guarded(EVIDENCE);
    tokio::spawn(rollout::watch(Arc::clone(&parts.control), Arc::clone(&parts.incidents), evidence));
    probe::first_look(&parts.backends).await;
    tokio::spawn(probe::watch(Arc::clone(&parts.backends)));
    let _watch = parts.control.watch().context("cannot watch the routing file")?;
    for (listener, acceptor) in listeners {
        tokio::spawn(listen::accept(listener, acceptor, door.clone()));
    }
    drop(door);
    eprint!("{}", report::report(opened, &parts.backends, &parts.control));
    notify(NotifyState::Ready);

    signals.stop(|| reload(parts)).await;
    admin.drain();
    notify(NotifyState::Stopping);
    eprintln!("ficus: stopping, waiting for requests in progress");
    let patience = parts.settings.timeouts.drain;
    let stop = Stop { draining: &parts.draining, closing: &closing, connected: &mut all_gone, patience };
    match stop.run(&*proxy, &mut signals).await {
        Stopped::Clean => eprintln!("ficus: stopped, every request was answered"),
        Stopped::Cut => eprintln!("ficus: stopped before every request was answered"),
    }
    Ok(())
}

type Listeners = Vec<(TcpListener, Option<tokio_rustls::TlsAcceptor>)>;

fn open(settings: &Settings) -> anyhow::Result<(Opened, Listeners)> {
    let mut opened = Opened::default();
    let mut listeners = Listeners::new();
    if let Some(address) = settings.listen.http {
        let listener = listen::open(address, "http")?;
        opened.http = Some(listener.local_addr()?);
        listeners.push((listener, None));
    }
    if let Some(https) = &settings.listen.https {
        let acceptor = tls::acceptor(https)?;
        let listener = listen::open(https.address, "https")?;
        opened.https = Some(listener.local_addr()?);
        listeners.push((listener, Some(acceptor)));
    }
    Ok((opened, listeners))
}

/// SIGHUP: another look at the routing file, and a new access log if the old one was renamed away.
fn reload(parts: &Parts) {
    parts.observer.reopen_log();
    match parts.control.reload() {
        Reloaded::Refused { message, .. } => tracing::error!(message, "reload refused"),
        outcome => tracing::info!(?outcome, "reload asked for by signal"),
    }
}

/// Tells systemd, if it started us.
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "cannot notify systemd");
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn runtime(name: &str, threads: usize) -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .enable_all()
        .build()
        .with_context(|| format!("cannot start the `{name}` runtime"))
}
